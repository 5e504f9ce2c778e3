import { afterAll, afterEach, beforeAll } from 'vitest';

import type { Database } from '#kernel/database';
import { newId } from '#kernel/ids';
import {
  type AgentHouse,
  agentHouse,
  connectDouble,
  principalOf,
  startToolDouble,
  type ToolDouble,
  testCause,
} from '#test/agent-house';
import { type TestDatabase, testDatabase } from '#test/database';

type Runs = AgentHouse['module']['runs'];
type RunRequest = Parameters<Runs['runInForeground']>[0];
type Run = Awaited<ReturnType<Runs['getRun']>>;
type Definition = Extract<
  Parameters<AgentHouse['module']['agents']['createAgent']>[1]['definition'],
  { kind: 'native' }
>;

/** The ground that the tests of one file stand on: a database and a tool double, begun and ended with the file. */
export function agentGround() {
  let t: TestDatabase;
  let double: ToolDouble;
  const houses: AgentHouse[] = [];
  beforeAll(async () => {
    t = await testDatabase(16);
    double = await startToolDouble();
  });
  afterEach(async () => {
    await Promise.all(houses.splice(0).map((house) => house.close()));
    double.mode = 'ok';
    double.effects.clear();
    double.asked.length = 0;
  });
  afterAll(async () => {
    await double.close();
    await t.close();
  });
  const ground = {
    get db(): Database {
      return t.db;
    },
    get url(): string {
      return t.url;
    },
    get tools(): ToolDouble {
      return double;
    },
    /** An agents module of its own, closed after the test. */
    house(options: Parameters<typeof agentHouse>[1] = {}, db: Database = t.db): AgentHouse {
      const made = agentHouse(db, options);
      houses.push(made);
      return made;
    },
    /** A new tenant with an agent that may use the tool double and the built-ins. */
    async agentOf(of: AgentHouse, definition: Partial<Definition> = {}, name = 'support') {
      const tenantId = newId();
      const tool = await connectDouble(of, tenantId, double);
      const principal = principalOf(tenantId);
      const make = async (called: string, more: Partial<Definition>) => {
        const definition = { kind: 'native', instructions: 'Help.', model: 'double/m', ...more } as const;
        const agent = await of.module.agents.createAgent(tenantId, { name: called, definition }, testCause);
        const ask = (text: string, other: Partial<RunRequest> = {}): RunRequest => ({
          principal,
          agent: { agentId: agent.id, name: called, version: 1 },
          messages: [{ role: 'user', content: text }],
          callId: null,
          demo: false,
          ...other,
        });
        return { agent, ask };
      };
      const tools = [{ tool }, { tool: 'calculator' }, { tool: 'clock' }, { tool: 'lintel' }];
      return { tenantId, tool, principal, make, ...(await make(name, { tools, ...definition })) };
    },
    /** Lets the lease of a run that is driven end now, as if its holder had been silent for its time. */
    expire(run: Pick<Run, 'tenantId' | 'id'>): Promise<unknown> {
      return t.db.forTenant(run.tenantId, (tx) =>
        tx.execute(
          `UPDATE runs SET lease_expires_at = clock_timestamp() - interval '1 second'
           WHERE tenant_id = $1 AND id = $2 AND status = 'running'`,
          [run.tenantId, run.id],
        ),
      );
    },
    /** Drives in background what is free. */
    async driveFree(by: AgentHouse): Promise<void> {
      for (const run of await by.module.engine.claim(10)) await by.module.engine.drive(run);
    },
    /** Takes a run from whoever holds it, and drives it with all else that is free. */
    async takeOver(by: AgentHouse, run: Run): Promise<Run> {
      await ground.expire(run);
      await ground.driveFree(by);
      return by.module.runs.getRun(run.tenantId, run.id);
    },
  };
  return ground;
}

/** Waits until something is there; throws after 10 s. */
export async function until<T>(what: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const value = await what();
    if (value !== undefined && value !== false) return value as T;
    if (performance.now() > end) throw new Error('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
