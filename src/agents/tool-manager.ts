import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem, problems } from '#kernel/problem';
import type { Sealer } from '#kernel/seal';
import type { ToolConfig } from './definitions.ts';
import type { AllowedCommands, McpPool } from './mcp-pool.ts';
import { readOpenapi } from './openapi-tools.ts';
import type { EgressPort } from './ports.ts';
import { agentProblems } from './problems.ts';
import {
  deleteTool,
  insertTool,
  listTools,
  readTools,
  type SourceFunction,
  type ToolSource,
  updateTool,
} from './store.ts';
import { boundedText } from './tool-functions.ts';
import { toolSeal } from './toolbox.ts';

/** What tool sources are managed with. */
export type ToolManagerDeps = {
  db: Pick<Doors, 'forTenant'>;
  clock: Clock;
  sealer: Pick<Sealer, 'seal' | 'open'>;
  pool: McpPool;
  egress: EgressPort;
  commands: AllowedCommands;
  checkAddress(tenantId: string, url: string): Promise<void>;
};

const maxDocumentBytes = 4_194_304;
const refreshMs = 30_000;

/** Tool sources of tenants: MCP servers and OpenAPI documents, and the functions they offer. */
export class ToolManager {
  readonly #deps: ToolManagerDeps;

  constructor(deps: ToolManagerDeps) {
    this.#deps = deps;
  }

