import type { Tx } from '#kernel/database';
import type { Actor } from '#kernel/log';
import type { Definition, ToolConfig } from './definitions.ts';
import { toJson } from './json-text.ts';

/** An agent. */
export type Agent = {
  tenantId: string;
  id: string;
  name: string;
  description: string;
  kind: Definition['kind'];
  latestVersion: number;
  aliases: Record<string, number>;
  createdAt: string;
  updatedAt: string;
};

/** An immutable version. `secret` is sealed. */
export type AgentVersion = {
  tenantId: string;
  agentId: string;
  version: number;
  definition: Definition;
  secret: string | null;
  note: string;
  createdBy: Actor;
  createdAt: string;
};

/** A function of a tool source, as the source describes it. */
export type SourceFunction = {
  name: string;
  description: string;
  parameters: Record<string, unknown>;
  /** Hints of the source: believed only when it is trusted (MCP) or when the protocol says so (HTTP GET). */
  readOnly: boolean;
  idempotent: boolean;
  /** openapi: how to send it. */
  http?: {
    method: string;
    path: string;
    base: string;
    places: Record<string, 'path' | 'query' | 'header'>;
    body: boolean;
  };
};

/** A tool source. `secret` is sealed. */
export type ToolSource = {
  tenantId: string;
  id: string;
  name: string;
  kind: ToolConfig['kind'];
  config: ToolConfig;
  secret: string | null;
  trusted: boolean;
  functions: readonly SourceFunction[];
  refreshedAt: string | null;
  /** Rises with every change: of two at once the later one is refused. */
  revision: number;
  createdAt: string;
  updatedAt: string;
};

const agentColumns = `a.tenant_id, a.id, a.name, a.description, a.kind, a.latest_version, a.created_at, a.updated_at,
  coalesce((SELECT jsonb_object_agg(l.alias, l.version) FROM agent_aliases l WHERE l.tenant_id = a.tenant_id AND l.agent_id = a.id), '{}') AS aliases`;
const toolColumns =
  'tenant_id, id, name, kind, config, secret, trusted, functions, refreshed_at, revision, created_at, updated_at';

/** All agents, or those with the given ids, of every tenant: for the snapshot. */
export function agentsForSnapshot(tx: Tx, ids: readonly string[] | undefined): Promise<Agent[]> {
  return tx.query<Agent>(
    `SELECT ${agentColumns} FROM agents a WHERE a.deleted_at IS NULL AND ($1::uuid[] IS NULL OR a.id = ANY($1))`,
    [ids ?? null],
  );
}

/** One agent that is not deleted; `lock` keeps others from adding versions meanwhile. */
export function readAgent(tx: Tx, tenantId: string, id: string, lock = false): Promise<Agent | undefined> {
  return tx.maybe<Agent>(
    `SELECT ${agentColumns} FROM agents a WHERE a.tenant_id = $1 AND a.id = $2 AND a.deleted_at IS NULL${lock ? ' FOR UPDATE' : ''}`,
    [tenantId, id],
  );
}

/** Agents of a tenant by name, above a cursor; `only`: those with these ids. */
export function listAgents(
  tx: Tx,
  tenantId: string,
  after: string | undefined,
  limit: number,
  only?: readonly string[],
): Promise<Agent[]> {
  return tx.query<Agent>(
    `SELECT ${agentColumns} FROM agents a WHERE a.tenant_id = $1 AND a.deleted_at IS NULL AND ($2::text IS NULL OR a.name > $2)
       AND ($4::uuid[] IS NULL OR a.id = ANY ($4)) ORDER BY a.name LIMIT $3`,
    [tenantId, after ?? null, limit, only ?? null],
  );
}

/** Writes an agent; false when the name is taken. */
export async function insertAgent(tx: Tx, agent: Omit<Agent, 'aliases'>): Promise<boolean> {
  const made = await tx.execute(
    `INSERT INTO agents (tenant_id, id, name, description, kind, latest_version, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, name) WHERE deleted_at IS NULL DO NOTHING`,
    [
      agent.tenantId,
      agent.id,
      agent.name,
      agent.description,
      agent.kind,
      agent.latestVersion,
      agent.createdAt,
      agent.updatedAt,
    ],
  );
  return made === 1;
}

/** Sets what may change of an agent itself. */
export async function updateAgent(
  tx: Tx,
  agent: Agent,
  to: { description: string; latestVersion: number; at: string; deleted?: boolean },
): Promise<void> {
  await tx.execute(
    `UPDATE agents SET description = $3, latest_version = $4, updated_at = $5, deleted_at = CASE WHEN $6 THEN $5::timestamptz END
     WHERE tenant_id = $1 AND id = $2`,
    [agent.tenantId, agent.id, to.description, to.latestVersion, to.at, to.deleted ?? false],
  );
}

