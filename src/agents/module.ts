import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Egress } from '#kernel/egress';
import { EgressBlocked } from '#kernel/egress-url';
import type { LogFollower } from '#kernel/follower';
import type { Principal } from '#kernel/http';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import { invalidInput } from '#kernel/problem';
import type { Sealer } from '#kernel/seal';
import type { Snapshots } from '#kernel/snapshot';
import { AgentCalls } from './agent-calls.ts';
import { AgentDirectory } from './agent-directory.ts';
import { AgentManager } from './agent-manager.ts';
import { agentRoutes } from './agent-routes.ts';
import { ApprovalManager } from './approval-manager.ts';
import { approvalRoutes } from './approval-routes.ts';
import { settings } from './config.ts';
import { readMessages } from './conversation.ts';
import { agentEvents } from './events.ts';
import { type AllowedCommands, McpPool } from './mcp-pool.ts';
import { permissions } from './permissions.ts';
import type { BillingPort, CallApi, MeteringPort, ModelPort, QuotaPort } from './ports.ts';
import { agentProblems } from './problems.ts';
import { agentAsTool } from './run-child.ts';
import { RunEngine } from './run-engine.ts';
import type { Faults } from './run-journal.ts';
import { RunManager } from './run-manager.ts';
import { runRoutes } from './run-routes.ts';
import { RunBell } from './run-stream.ts';
import { RunWorker } from './run-worker.ts';
import { shownAgents } from './schemas.ts';
import { agentsForSnapshot } from './store.ts';
import { callSubscriber, childSubscriber, usageSubscriber } from './subscribers.ts';
import { agentTables } from './tables.ts';
import { ToolManager } from './tool-manager.ts';
import { toolRoutes } from './tool-routes.ts';
import { Toolbox } from './toolbox.ts';

export type { ChatResult } from './agent-calls.ts';
export type { CallApi } from './ports.ts';

/** The module's slice of the environment. */
export const agentSettings = settings;

export { readMessages };

/** What agents need of the house. */
export type AgentsDeps = {
  db: Pick<Doors, 'forTenant' | 'forService'>;
  snapshots: Snapshots;
  follower: Pick<LogFollower, 'listen'>;
  clock: Clock;
  log: Logger;
  sealer: Sealer;
  nodeId: string;
  egress: Pick<Egress, 'fetch' | 'check'>;
  // biome-ignore lint/suspicious/noExplicitAny: the port hands targets back to where they came from, unseen
  models: ModelPort<any>;
  quota: QuotaPort;
  billing: BillingPort;
  metering: MeteringPort;
  callApi: CallApi;
  /** The model of agents that name none; undefined where there is a choice. */
  defaultModel(tenantId: string): string | undefined;
  isDemo(tenantId: string): boolean;
  /** False for suspended tenants: their runs in background stand still. Absent: all are active. */
  isActive?(tenantId: string): boolean;
  /** Whether a principal still holds a permission: asked once a second of who follows a run. */
  mayStay(principal: Principal, permission: 'runs:read'): boolean;
  config: { commands: AllowedCommands; path: string; concurrency: number; toolTimeoutMs: number };
  /** For proofs: dies at named points of the journal. */
  faults?: Faults;
};

/** The module and what it offers others. */
export type AgentsModule = ReturnType<typeof createAgentsModule>;

/** Agents: their versions, tools and runs. */
export function createAgentsModule(deps: AgentsDeps) {
  const { db, clock, log, egress, sealer, metering } = deps;
  const { commands, path, concurrency, toolTimeoutMs } = deps.config;
  const directory = new AgentDirectory(
    deps.snapshots.define({
      name: 'agents',
      on: ['agents.agent.', 'agents.version.', 'agents.alias.'],
      load: async (tx, ids) => (await agentsForSnapshot(tx, ids)).map((agent) => [agent.id, agent] as const),
    }),
  );
  const checkAddress = async (tenantId: string, url: string) => {
    try {
      await egress.check(tenantId, url);
    } catch (error) {
      throw invalidInput('/url', error instanceof EgressBlocked ? error.message : `${url} cannot be found`);
    }
  };
  const pool = new McpPool({ egress, commands, path });
  const agents = new AgentManager({ db, clock, sealer, checkAddress, defaultModel: deps.defaultModel });
  const tools = new ToolManager({ db, clock, sealer, pool, egress, commands, checkAddress });
  const toolbox = new Toolbox({ db, pool, egress, sealer, clock, callApi: deps.callApi });
  const versionOf = agents.versionOf.bind(agents);
  const child = {
    db,
    now: () => clock.now().toString(),
    resolve: directory.resolve.bind(directory),
    quota: deps.quota,
    versionOf,
  };
  const engine = new RunEngine(
    {
      ...deps,
      isActive: deps.isActive ?? (() => true),
      toolbox,
      toolTimeoutMs,
      versionOf,
      secretsOf: agents.secretsOf.bind(agents),
    },
    (own, parent) => agentAsTool(child, own, parent),
  );
  const worker = new RunWorker({ engine, log, concurrency });
  const bell = new RunBell();
  const runs = new RunManager({ db, clock, engine, poke: () => worker.poke(), versionOf });
  const approvals = new ApprovalManager({ db, clock, poke: () => worker.poke() });
  const calls = new AgentCalls({ directory, agents, runs, bell, metering, quota: deps.quota, clock });
  const shared = {
    agents,
    tools,
    runs,
    approvals,
    calls,
    directory,
    bell,
    clock,
    isDemo: deps.isDemo,
    mayStay: deps.mayStay,
  };
  return {
    name: 'agents',
    tables: agentTables,
    events: agentEvents,
    problems: agentProblems,
    permissions,
    migrations: new URL('./migrations/', import.meta.url),
    routes: [...agentRoutes(shared), ...toolRoutes(shared), ...runRoutes(shared), ...approvalRoutes(shared)],
    subscribers: [usageSubscriber(metering), callSubscriber({ db, metering }), childSubscriber(runs)],
    start: async (role: 'front' | 'background') => {
      const unlisten = deps.follower.listen((events) => {
        for (const event of events) {
          if (event.subject.kind !== 'run') continue;
          bell.ring(event.subject.id);
          if (event.type === 'agents.run.queued' || event.type === 'agents.run.started') worker.poke();
        }
      });
      if (role === 'background') worker.start();
      return async () => {
        unlisten();
        await worker.stop();
        await pool.close();
      };
    },
    hurry: () => engine.handOver(),
    /** Agents of a tenant that a principal may call, for lists of models. */
    list: async (tenantId: string, allowed?: readonly string[]) =>
      shownAgents(agents, directory.list(tenantId, allowed)),
    /** An agent by id, of this tenant alone; undefined for any other. From memory. */
    byId: directory.byId.bind(directory),
    /** One call of an agent by OpenAI's protocol. */
    chat: calls.chat.bind(calls),
    agents,
    tools,
    runs,
    approvals,
    engine,
    worker,
  } satisfies Module & Record<string, unknown>;
}
