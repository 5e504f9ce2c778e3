import { expect, test } from 'vitest';

import type { TraceStep } from '#kernel/http';
import { newId } from '#kernel/ids';
import { agentGround, until } from '#test/agent-ground';
import { type AgentHouse, deliver, principalOf, testCause } from '#test/agent-house';
import type { NativeDefinition } from './definitions.ts';
import type { Run } from './runs.ts';

const ground = agentGround();
const { house, takeOver } = ground;

/** A tenant with an agent `helper`, and calls of it as the gateway makes them. */
async function tenantOf(of: AgentHouse, definition: Partial<NativeDefinition> = {}) {
  const made = await ground.agentOf(of, definition, 'helper');
  const { tenantId } = made;
  const call = (by: AgentHouse, text: string, more: object = {}, reference = 'helper') => {
    const callId = newId();
    const done = by.module.chat(
      {
        callId,
        principal: principalOf(tenantId, { kind: 'key' }),
        origin: { ip: '10.0.0.1', client: 'test' },
        trace: [{ step: 'authenticate', outcome: 'pass', us: 1, detail: { kind: 'key' } }],
        stream: false,
        demo: false,
        startedAt: Temporal.Now.instant(),
        ...more,
      },
      reference,
      { messages: [{ role: 'user', content: text }] },
    );
    return { callId, done };
  };
  const run = async (): Promise<Run> => (await of.module.runs.listRuns(tenantId, {}, 1)).data[0] as Run;
  return { ...made, call, run };
}

const short = (trace: readonly TraceStep[]) =>
  trace.map(({ step, outcome, detail }) => [step, outcome, detail['name'] ?? detail['status'] ?? detail['kind']]);

test('the row of a call says which agent, what each step set aside and used, and what they come to', async () => {
  const h = house();
  const { agent, call } = await tenantOf(h);
  await call(h, 'call:calculator {"expression":"6*7"} then call:t_effect {"body":{"n":1}}').done;
  expect(h.callRows).toHaveLength(1);
  const [row] = h.callRows;
  expect(row).toMatchObject({
    status: 'ok',
    model: 'agent/helper@1',
    agentId: agent.id,
    agentVersion: 1,
    quantities: { requests: 3, input_tokens: 30, output_tokens: 15 },
    price: '0.07',
    currency: 'USD',
    cost: '0.003',
  });
  expect(short(row?.trace ?? [])).toEqual([
    ['authenticate', 'pass', 'key'],
    ['model', 'pass', 'double/m'],
    ['tool', 'pass', 'calculator'],
    ['model', 'pass', 'double/m'],
    ['tool', 'pass', 't_effect'],
    ['model', 'pass', 'double/m'],
    ['run', 'pass', 'finished'],
  ]);
  const models = (row?.trace ?? []).filter(({ step }) => step === 'model');
  for (const { detail } of models) {
    expect(detail).toMatchObject({ used: { tokens: 15, money: '0.020' }, reserved: { tokens: expect.any(Number) } });
  }
  const tokens = models.map(({ detail }) => (detail['reserved'] as { tokens: number }).tokens);
  expect(tokens).toEqual(h.quota.reserved.map(Number));
  expect(row?.reserved?.tokens).toBe(tokens.reduce((sum, each) => sum + each, 0));
  expect(Number(row?.reserved?.money)).toBeGreaterThan(Number(row?.price));
});

test('what an agent asked as a tool used is part of the row', async () => {
  const h = house();
  const { call, make } = await tenantOf(h);
  await make('boss', { tools: [{ tool: 'agent/helper' }] });
  await call(h, 'call:ask_helper {"message":"hello"}', {}, 'boss').done;
  const [row] = h.callRows;
  expect(row).toMatchObject({ model: 'agent/boss@1', quantities: { requests: 3, input_tokens: 30 }, cost: '0.003' });
  expect(row?.reserved?.tokens).toBe(h.quota.reserved.map(Number).reduce((sum, each) => sum + each, 0));
  expect(row?.trace.find(({ step }) => step === 'tool')?.detail).toMatchObject({
    name: 'ask_helper',
    used: { tokens: 15, money: '0.02' },
  });
});

