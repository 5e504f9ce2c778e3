import { expect, test } from 'vitest';

import type { Database } from '#kernel/database';
import { agentGround } from '#test/agent-ground';
import { deliver, eventsOf, testCause } from '#test/agent-house';
import type { Run, Step } from './runs.ts';

const ground = agentGround();
const { house, agentOf, takeOver } = ground;

const brief = (steps: readonly Step[]) => steps.map((step) => `${step.seq} ${step.kind} ${step.status}`);

test('calls of one step are made at the same time, eight at most; their steps stand in the order of the calls', async () => {
  const waiting: { path: string; done: () => void }[] = [];
  let most = 0;
  let under = 0;
  const h = house({
    callApi: async (_principal, _method, path) => {
      most = Math.max(most, ++under);
      await new Promise<void>((done) => {
        waiting.push({ path, done });
        // The first eight end when all are there, the last first.
        if (waiting.length === 8) for (const each of waiting.toReversed()) each.done();
        else if (waiting.length > 8) done();
      });
      under--;
      return { status: 200, body: { path } };
    },
  });
  const { tenantId, ask } = await agentOf(h, { tools: [{ tool: 'lintel' }] });
  const text = Array.from({ length: 12 }, (_, i) => `call:lintel_read {"path":"/v1/x${i}"}`).join('&');
  const { run, steps } = await h.module.runs.runInForeground(ask(text));
  expect(run.status).toBe('finished');
  expect(most).toBe(8);
  expect(waiting.map(({ path }) => path)).toEqual(Array.from({ length: 12 }, (_, i) => `/v1/x${i}`));
  expect(steps.map((step) => [step.seq, step.ofCall])).toEqual([
    [0, null],
    ...Array.from({ length: 12 }, (_, i) => [i + 1, i]),
    [13, null],
  ]);
  expect(await h.module.runs.getSteps(tenantId, run.id)).toEqual(steps);
  expect([...(run.output?.text.matchAll(/x(\d+)/g) ?? [])].map(([, n]) => Number(n))).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
  ]);
  const told = (await eventsOf(ground.db, tenantId)).filter(({ type }) => type === 'agents.step.finished');
  expect(told.map(({ data }) => data?.['seq']).sort((a, b) => Number(a) - Number(b))).toEqual(
    Array.from({ length: 14 }, (_, seq) => seq),
  );
});

test('of an answer that asks for more calls than any agent needs the first 128 are made', async () => {
  const h = house();
  const { ask } = await agentOf(h);
  const sums = Array.from({ length: 300 }, (_, i) => `call:calculator {"expression":"${i}+0"}`);
  const { run, steps } = await h.module.runs.runInForeground(ask(sums.join('&')));
  expect([run.status, steps.length]).toEqual(['finished', 130]);
  expect(run.output?.text).toMatch(/; 127$/);
});

test('a crash with calls under way: those that may be repeated are, each other goes before a person, one after the other', async () => {
  let arrived = 0;
  const all = Promise.withResolvers<void>();
  const crash = house({
    // All four have happened before the first outcome is kept.
    faults: (point, { kind }) => {
      if (point !== 'after-effect' || kind !== 'tool') return;
      if (++arrived === 4) all.reject(new Error('crash'));
      return all.promise;
    },
  });
  const b = house();
  const { tenantId, ask } = await agentOf(crash);
  const text = 'call:t_effect {"body":{"n":1}}&call:t_keep {"body":{"n":2}}&call:t_effect {"body":{"n":3}}&call:t_keep';
  const halted = await crash.module.runs.runInForeground(ask(text));
  expect(halted.halted).toBe('crash');
  let run = await takeOver(b, halted.run);
  expect(run.status).toBe('needs_review');
  expect(brief(await b.module.runs.getSteps(tenantId, run.id))).toEqual([
    '0 model done',
    '1 tool intent',
    '2 tool done',
    '3 tool intent',
    '4 tool done',
  ]);
  for (const said of ['first', 'second']) {
    expect(run.status).toBe('needs_review');
    await b.module.runs.reviewRun(tenantId, run.id, { decision: 'result', result: said }, testCause);
    run = await takeOver(b, run);
  }
  expect(run.output?.text).toMatch(/^Done: first; .*; second; /);
  const steps = await b.module.runs.getSteps(tenantId, run.id);
  expect(steps.map((step) => ground.tools.effects.get(step.idempotencyKey ?? '') ?? 0)).toEqual([0, 1, 2, 1, 2, 0]);
});

