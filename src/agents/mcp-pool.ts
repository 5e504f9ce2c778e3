import { Problem } from '#kernel/problem';
import { McpHttpTransport } from './mcp-http.ts';
import { McpSession, type McpTransport } from './mcp-session.ts';
import { McpStdioTransport } from './mcp-stdio.ts';
import type { EgressPort } from './ports.ts';
import { agentProblems } from './problems.ts';
import type { ToolSource } from './store.ts';
import { ToolNotCalled } from './tool-functions.ts';

type Entry = { session: Promise<McpSession>; tenantId: string; stdio: boolean; users: number; idleSince: number };

const idleMs = 60_000;
const perTenant = 4;
const perProcess = 32;
const openTimeoutMs = 20_000;

/**
 * The commands an operator allows for stdio servers, by name, and the variables tenants may set for each: `NODE_OPTIONS`, `LD_PRELOAD` and
 * their like would run a tenant's own code.
 */
export type AllowedCommands = ReadonlyMap<
  string,
  { readonly command: readonly string[]; readonly variables: readonly string[] }
>;

/**
 * Open MCP sessions of this process, one per tenant and tool source, never shared between tenants. Closed after a minute
 * without use; stdio servers are at most 4 per tenant and 32 in all.
 */
export class McpPool {
  readonly #deps: { egress: EgressPort; commands: AllowedCommands; path: string };
  readonly #entries = new Map<string, Entry>();
  readonly #sweep: NodeJS.Timeout;

  constructor(deps: { egress: EgressPort; commands: AllowedCommands; path: string }) {
    this.#deps = deps;
    this.#sweep = setInterval(() => this.#closeIdle(performance.now() - idleMs), 5_000);
    this.#sweep.unref();
  }

  /** Works with a session of a source; opens one when there is none. `secrets` are its headers or environment, unsealed. */
  async use<T>(
    source: ToolSource,
    secrets: () => Record<string, string>,
    signal: AbortSignal,
    work: (session: McpSession) => Promise<T>,
  ): Promise<T> {
    // By what it was opened with, not by its revision: of two changes under way, or one that failed, each is its own.
    const key = `${source.tenantId}/${source.id}/${JSON.stringify([source.config, source.secret])}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = this.#open(source, secrets());
      this.#entries.set(key, entry);
    }
    entry.users++;
    try {
      const session = await entry.session.catch((error: unknown) => {
        throw error instanceof Problem || error instanceof ToolNotCalled
          ? error
          : new ToolNotCalled(`The tool server could not be opened: ${(error as Error).message}`, error);
      });
      signal.throwIfAborted();
      return await work(session);
    } finally {
      entry.users--;
      entry.idleSince = performance.now();
      const alive = await entry.session.then((session) => session.alive).catch(() => false);
      if (!alive && this.#entries.get(key) === entry) this.#entries.delete(key);
    }
  }

  /** Ends all sessions. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await Promise.all([...this.#entries.keys()].map((key) => this.#drop(key)));
  }

  /** How many sessions are open. */
  get size(): number {
    return this.#entries.size;
  }

  #open(source: ToolSource, secrets: Record<string, string>): Entry {
    const stdio = source.config.kind === 'mcp_stdio';
    if (stdio) this.#makeRoom(source.tenantId);
    const transport = this.#transport(source, secrets);
    const session = McpSession.open(transport, AbortSignal.timeout(openTimeoutMs));
    session.catch(() => undefined);
    return { session, tenantId: source.tenantId, stdio, users: 0, idleSince: performance.now() };
  }

  #transport(source: ToolSource, secrets: Record<string, string>): McpTransport {
    const { config, tenantId } = source;
    if (config.kind === 'mcp_http') {
      return new McpHttpTransport({ egress: this.#deps.egress, tenantId, url: config.url, headers: secrets });
    }
    if (config.kind !== 'mcp_stdio') throw new Error(`${config.kind} is no MCP source`);
    const allowed = this.#deps.commands.get(config.command);
    if (allowed === undefined) {
      throw new ToolNotCalled(`The operator does not allow the command "${config.command}".`);
    }
    // Again: the operator may have taken a variable back since.
    const own = Object.entries(secrets).filter(([name]) => allowed.variables.includes(name));
    return new McpStdioTransport(allowed.command, { ...Object.fromEntries(own), PATH: this.#deps.path });
  }

  #makeRoom(tenantId: string): void {
    const ofTenant = () => [...this.#entries].filter(([, entry]) => entry.stdio && entry.tenantId === tenantId);
    const all = () => [...this.#entries].filter(([, entry]) => entry.stdio);
    for (const [count, allowed] of [
      [ofTenant, perTenant],
      [all, perProcess],
    ] as const) {
      if (count().length < allowed) continue;
      const idle = count()
        .filter(([, entry]) => entry.users === 0)
        .sort(([, a], [, b]) => a.idleSince - b.idleSince)[0];
      if (idle === undefined) {
        throw new Problem(agentProblems.toolUnavailable, { detail: `All ${allowed} stdio tool servers are busy.` });
      }
      void this.#drop(idle[0]);
    }
  }

  #closeIdle(before: number): void {
    for (const [key, entry] of this.#entries) if (entry.users === 0 && entry.idleSince < before) void this.#drop(key);
  }

  async #drop(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    await entry?.session.then((session) => session.close()).catch(() => undefined);
  }
}
