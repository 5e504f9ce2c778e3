import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { parseId } from '#kernel/ids';
import type { Sealer } from '#kernel/seal';
import type { ToolSpec } from '#models';
import { builtinTool } from './builtin-tools.ts';
import type { ToolUse } from './definitions.ts';
import { neverSent } from './mcp-http.ts';
import type { McpPool } from './mcp-pool.ts';
import { requestOf } from './openapi-tools.ts';
import type { CallApi, EgressPort } from './ports.ts';
import type { Run } from './runs.ts';
import { readTools, type SourceFunction, type ToolSource } from './store.ts';
import {
  boundedText,
  type CallContext,
  type CallResult,
  functionName,
  headersOf,
  said,
  type ToolFunction,
  ToolNotCalled,
} from './tool-functions.ts';

const maxAnswerBytes = 4_194_304;

/** The functions one run may call, by the names the model knows. */
export type Toolset = { specs: readonly ToolSpec[]; get(name: string): ToolFunction | undefined };

/** Runs another agent as a tool of a run's step. */
export type RunAgent = (reference: string, text: string, context: CallContext) => Promise<CallResult>;

/** What the tools of runs are made of. */
export type ToolboxDeps = {
  db: Pick<Doors, 'forTenant'>;
  pool: McpPool;
  egress: EgressPort;
  sealer: Pick<Sealer, 'open'>;
  clock: Clock;
  callApi: CallApi;
};

/** What a source's secret is sealed for. */
export const toolSeal = (tenantId: string, id: string) => ({
  purpose: 'tool-secret',
  tenantId,
  table: 'tools',
  column: 'secret',
  row: id,
});

/** Makes an agent's tools callable: MCP servers, OpenAPI operations, other agents, and what comes with Lintel. */
export class Toolbox {
  readonly #deps: ToolboxDeps;

  constructor(deps: ToolboxDeps) {
    this.#deps = deps;
  }

  /** The tools of a run's agent. A source deleted since is left out: the model is told when it asks for it. */
  async open(run: Run, uses: readonly ToolUse[], runAgent: RunAgent): Promise<Toolset> {
    const ids = uses.map((use) => parseId('tool', use.tool)).filter((id) => id !== undefined);
    const sources =
      ids.length === 0 ? [] : await this.#deps.db.forTenant(run.tenantId, (tx) => readTools(tx, run.tenantId, ids));
    const found = new Map<string, ToolFunction>();
    for (const use of uses) {
      for (const each of this.#functionsOf(run, use, sources, runAgent, new Set(found.keys())))
        found.set(each.spec.name, each);
    }
    return { specs: [...found.values()].map((each) => each.spec), get: (name) => found.get(name) };
  }

  /** The secret headers or variables of a source. */
  secretsOf(source: ToolSource): Record<string, string> {
    if (source.secret === null) return {};
    return JSON.parse(this.#deps.sealer.open(source.secret, toolSeal(source.tenantId, source.id))) as Record<
      string,
      string
    >;
  }

  #functionsOf(
    run: Run,
    use: ToolUse,
    sources: readonly ToolSource[],
    runAgent: RunAgent,
    taken: Set<string>,
  ): ToolFunction[] {
    const { clock, callApi } = this.#deps;
    const asks = (readOnly: boolean) => use.approval === 'always' || (use.approval === 'writes' && !readOnly);
    const builtin = builtinTool(use.tool, { clock, callApi, principal: run.principal });
    if (builtin !== undefined) {
      return builtin
        .filter((each) => use.only === undefined || use.only.includes(each.spec.name))
        .map((each) => ({ ...each, needsApproval: each.needsApproval || asks(each.idempotent) }));
    }
    if (use.tool.startsWith('agent/')) {
      const [agentName = ''] = use.tool.slice('agent/'.length).split('@');
      return [
        {
          spec: {
            name: functionName(['ask', agentName], taken),
            description: `Asks the agent "${agentName}". It knows nothing of this conversation: say all it needs.`,
            parameters: {
              type: 'object',
              properties: { message: { type: 'string' } },
              required: ['message'],
              additionalProperties: false,
            },
          },
          // The child run belongs to the step: asking again finds it.
          idempotent: true,
          needsApproval: asks(false),
          unhurried: true,
          call: (args, context) => runAgent(use.tool.slice('agent/'.length), String(args['message']), context),
        },
      ];
    }
    const source = sources.find((each) => each.id === parseId('tool', use.tool));
    if (source === undefined) return [];
    const names = new Set(taken);
    return source.functions
      .filter((each) => use.only === undefined || use.only.includes(each.name))
      .map((each) => {
        const name = functionName([source.name, each.name], names);
        names.add(name);
        // Hints of an MCP server count once the operator trusts it; what HTTP itself promises of GET counts always.
        const believed = source.kind === 'openapi' || source.trusted;
        return {
          spec: { name, description: each.description, parameters: each.parameters },
          idempotent: (believed && each.idempotent) || (source.config.idempotent ?? []).includes(each.name),
          needsApproval: asks(believed && each.readOnly),
          call: (args, context) =>
            source.kind === 'openapi'
              ? this.#send(source, each, args, context)
              : this.#callMcp(source, each, args, context),
        };
      });
  }

  async #callMcp(
    source: ToolSource,
    each: SourceFunction,
    args: Record<string, unknown>,
    context: CallContext,
  ): Promise<CallResult> {
    const call = () =>
      this.#deps.pool.use(
        source,
        () => this.secretsOf(source),
        context.signal,
        (session) => session.call(each.name, args, context).then((outcome) => ({ outcome })),
      );
    try {
      return await call();
    } catch (error) {
      // A session the server has forgotten refuses the call before anything happens; the next one is new.
      if (error instanceof ToolNotCalled && !context.signal.aborted) return call();
      throw error;
    }
  }

  async #send(
    source: ToolSource,
    each: SourceFunction,
    args: Record<string, unknown>,
    context: CallContext,
  ): Promise<CallResult> {
    let request: ReturnType<typeof requestOf>;
    try {
      request = requestOf(each.http as NonNullable<SourceFunction['http']>, args);
    } catch (error) {
      throw new ToolNotCalled((error as Error).message, error);
    }
    const { url, ...init } = request;
    // What guards the request is not the model's to set.
    const headers = headersOf(init.headers, this.secretsOf(source), { 'idempotency-key': context.key });
    let response: Response;
    try {
      response = await this.#deps.egress.fetch(source.tenantId)(url, {
        ...init,
        headers,
        redirect: 'manual',
        signal: context.signal,
      });
    } catch (error) {
      if (neverSent(error)) throw new ToolNotCalled((error as Error).message, error);
      throw error;
    }
    const text = await boundedText(response, maxAnswerBytes);
    return said(response.ok ? text : `${response.status}: ${text}`, !response.ok);
  }
}