test('a call in doubt does not stop those beside it', async () => {
  const h = house({ toolTimeoutMs: 2_000 });
  const { tenantId, ask } = await agentOf(h);
  ground.tools.mode = 'cut';
  const { run } = await h.module.runs.runInForeground(
    ask('call:t_effect {"body":{"n":1}}&call:calculator {"expression":"6*7"}&call:t_effect {"body":{"n":2}}'),
  );
  expect(run.status).toBe('needs_review');
  expect(brief(await h.module.runs.getSteps(tenantId, run.id))).toEqual([
    '0 model done',
    '1 tool intent',
    '2 tool done',
    '3 tool intent',
  ]);
  expect(ground.tools.asked).toHaveLength(2);
});

test('agents asked in one step take turns: what one used counts for the next', async () => {
  const h = house();
  const { tenantId, agent, make } = await agentOf(h);
  const boss = await make('boss', { tools: [{ tool: 'agent/support' }], guardrails: { maxTokens: 5_000 } });
  let under = 0;
  h.model.before = async () => {
    expect(++under).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    under--;
  };
  const { run } = await h.module.runs.runInForeground(
    boss.ask('call:ask_support {"message":"one"}&call:ask_support {"message":"two"}'),
  );
  expect(run).toMatchObject({ status: 'finished', tokens: 60 });
  const { data } = await h.module.runs.listRuns(tenantId, { agentId: agent.id }, 10);
  const given = data.map(({ guardrails }) => guardrails.maxTokens ?? 0).sort((x, y) => y - x);
  expect(given).toEqual([5_000 - 15, 5_000 - 30]);
});

test('whoever finds the first of several approvals finds the run waiting for it: it can be answered at once', async () => {
  const found: unknown[] = [];
  const b = house();
  const a = house({
    faults: async (point, { kind, runId }) => {
      if (point !== 'after-commit' || kind !== 'approval') return;
      const [first] = await b.module.approvals.pendingApprovals(tenantId, runId);
      if (first === undefined) return;
      const yes = { approved: true, note: undefined };
      found.push(
        await b.module.approvals.decideApproval(tenantId, first.id, yes, testCause).then(
          ({ status }) => status,
          (error: Error) => error.message,
        ),
      );
    },
  });
  const { ask, tenantId } = await agentOf(a, { tools: [{ tool: 'lintel' }] });
  const write = (path: string) => `call:lintel_write {"method":"POST","path":"${path}"}`;
  const { run } = await a.module.runs.runInForeground(ask(`${write('/v1/a')}&${write('/v1/b')}`));
  expect(found).toEqual(['approved', 'approved']);
  expect((await takeOver(b, run)).status).toBe('finished');
});

