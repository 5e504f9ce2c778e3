import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId, parseId } from '#kernel/ids';
import { append, type NewEvent } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { Sealer } from '#kernel/seal';
import { builtinNames } from './builtin-tools.ts';
import type { Definition, NewDefinition } from './definitions.ts';
import { agentProblems } from './problems.ts';
import {
  type Agent,
  type AgentVersion,
  insertAgent,
  insertVersion,
  listAgents,
  listVersions,
  readAgent,
  readTools,
  readVersion,
  setAlias,
  updateAgent,
} from './store.ts';
import { VersionModels, type VersionRef } from './version-models.ts';

/** A definition to be kept as a version; `headers` go to an external agent with every call and are sealed. */
export type NewVersion = { definition: NewDefinition; headers?: Record<string, string>; note?: string };

/** What agents are managed with. */
export type AgentManagerDeps = {
  db: Pick<Doors, 'forTenant'>;
  clock: Clock;
  sealer: Pick<Sealer, 'seal' | 'open'>;
  /** Throws 400 for an address that the tenant's calls could not go to. */
  checkAddress(tenantId: string, url: string): Promise<void>;
  /** The model of agents that name none; undefined where there is a choice. */
  defaultModel(tenantId: string): string | undefined;
};

const maxRemembered = 500;

/** Agents, their immutable versions and the aliases that point at them. */
export class AgentManager {
  readonly #deps: AgentManagerDeps;
  readonly #versions = new Map<string, AgentVersion>();
  readonly #models: VersionModels;

  constructor(deps: AgentManagerDeps) {
    this.#deps = deps;
    this.#models = new VersionModels(deps.db);
  }