  /** Connects a source and reads its functions. 409 when the name is taken, 502 when the source does not answer. */
  async createTool(
    tenantId: string,
    input: { name: string; config: ToolConfig; secrets?: Record<string, string> },
    cause: Cause,
  ): Promise<ToolSource> {
    const at = this.#deps.clock.now().toString();
    const id = newId();
    await this.#check(tenantId, input.config, input.secrets);
    const draft: ToolSource = {
      tenantId,
      id,
      name: input.name,
      kind: input.config.kind,
      config: input.config,
      secret: this.#seal(tenantId, id, input.secrets),
      trusted: false,
      functions: [],
      refreshedAt: at,
      revision: 1,
      createdAt: at,
      updatedAt: at,
    };
    const tool = { ...draft, functions: await this.#read(draft) };
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      if (!(await insertTool(tx, tool))) {
        throw new Problem(agentProblems.nameTaken, { detail: `There is a tool named "${input.name}" already.` });
      }
      await this.#append(tx, 'created', tool, { after: seen(tool) }, cause);
    });
    return tool;
  }

  /** One source; 404. */
  async getTool(tenantId: string, id: string): Promise<ToolSource> {
    const [tool] = await this.#deps.db.forTenant(tenantId, (tx) => readTools(tx, tenantId, [id]));
    if (tool === undefined) throw notFound('tool');
    return tool;
  }

  /** Sources by name. */
  async listTools(tenantId: string, after: string | undefined, limit: number): Promise<Page<ToolSource>> {
    const rows = await this.#deps.db.forTenant(tenantId, (tx) => listTools(tx, tenantId, after, limit + 1));
    return pageOf(rows, limit, (tool) => [tool.name]);
  }

  /** Changes where a source is or what goes along, and reads its functions anew. The kind stays; another host needs the secrets again. */
  async updateTool(
    tenantId: string,
    id: string,
    to: { config?: ToolConfig; secrets?: Record<string, string> | null },
    cause: Cause,
  ): Promise<ToolSource> {
    const before = await this.getTool(tenantId, id);
    const config = to.config ?? before.config;
    if (config.kind !== before.kind) throw invalidInput('/config/kind', `must stay ${before.kind}`);
    await this.#check(tenantId, config, to.secrets ?? undefined);
    const changed: ToolSource = {
      ...before,
      config,
      secret: to.secrets === undefined ? before.secret : this.#seal(tenantId, id, to.secrets ?? undefined),
      // Another server is not the one that was trusted.
      trusted: before.trusted && to.config === undefined,
    };
    requireSamePlace(before, changed);
    const after = { ...changed, functions: await this.#read(changed) };
    requireSamePlace(before, after);
    return this.#keep(before, after, cause);
  }

  /** Reads the functions of a source anew: an MCP server's list, or the OpenAPI document. */
  async refreshTool(tenantId: string, id: string, cause: Cause): Promise<ToolSource> {
    const before = await this.getTool(tenantId, id);
    const after = { ...before, functions: await this.#read(before) };
    requireSamePlace(before, after);
    return this.#keep(before, after, cause);
  }

  /** Says whether an MCP server's own hints are believed: for operators. */
  async trustTool(tenantId: string, id: string, trusted: boolean, cause: Cause): Promise<ToolSource> {
    const before = await this.getTool(tenantId, id);
    return this.#keep(before, { ...before, trusted }, cause, false);
  }

  /** Removes a source. Agents that use it are told by their model's tool list: the functions are gone. */
  async deleteTool(tenantId: string, id: string, cause: Cause): Promise<void> {
    const tool = await this.getTool(tenantId, id);
    await this.#deps.db.forTenant(tenantId, async (tx) => {
      await deleteTool(tx, tenantId, id);
      await this.#append(tx, 'deleted', tool, { before: seen(tool) }, cause);
    });
  }

  async #keep(before: ToolSource, changed: ToolSource, cause: Cause, refreshed = true): Promise<ToolSource> {
    const at = this.#deps.clock.now().toString();
    const after = { ...changed, updatedAt: at, refreshedAt: refreshed ? at : before.refreshedAt };
    await this.#deps.db.forTenant(before.tenantId, async (tx) => {
      if (!(await updateTool(tx, after)))
        throw new Problem(problems.conflict, { detail: 'The tool was changed or removed meanwhile.' });
      const secretsChanged = before.secret !== after.secret;
      await this.#append(tx, 'updated', after, { before: seen(before), after: seen(after), secretsChanged }, cause);
    });
    return after;
  }

  async #check(tenantId: string, config: ToolConfig, secrets: Record<string, string> = {}): Promise<void> {
    if (config.kind === 'mcp_stdio') {
      const allowed = this.#deps.commands.get(config.command);
      if (allowed === undefined)
        throw invalidInput('/config/command', 'is not a command that the operator of this installation allows');
      const other = Object.keys(secrets).find((name) => !allowed.variables.includes(name));
      if (other !== undefined)
        throw invalidInput(`/secrets/${other}`, 'is not a variable that the operator lets you set');
      return;
    }
    if (config.kind === 'openapi' && (config.document === undefined) === (config.documentUrl === undefined)) {
      throw invalidInput('/config/document', 'is needed, or documentUrl instead');
    }
    const urls = config.kind === 'openapi' ? [config.documentUrl, config.baseUrl] : [config.url];
    for (const url of urls) if (url !== undefined) await this.#deps.checkAddress(tenantId, url);
  }

  async #read(tool: ToolSource): Promise<SourceFunction[]> {
    const { config } = tool;
    const signal = AbortSignal.timeout(refreshMs);
    const secrets = () =>
      tool.secret === null
        ? {}
        : (JSON.parse(this.#deps.sealer.open(tool.secret, toolSeal(tool.tenantId, tool.id))) as Record<string, string>);
    if (config.kind === 'openapi' && config.document !== undefined) {
      return readOpenapi(config.document, config.baseUrl, undefined);
    }
    try {
      if (config.kind !== 'openapi') {
        return await this.#deps.pool.use(tool, secrets, signal, (session) => session.listFunctions(signal));
      }
      const url = config.documentUrl as string;
      const response = await this.#deps.egress.fetch(tool.tenantId)(url, {
        signal,
        headers: { accept: 'application/json' },
      });
      const text = await boundedText(response, maxDocumentBytes);
      if (!response.ok) throw new Error(`it answered ${response.status}`);
      return readOpenapi(JSON.parse(text) as Record<string, unknown>, config.baseUrl, url);
    } catch (error) {
      if (error instanceof Problem) throw error;
      const detail = `The functions of "${tool.name}" could not be read: ${(error as Error).message}`;
      throw new Problem(agentProblems.toolUnavailable, { detail, cause: error });
    }
  }

  #seal(tenantId: string, id: string, secrets: Record<string, string> | undefined): string | null {
    return secrets === undefined ? null : this.#deps.sealer.seal(JSON.stringify(secrets), toolSeal(tenantId, id));
  }

  #append(tx: Tx, verb: string, tool: ToolSource, data: Record<string, unknown>, cause: Cause) {
    return append(
      tx,
      {
        tenantId: tool.tenantId,
        type: `agents.tool.${verb}`,
        subject: { kind: 'tool', id: tool.id, name: tool.name },
        data,
        ...becauseOf(cause),
      },
      this.#deps.clock.now(),
    );
  }
}

/**
 * 400 when secrets that stay would go along to another host or command than they were entered for: who may change a source may not
 * have them sent to a place of their own. Asked before a server is reached, and again once a document has named its own.
 */
function requireSamePlace(before: ToolSource, after: ToolSource): void {
  if (before.secret === null || after.secret !== before.secret) return;
  const known = placesOf(before);
  if (placesOf(after).some((place) => !known.includes(place)))
    throw invalidInput('/secrets', 'are needed again when the source moves to another host');
}

function placesOf({ config, functions }: ToolSource): string[] {
  if (config.kind === 'mcp_stdio') return [config.command];
  if (config.kind === 'mcp_http') return [new URL(config.url).origin];
  return functions.flatMap(({ http }) => (http === undefined ? [] : [new URL(http.base).origin]));
}

/** A source as events tell of it: without secrets and documents. */
function seen({ kind, config, trusted, functions }: ToolSource): Record<string, unknown> {
  const place =
    config.kind === 'mcp_stdio' ? config.command : config.kind === 'mcp_http' ? config.url : config.documentUrl;
  return { kind, place: place ?? null, trusted, functions: functions.length };
}