/** A database that counts transactions and statements. */
function counted(): { db: Database; count: { transactions: number; statements: number } } {
  const count = { transactions: 0, statements: 0 };
  const db = new Proxy(ground.db, {
    get: (target, name) => {
      if (name !== 'forTenant') {
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (tenantId: string, work: Parameters<Database['forTenant']>[1]) => {
        count.transactions++;
        return target.forTenant(tenantId, (tx) =>
          work(
            new Proxy(tx, {
              get: (inner, method) => {
                count.statements++;
                return Reflect.get(inner, method);
              },
            }),
          ),
        );
      };
    },
  });
  return { db, count };
}

test('what a step costs: one statement in one transaction for an answer with the intents of its calls, and one for their outcomes', async () => {
  const { db, count } = counted();
  let asked = 0;
  const callApi = async () => {
    // Each answer comes a little after the one before, all in one turn of the event loop.
    for (let n = 50 * (++asked % 8); n > 0; n--) await null;
    return { status: 200, body: {} };
  };
  const h = house({ callApi }, db);
  const { ask, tenantId } = await agentOf(h);
  const costOf = async (text: string) => {
    const before = { ...count };
    const { run } = await h.module.runs.runInForeground(ask(text));
    expect(run.status).toBe('finished');
    return { transactions: count.transactions - before.transactions, statements: count.statements - before.statements };
  };
  // The agent's version is read once; then: the tools are read, the run begins, the answer ends it.
  await costOf('hello');
  const bare = await costOf('hello');
  const sums = (n: number) => Array.from({ length: n }, (_, i) => `call:calculator {"expression":"${i}+1"}`);
  const more = async (text: string) => {
    const { transactions, statements } = await costOf(text);
    return [transactions - bare.transactions, statements - bare.statements];
  };
  expect(await more(sums(1).join('&'))).toEqual([2, 2]);
  expect(await more(sums(8).join('&'))).toEqual([2, 2]);
  expect(await more(sums(20).join('&'))).toEqual([4, 4]);
  expect(await more(sums(3).join(' then '))).toEqual([6, 6]);
  const reads = Array.from({ length: 20 }, (_, i) => `call:lintel_read {"path":"/v1/x${i}"}`);
  expect(await more(reads.join('&'))).toEqual([4, 4]);
  expect((await deliver(ground.db, h, tenantId)).filter(({ type }) => type === 'agents.run.finished')).toHaveLength(7);
});

test('one tenant’s thousand queued runs do not keep another’s one waiting', async () => {
  const h = house();
  const [many, one] = [await agentOf(h), await agentOf(h)];
  const first = await h.module.runs.runInBackground(many.ask('hello'));
  await ground.db.forTenant(many.tenantId, (tx) =>
    tx.execute(
      `INSERT INTO runs (tenant_id, id, fence, status, agent_id, agent_version, agent_name, input, mode, demo, principal, guardrails,
         foreground, path, available_at, created_at)
       SELECT tenant_id, gen_random_uuid(), 0, 'queued', agent_id, agent_version, agent_name, input, mode, demo, principal, guardrails,
         foreground, path, available_at - n * interval '1 millisecond', created_at
       FROM runs, generate_series(1, 999) n WHERE tenant_id = $1 AND id = $2`,
      [many.tenantId, first.id],
    ),
  );
  await h.module.runs.runInBackground(one.ask('hello'));
  await h.module.runs.runInBackground(one.ask('hello'));
  const tenants = async (limit: number) =>
    (await h.module.engine.claim(limit)).map(({ tenantId }) => (tenantId === one.tenantId ? 'one' : 'many')).sort();
  expect(await tenants(3)).toEqual(['many', 'many', 'one']);
  // Two of the other's are under way: the next one free is not its third, though all of its are older.
  expect(await tenants(1)).toEqual(['one']);
  expect(await tenants(2)).toEqual(['many', 'many']);
  const late = await agentOf(h);
  await h.module.runs.runInBackground(late.ask('hello'));
  expect((await h.module.engine.claim(1)).map(({ tenantId }) => tenantId)).toEqual([late.tenantId]);
});

test('of a tenant’s own runs the oldest is taken first, and one whose holder fell silent before all', async () => {
  const h = house();
  await h.module.engine.claim(1_100);
  const { tenantId, ask } = await agentOf(h);
  const queued: Run[] = [];
  for (let n = 0; n < 3; n++) queued.push(await h.module.runs.runInBackground(ask('hello')));
  expect((await h.module.engine.claim(1)).map(({ id }) => id)).toEqual([queued[0]?.id]);
  await ground.db.forTenant(tenantId, (tx) =>
    tx.execute(
      `UPDATE runs SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE tenant_id = $1 AND id = $2`,
      [tenantId, queued[0]?.id],
    ),
  );
  const again = await h.module.engine.claim(2);
  expect(again.map(({ id, fence }) => [id, fence]).sort()).toEqual(
    [
      [queued[0]?.id, 2],
      [queued[1]?.id, 1],
    ].sort(),
  );
});

test('two engines that claim at once take different runs', async () => {
  const [a, b] = [house(), house()];
  await a.module.engine.claim(1_100);
  const { ask } = await agentOf(a);
  await Promise.all(Array.from({ length: 12 }, () => a.module.runs.runInBackground(ask('hello'))));
  const taken = (await Promise.all([a.module.engine.claim(6), b.module.engine.claim(6)])).flat().map(({ id }) => id);
  expect(new Set(taken).size).toBe(taken.length);
  expect(taken.length).toBeGreaterThanOrEqual(6);
});