test('a run whose front died gets its row from the log: one, however often it is told, and what the front door decided', async () => {
  let crash = true;
  const a = house({
    faults: (point, { kind }) => {
      if (crash && point === 'after-commit' && kind === 'tool') throw new Error('crash');
    },
  });
  const b = house();
  const { call, run, tenantId } = await tenantOf(a);
  const made = call(a, 'call:t_keep {"body":{"n":1}}');
  await made.done;
  crash = false;
  expect(a.callRows).toEqual([]);
  await deliver(ground.db, b, tenantId);
  expect(b.callRows).toEqual([]);
  await takeOver(b, await run());
  expect((await run()).status).toBe('finished');
  await deliver(ground.db, b, tenantId);
  await deliver(ground.db, b, tenantId);
  expect(b.callRows).toHaveLength(1);
  expect(b.callRows[0]).toMatchObject({
    id: made.callId,
    status: 'ok',
    httpStatus: 200,
    principalKind: 'key',
    origin: { ip: '10.0.0.1', client: 'test' },
    quantities: { requests: 2, input_tokens: 20 },
    price: '0.05',
  });
  expect(short(b.callRows[0]?.trace ?? []).map(([step]) => step)).toEqual([
    'authenticate',
    'model',
    'tool',
    'model',
    'run',
  ]);
});

test('a front that is killed when the run has ended, before the row, leaves it to the log; a row that is there stays', async () => {
  const [a, b] = [house(), house()];
  const { call, tenantId } = await tenantOf(a);
  await call(a, 'hello').done;
  const [own] = a.callRows.splice(0);
  await deliver(ground.db, b, tenantId);
  expect(b.callRows).toHaveLength(1);
  const { endedAt: _a, ...fromFront } = own as (typeof a.callRows)[number];
  const { endedAt: _b, ...fromLog } = b.callRows[0] as (typeof a.callRows)[number];
  expect(fromLog).toEqual(fromFront);
  await call(b, 'hello').done;
  await deliver(ground.db, b, tenantId);
  expect(b.callRows).toHaveLength(2);
});

test('a run that failed, and one that its client left, tell so in their rows', async () => {
  const h = house();
  const { call } = await tenantOf(h, { guardrails: { maxSteps: 1 } });
  await expect(call(h, 'call:calculator {"expression":"1"}').done).rejects.toThrow(/maxSteps/);
  expect(h.callRows.at(-1)).toMatchObject({
    status: 'failed',
    httpStatus: 422,
    error: { code: 'guardrail-reached' },
    quantities: { requests: 1 },
  });
  const client = new AbortController();
  h.model.before = ({ abortSignal }) => {
    client.abort();
    return Promise.reject(abortSignal?.reason);
  };
  await expect(call(h, 'hello', { signal: client.signal }).done).rejects.toThrow(/gone/);
  expect(h.callRows.at(-1)).toMatchObject({ status: 'cancelled', httpStatus: 499 });
});

test.each([
  ['goes on after a person’s yes', true],
  ['is cancelled while it waits', false],
])('a run that %s: its rows add up to what it used', async (_how, approved) => {
  const [a, b] = [house(), house()];
  const { call, run, tenantId } = await tenantOf(a);
  const { callId, done } = call(a, 'call:lintel_write {"method":"POST","path":"/v1/x"}');
  expect((await done).run.status).toBe('waiting');
  await deliver(ground.db, a, tenantId);
  expect(a.callRows).toMatchObject([{ id: callId, quantities: { requests: 1, input_tokens: 10 }, price: '0.02' }]);
  const { id } = await run();
  const [approval] = await a.module.approvals.pendingApprovals(tenantId, id);
  const yes = { approved: true, note: undefined };
  if (approved) await a.module.approvals.decideApproval(tenantId, approval?.id ?? '', yes, testCause);
  else await a.module.runs.cancelRun(tenantId, id, testCause);
  await ground.driveFree(b);
  await deliver(ground.db, a, tenantId);
  await deliver(ground.db, a, tenantId);
  expect(a.callRows).toHaveLength(2);
  expect(short(a.callRows[1]?.trace ?? []).map(([step]) => step)).toEqual(
    approved ? ['call', 'model', 'approval', 'tool', 'model', 'run'] : ['call', 'model', 'approval', 'run'],
  );
  expect(a.callRows[1]).toMatchObject(
    approved
      ? {
          id,
          status: 'ok',
          quantities: { requests: 1, input_tokens: 10, output_tokens: 5 },
          price: '0.03',
          cost: '0.001',
        }
      : { id, status: 'cancelled', quantities: {}, price: '0', cost: '0' },
  );
  const whole = await run();
  const sum = a.callRows.reduce((all, row) => all + Number(row.price), 0);
  expect(sum).toBeCloseTo(Number(whole.money), 9);
});