  /** Makes an agent with its version 1, live. 409 when the name is taken. */
  async createAgent(
    tenantId: string,
    input: NewVersion & { name: string; description?: string },
    cause: Cause,
  ): Promise<Agent> {
    const definition = await this.#complete(tenantId, input.definition);
    const at = this.#deps.clock.now().toString();
    const { name, description = '' } = input;
    const agent = {
      tenantId,
      id: newId(),
      name,
      description,
      kind: definition.kind,
      latestVersion: 1,
      createdAt: at,
      updatedAt: at,
    };
    const made = { ...agent, aliases: { live: 1 } };
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      if (!(await insertAgent(tx, agent))) {
        throw new Problem(agentProblems.nameTaken, { detail: `There is an agent named "${name}" already.` });
      }
      await this.#addVersion(tx, made, 1, { ...input, definition }, cause);
      await setAlias(tx, tenantId, agent.id, 'live', 1);
      await this.#append(tx, 'agent.created', made, { after: { name, kind: agent.kind, version: 1 } }, cause);
    });
    return made;
  }

  /** One agent; 404. */
  async getAgent(tenantId: string, id: string): Promise<Agent> {
    const agent = await this.#deps.db.forTenant(tenantId, (tx) => readAgent(tx, tenantId, id));
    if (agent === undefined) throw notFound('agent');
    return agent;
  }

  /** Agents by name; `only`: those with these ids. */
  async listAgents(
    tenantId: string,
    after: string | undefined,
    limit: number,
    only?: readonly string[],
  ): Promise<Page<Agent>> {
    const rows = await this.#deps.db.forTenant(tenantId, (tx) => listAgents(tx, tenantId, after, limit + 1, only));
    return pageOf(rows, limit, (agent) => [agent.name]);
  }

  /** Changes the description. Names stay: callers use them. */
  updateAgent(tenantId: string, id: string, to: { description: string }, cause: Cause): Promise<Agent> {
    return this.#change(tenantId, id, async (tx, agent, at) => {
      await updateAgent(tx, agent, { ...to, latestVersion: agent.latestVersion, at });
      const before = { description: agent.description };
      await this.#append(tx, 'agent.updated', agent, { before, after: to }, cause);
    });
  }

  /** Deletes an agent: it cannot be called any more. Runs under way go on to their end. */
  async deleteAgent(tenantId: string, id: string, cause: Cause): Promise<void> {
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      const agent = await readAgent(tx, tenantId, id, true);
      if (agent === undefined) throw notFound('agent');
      const { description, latestVersion } = agent;
      await updateAgent(tx, agent, {
        description,
        latestVersion,
        at: this.#deps.clock.now().toString(),
        deleted: true,
      });
      await this.#append(tx, 'agent.deleted', agent, { before: { name: agent.name } }, cause);
    });
  }

  /** Adds a version; `live` points at it unless told otherwise. The kind of an agent stays. */
  async publishVersion(
    tenantId: string,
    id: string,
    input: NewVersion & { live?: boolean },
    cause: Cause,
  ): Promise<Agent> {
    const definition = await this.#complete(tenantId, input.definition);
    return this.#change(tenantId, id, async (tx, agent, at) => {
      if (definition.kind !== agent.kind) throw invalidInput('/definition/kind', `must stay ${agent.kind}`);
      const version = agent.latestVersion + 1;
      await this.#addVersion(tx, agent, version, { ...input, definition }, cause);
      await updateAgent(tx, agent, { description: agent.description, latestVersion: version, at });
      if (input.live !== false) await setAlias(tx, tenantId, id, 'live', version);
      const live = { before: agent.aliases['live'], after: input.live === false ? agent.aliases['live'] : version };
      await this.#append(tx, 'version.created', agent, { after: { version, note: input.note ?? '' }, live }, cause);
    });
  }

  /** Points an alias at a version, or takes it away (`live` stays). 404 for an unknown version. */
  setAlias(tenantId: string, id: string, alias: string, version: number | undefined, cause: Cause): Promise<Agent> {
    return this.#change(tenantId, id, async (tx, agent) => {
      if (version === undefined && alias === 'live') throw invalidInput('/alias', 'live cannot be removed');
      const before = Object.hasOwn(agent.aliases, alias) ? agent.aliases[alias] : undefined;
      if (version === undefined && before === undefined) throw notFound('alias');
      if (version !== undefined && version > agent.latestVersion) throw notFound('version');
      await setAlias(tx, tenantId, id, alias, version);
      const change = { alias, before: before ?? null, after: version ?? null };
      await this.#append(tx, 'alias.updated', agent, change, cause);
    });
  }

  /** Versions, newest first; 404 for an unknown agent. */
  async listVersions(
    tenantId: string,
    id: string,
    before: number | undefined,
    limit: number,
  ): Promise<Page<AgentVersion>> {
    await this.getAgent(tenantId, id);
    const rows = await this.#deps.db.forTenant(tenantId, (tx) => listVersions(tx, tenantId, id, before, limit + 1));
    return pageOf(rows, limit, (version) => [String(version.version)]);
  }

  /** One version, from memory once read: versions never change. 404. */
  async versionOf(tenantId: string, agentId: string, version: number): Promise<AgentVersion> {
    const key = `${tenantId}/${agentId}/${version}`;
    const known = this.#versions.get(key);
    if (known !== undefined) return known;
    const found = await this.#deps.db.forTenant(tenantId, (tx) => readVersion(tx, tenantId, agentId, version));
    if (found === undefined) throw notFound('version');
    if (this.#versions.size >= maxRemembered) this.#versions.delete(this.#versions.keys().next().value as string);
    this.#versions.set(key, found);
    return found;
  }

  /** The models that versions ask; see {@link VersionModels}. */
  modelsOf(tenantId: string, versions: readonly VersionRef[]): Promise<(string | null)[]> {
    return this.#models.modelsOf(tenantId, versions);
  }

  /** Headers of an external agent's version, unsealed. */
  secretsOf(version: AgentVersion): Record<string, string> {
    if (version.secret === null) return {};
    return JSON.parse(this.#deps.sealer.open(version.secret, sealPlace(version))) as Record<string, string>;
  }

  async #change(
    tenantId: string,
    id: string,
    work: (tx: Tx, agent: Agent, at: string) => Promise<void>,
  ): Promise<Agent> {
    const changed = await this.#deps.db.forTenant(tenantId, async (tx) => {
      const agent = await readAgent(tx, tenantId, id, true);
      if (agent === undefined) throw notFound('agent');
      await work(tx, agent, this.#deps.clock.now().toString());
      return readAgent(tx, tenantId, id);
    });
    return changed as Agent;
  }

  async #addVersion(
    tx: Tx,
    agent: Agent,
    version: number,
    input: NewVersion & { definition: Definition },
    cause: Cause,
  ): Promise<void> {
    const { headers } = input;
    if (headers !== undefined && agent.kind === 'native') throw invalidInput('/headers', 'are for external agents');
    const place = { tenantId: agent.tenantId, agentId: agent.id, version };
    await insertVersion(tx, {
      ...place,
      definition: input.definition,
      secret: headers === undefined ? null : this.#deps.sealer.seal(JSON.stringify(headers), sealPlace(place)),
      note: input.note ?? '',
      createdBy: cause.actor,
      createdAt: this.#deps.clock.now().toString(),
    });
  }

  /** The definition with its model. Tools must exist, and an address must be one that may be called. */
  async #complete(tenantId: string, definition: NewDefinition): Promise<Definition> {
    if (definition.kind === 'external') {
      await this.#deps.checkAddress(tenantId, definition.url);
      return definition;
    }
    const model = definition.model ?? this.#deps.defaultModel(tenantId);
    if (model === undefined)
      throw invalidInput('/definition/model', 'is missing: GET /v1/models lists those that are connected');
    const uses = definition.tools ?? [];
    const ids = uses.map((use) => parseId('tool', use.tool));
    const known = await this.#deps.db.forTenant(tenantId, (tx) =>
      readTools(
        tx,
        tenantId,
        ids.filter((id) => id !== undefined),
      ),
    );
    uses.forEach((use, i) => {
      const fits =
        builtinNames.some((name) => name === use.tool) ||
        /^agent\/[a-z0-9-]{1,40}(@[a-z0-9-]{1,40})?$/.test(use.tool) ||
        known.some((tool) => tool.id === ids[i]);
      if (!fits)
        throw invalidInput(
          `/definition/tools/${i}/tool`,
          'is not a tool of yours, clock, calculator, lintel or agent/<name>',
        );
    });
    return { ...definition, model };
  }

  #append(
    tx: Tx,
    type: string,
    agent: Pick<Agent, 'tenantId' | 'id' | 'name'>,
    data: NewEvent['data'] & object,
    cause: Cause,
  ) {
    return append(
      tx,
      {
        tenantId: agent.tenantId,
        type: `agents.${type}`,
        subject: { kind: 'agent', id: agent.id, name: agent.name },
        data,
        ...becauseOf(cause),
      },
      this.#deps.clock.now(),
    );
  }
}

function sealPlace(version: Pick<AgentVersion, 'tenantId' | 'agentId' | 'version'>) {
  return {
    purpose: 'agent-headers',
    tenantId: version.tenantId,
    table: 'agent_versions',
    column: 'secret',
    row: `${version.agentId}/${version.version}`,
  };
}
