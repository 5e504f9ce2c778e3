import type { Context } from '#kernel/http';
import { Problem } from '#kernel/problem';
import type { PassThrough } from './pass-through.ts';
import type { GatewayPorts } from './ports.ts';
import { gatewayProblems } from './problems.ts';

/** An agent in the list of models. */
type ListedAgent = { name: string; createdAt: string; description: string; kind: string; engine: string | null };

/** How a call to an agent under OpenAI's protocol is served: by the agents' side of the gateway. */
export type AgentCalls = {
  /** Serves one chat completion by an agent (`name` or `name@version`); writes the answer itself. */
  serve(context: Context, agent: string): Promise<void>;
  /** Agents that the caller may name as models. */
  list(context: Context): Promise<readonly ListedAgent[]>;
};

/** The API gateway: one way in for OpenAI's protocol, to models and to agents. */
export class APIGateway {
  readonly #ports: Pick<GatewayPorts, 'list'>;
  readonly #passThrough: PassThrough;
  readonly #agents: AgentCalls;

  constructor(deps: { ports: Pick<GatewayPorts, 'list'>; passThrough: PassThrough; agents: AgentCalls }) {
    this.#ports = deps.ports;
    this.#passThrough = deps.passThrough;
    this.#agents = deps.agents;
  }

  /** Serves a call by what its `model` names: `agent/name[@version]`, or `provider/model`. 404 names the two forms otherwise. */
  async routeRequest(context: Context, path: 'chat/completions' | 'embeddings'): Promise<void> {
    const { model } = context.body as { model: string };
    const slash = model.indexOf('/');
    if (slash <= 0 || slash === model.length - 1) {
      throw new Problem(gatewayProblems.modelForm, {
        detail: `There is no model "${model.slice(0, 100)}": write "provider/model" or "agent/name[@version]"; GET /v1/models lists what this key may use.`,
        param: 'model',
      });
    }
    if (model.slice(0, slash) !== 'agent') return this.#passThrough.serve(context, path);
    if (path === 'embeddings')
      throw new Problem(gatewayProblems.modelForm, { detail: 'An agent makes no embeddings.', param: 'model' });
    return this.#agents.serve(context, model.slice(slash + 1));
  }

  /** What the caller may write as `model`, in OpenAI's form. */
  async listModels(context: Context) {
    const { principal, tenantId } = context;
    const models = this.#ports.list(tenantId, principal.mode).map((model) => ({
      id: model.id,
      object: 'model' as const,
      created: model.created,
      owned_by: model.ownedBy,
      lintel: {
        kind: model.kind,
        engine: model.engine,
        contextTokens: model.contextTokens,
        maxOutputTokens: model.maxOutputTokens,
        cheap: model.cheap,
      },
    }));
    const agents = (await this.#agents.list(context)).map((agent) => ({
      id: `agent/${agent.name}`,
      object: 'model' as const,
      created: Math.floor(Date.parse(agent.createdAt) / 1000),
      owned_by: 'tenant',
      lintel: {
        kind: 'agent',
        agentKind: agent.kind,
        engine: agent.engine,
        description: agent.description,
      },
    }));
    return { object: 'list' as const, data: [...agents, ...models] };
  }
}