test('a client whose run is taken over is told where it stands in the end, not where it was lost', async () => {
  const [a, b] = [house(), house()];
  const { call, run, tenantId } = await tenantOf(a);
  let release: () => void = () => undefined;
  const hold = () => {
    a.model.calls = 0;
    a.model.before = () =>
      new Promise((resolve) => {
        release = resolve;
      });
  };
  hold();
  const steps: string[] = [];
  const listener = { onStep: (step: { kind: string; status: string }) => steps.push(`${step.kind} ${step.status}`) };
  const waits = call(a, 'call:lintel_write {"method":"POST","path":"/v1/x"}', { listener });
  await until(async () => a.model.calls === 1);
  await takeOver(b, await run());
  expect((await run()).status).toBe('waiting');
  release();
  expect((await waits.done).run.status).toBe('waiting');
  expect(steps).toEqual(['model done', 'approval pending']);
  hold();
  const texts: string[] = [];
  const answers = call(a, 'hello', { listener: { onText: (delta: string) => texts.push(delta) } });
  await until(async () => a.model.calls === 1);
  await takeOver(b, await run());
  release();
  expect((await answers.done).message?.content).toBe('You said: hello');
  expect(texts.join('')).toBe('You said: hello');
  await deliver(ground.db, b, tenantId);
  expect([...a.callRows, ...b.callRows].map(({ id }) => id).sort()).toEqual(
    [waits.callId, waits.callId, answers.callId, answers.callId].sort(),
  );
});

test('a client that leaves while another engine has its run ends it there', async () => {
  const [a, b] = [house(), house()];
  const { call, run } = await tenantOf(a);
  const stall = ({ abortSignal }: { abortSignal?: AbortSignal }) =>
    new Promise<void>((_, reject) => abortSignal?.addEventListener('abort', () => reject(abortSignal.reason)));
  a.model.before = stall;
  b.model.before = stall;
  const client = new AbortController();
  const { done } = call(a, 'hello', { signal: client.signal });
  const ended = done.catch((error: Error) => error);
  await until(async () => a.model.calls === 1);
  const taken = takeOver(b, await run());
  await until(async () => b.model.calls === 1);
  client.abort();
  await taken;
  expect((await run()).status).toBe('cancelled');
  expect(String(await ended)).toMatch(/Ended by the caller/);
});

test('an agent whose requests per second are spent is not called; a key that may not call it takes none of them', async () => {
  const h = house();
  const { agent, tenantId, call } = await tenantOf(h);
  h.quota.busy.add(agent.id);
  await expect(call(h, 'hello').done).rejects.toMatchObject({ kind: { type: 'rate-limited', status: 429 } });
  const cut = principalOf(tenantId, { kind: 'key', agents: [newId()] });
  await expect(call(h, 'hello', { principal: cut }).done).rejects.toMatchObject({
    kind: { type: 'agent-not-allowed' },
  });
  expect((await h.module.runs.listRuns(tenantId, {}, 1)).data).toEqual([]);
});

test('an agent that asks one whose requests per second are spent is told so, and goes on', async () => {
  const h = house();
  const of = await tenantOf(h);
  const boss = await of.make('boss', { tools: [{ tool: 'agent/helper' }] });
  h.quota.busy.add(of.agent.id);
  const { run } = await h.module.runs.runInForeground(boss.ask('call:ask_helper {"message":"hello"}'));
  expect(run).toMatchObject({ status: 'finished', output: { text: 'Done: Too many requests per second.' } });
  expect(h.model.calls).toBe(2);
});