/** Writes a version. */
export async function insertVersion(tx: Tx, version: AgentVersion): Promise<void> {
  await tx.execute(
    `INSERT INTO agent_versions (tenant_id, agent_id, version, definition, secret, note, created_by, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      version.tenantId,
      version.agentId,
      version.version,
      toJson(version.definition),
      version.secret,
      version.note,
      toJson(version.createdBy),
      version.createdAt,
    ],
  );
}

/** One version. */
export function readVersion(
  tx: Tx,
  tenantId: string,
  agentId: string,
  version: number,
): Promise<AgentVersion | undefined> {
  return tx.maybe<AgentVersion>(
    `SELECT tenant_id, agent_id, version, definition, secret, note, created_by, created_at FROM agent_versions
     WHERE tenant_id = $1 AND agent_id = $2 AND version = $3`,
    [tenantId, agentId, version],
  );
}

/** The models that versions ask, in their order; null: one that runs elsewhere. */
export async function readModels(
  tx: Tx,
  tenantId: string,
  versions: readonly { agentId: string; version: number }[],
): Promise<(string | null)[]> {
  const rows = await tx.query<{ model: string | null }>(
    `SELECT CASE v.definition ->> 'kind' WHEN 'native' THEN v.definition ->> 'model' END AS model
     FROM unnest($2::uuid[], $3::int[]) WITH ORDINALITY AS wanted (agent_id, version, place)
     LEFT JOIN agent_versions v ON v.tenant_id = $1 AND v.agent_id = wanted.agent_id AND v.version = wanted.version
     ORDER BY wanted.place`,
    [tenantId, versions.map(({ agentId }) => agentId), versions.map(({ version }) => version)],
  );
  return rows.map(({ model }) => model);
}

/** Versions, newest first, below a cursor. */
export function listVersions(
  tx: Tx,
  tenantId: string,
  agentId: string,
  before: number | undefined,
  limit: number,
): Promise<AgentVersion[]> {
  return tx.query<AgentVersion>(
    `SELECT tenant_id, agent_id, version, definition, secret, note, created_by, created_at FROM agent_versions
     WHERE tenant_id = $1 AND agent_id = $2 AND ($3::int IS NULL OR version < $3) ORDER BY version DESC LIMIT $4`,
    [tenantId, agentId, before ?? null, limit],
  );
}

/** Points an alias at a version, or removes it. */
export async function setAlias(
  tx: Tx,
  tenantId: string,
  agentId: string,
  alias: string,
  version: number | undefined,
): Promise<void> {
  if (version === undefined) {
    await tx.execute('DELETE FROM agent_aliases WHERE tenant_id = $1 AND agent_id = $2 AND alias = $3', [
      tenantId,
      agentId,
      alias,
    ]);
    return;
  }
  await tx.execute(
    `INSERT INTO agent_aliases (tenant_id, agent_id, alias, version) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id, agent_id, alias) DO UPDATE SET version = excluded.version`,
    [tenantId, agentId, alias, version],
  );
}

/** Tool sources of a tenant: those with the given ids, else by name above a cursor. */
export function readTools(tx: Tx, tenantId: string, ids: readonly string[]): Promise<ToolSource[]> {
  return tx.query<ToolSource>(`SELECT ${toolColumns} FROM tools WHERE tenant_id = $1 AND id = ANY($2)`, [
    tenantId,
    ids,
  ]);
}

/** Tool sources by name, above a cursor. */
export function listTools(tx: Tx, tenantId: string, after: string | undefined, limit: number): Promise<ToolSource[]> {
  return tx.query<ToolSource>(
    `SELECT ${toolColumns} FROM tools WHERE tenant_id = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3`,
    [tenantId, after ?? null, limit],
  );
}

/** Writes a tool source; false when the name is taken. */
export async function insertTool(tx: Tx, tool: ToolSource): Promise<boolean> {
  const made = await tx.execute(
    `INSERT INTO tools (tenant_id, id, name, kind, config, secret, trusted, functions, refreshed_at, revision, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (tenant_id, name) DO NOTHING`,
    [
      tool.tenantId,
      tool.id,
      tool.name,
      tool.kind,
      toJson(tool.config),
      tool.secret,
      tool.trusted,
      toJson(tool.functions),
      tool.refreshedAt,
      tool.revision,
      tool.createdAt,
      tool.updatedAt,
    ],
  );
  return made === 1;
}

/** Writes what may change of a tool source, as its next revision; false when it is not at `tool.revision` any more. */
export async function updateTool(tx: Tx, tool: ToolSource): Promise<boolean> {
  const changed = await tx.execute(
    `UPDATE tools SET config = $3, secret = $4, trusted = $5, functions = $6, refreshed_at = $7, revision = $8 + 1, updated_at = $9
     WHERE tenant_id = $1 AND id = $2 AND revision = $8`,
    [
      tool.tenantId,
      tool.id,
      toJson(tool.config),
      tool.secret,
      tool.trusted,
      toJson(tool.functions),
      tool.refreshedAt,
      tool.revision,
      tool.updatedAt,
    ],
  );
  return changed === 1;
}

/** Removes a tool source. */
export async function deleteTool(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute('DELETE FROM tools WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
}
