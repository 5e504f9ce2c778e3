import { expect, test } from 'vitest';

import type { Database } from '#kernel/database';
import { Problem, problems } from '#kernel/problem';
import { agentGround, until } from '#test/agent-ground';
import { deliver, testCause } from '#test/agent-house';
import type { ToolUse } from './definitions.ts';
import type { Run, Step } from './runs.ts';

const ground = agentGround();
const { house, agentOf, driveFree, expire } = ground;

const helped = [{ tool: 'agent/support' }];
const brief = (steps: readonly Step[]) => steps.map((step) => `${step.seq} ${step.tool ?? step.kind} ${step.status}`);

/** Lasts until it is aborted. */
const untilAborted = ({ abortSignal }: { abortSignal?: AbortSignal }) =>
  new Promise<void>((_, reject) => abortSignal?.addEventListener('abort', () => reject(abortSignal.reason)));

test('a process that lets go of its runs lets go of those that agents asked for as well', async () => {
  const [a, b] = [house(), house()];
  const { make, tenantId } = await agentOf(a);
  const boss = await make('boss', { tools: helped });
  let asked = 0;
  a.model.before = (request) => (++asked === 1 ? undefined : untilAborted(request));
  const driven = a.module.runs.runInForeground(boss.ask('call:ask_support {"message":"hello"}'));
  await until(async () => asked === 2);
  a.module.engine.handOver();
  const { run } = await driven;
  await a.module.engine.drain();
  const states = async () =>
    (await a.module.runs.listRuns(tenantId, {}, 10)).data.map(({ agentName, status }) => `${agentName} ${status}`);
  expect(await states()).toEqual(['support queued', 'boss queued']);
  await until(async () => {
    await driveFree(b);
    return (await b.module.runs.getRun(tenantId, run.id)).status === 'finished';
  });
  expect((await b.module.runs.getRun(tenantId, run.id)).output?.text).toBe('Done: You said: hello');
});

test('an engine that lost a run to itself gives the old drive up', async () => {
  const h = house();
  const { ask, tenantId } = await agentOf(h);
  let lost: unknown;
  h.model.before = (request) =>
    untilAborted(request).catch((reason: unknown) => {
      lost = reason;
      throw reason;
    });
  const first = h.module.runs.runInForeground(ask('hello'));
  await until(async () => h.model.calls === 1);
  const [run] = (await h.module.runs.listRuns(tenantId, {}, 1)).data;
  await expire(run as Run);
  const [again] = await h.module.engine.claim(1);
  h.model.before = () => undefined;
  const second = await h.module.engine.drive(again as Run);
  expect(second.run.status).toBe('finished');
  expect(String(lost)).toMatch(/deposed/);
  expect((await first).halted).toBe('deposed');
});

test('a review is about the call in doubt, not about an agent beside it that has not ended', async () => {
  const [a, b] = [house({ toolTimeoutMs: 2_000 }), house()];
  const { make, tool, tenantId } = await agentOf(a);
  const boss = await make('boss', { tools: [...helped, { tool }] satisfies ToolUse[] });
  ground.tools.mode = 'cut';
  const inner = 'call:lintel_write {\\"method\\":\\"POST\\",\\"path\\":\\"/v1/x\\"}';
  const { run } = await a.module.runs.runInForeground(
    boss.ask(`call:ask_support {"message":"${inner}"}&call:t_effect {"body":{"n":1}}`),
  );
  expect(run.status).toBe('needs_review');
  await a.module.runs.reviewRun(tenantId, run.id, { decision: 'result', result: 'it was done' }, testCause);
  expect(brief(await a.module.runs.getSteps(tenantId, run.id))).toEqual([
    '0 model done',
    '1 ask_support intent',
    '2 t_effect done',
  ]);
  await driveFree(b);
  expect((await b.module.runs.getRun(tenantId, run.id)).status).toBe('waiting');
  const [approval] = (await b.module.approvals.listApprovals(tenantId, { status: 'pending' }, 10)).data;
  await b.module.approvals.decideApproval(tenantId, approval?.id ?? '', { approved: true, note: undefined }, testCause);
  await until(async () => {
    await driveFree(b);
    return (await b.module.runs.getRun(tenantId, run.id)).status === 'finished';
  });
  expect((await b.module.runs.getRun(tenantId, run.id)).output?.text).toMatch(/it was done$/);
});

/** A database that is away when told so. */
function leaving(): { db: Database; away: boolean; refused: number } {
  const state = {
    away: false,
    refused: 0,
    db: new Proxy(ground.db, {
      get: (db, name) => {
        const value = Reflect.get(db, name);
        if (typeof value !== 'function') return value;
        if (name !== 'forTenant' && name !== 'forService') return value.bind(db);
        return (...args: unknown[]) => {
          if (!state.away) return Reflect.apply(value, db, args);
          state.refused++;
          return Promise.reject(new Problem(problems.unavailable, { detail: 'away' }));
        };
      },
    }),
  };
  return state;
}

test('a database that is away for a moment is waited for where an agent is asked', async () => {
  const place = leaving();
  const h = house(
    {
      faults: (point, { kind }) => {
        if (point !== 'after-intent' || kind !== 'tool') return;
        place.away = true;
        setTimeout(() => {
          place.away = false;
        }, 300);
      },
    },
    place.db,
  );
  const { make } = await agentOf(h);
  const boss = await make('boss', { tools: helped });
  const { run } = await h.module.runs.runInForeground(boss.ask('call:ask_support {"message":"hello"}'));
  expect(run.output?.text).toBe('Done: You said: hello');
});

test('a model call that a process lets go of is asked again elsewhere, and billed once', async () => {
  const [a, b] = [house(), house()];
  const { ask, tenantId } = await agentOf(a);
  const cut = Object.assign(new Problem({ type: 'cancelled', status: 499, title: 'Cut.' }), {
    used: { input_tokens: 10, output_tokens: 1 },
  });
  a.model.before = (request) => untilAborted(request).catch(() => Promise.reject(cut));
  const driven = a.module.runs.runInForeground(ask('hello'));
  await until(async () => a.model.calls === 1);
  a.module.engine.handOver();
  const { run } = await driven;
  expect(run.status).toBe('queued');
  await driveFree(b);
  await deliver(ground.db, b, tenantId);
  expect(await b.module.runs.getRun(tenantId, run.id)).toMatchObject({ status: 'finished', tokens: 15 });
  expect([...b.usage.values()].map(({ type, price }) => [type, price])).toEqual([
    ['model.call', '0.020'],
    ['agent.run', '0.010'],
  ]);
  expect(a.quota.open).toBe(0);
});

test('a guardrail of money holds for all that a run costs, its own price as well', async () => {
  const h = house();
  const { ask } = await agentOf(h, { tools: [], guardrails: { maxMoney: '0.025', maxOutputTokens: 1 } });
  const { run, problem } = await h.module.runs.runInForeground(ask('hello'));
  expect([run.status, problem?.kind.type, h.model.calls]).toEqual(['failed', 'guardrail-reached', 0]);
});

test('a database that was away does not make others’ runs lost: their holders could not renew a lease either', async () => {
  const place = leaving();
  const [a, b] = [house(), house({}, place.db)];
  const { ask, tenantId } = await agentOf(a);
  a.model.before = untilAborted;
  const held = a.module.runs.runInForeground(ask('hello'));
  await until(async () => a.model.calls === 1);
  const [run] = (await a.module.runs.listRuns(tenantId, {}, 1)).data as [Run];
  const stop = await b.module.start('background');
  place.away = true;
  b.module.worker.poke();
  await until(async () => place.refused > 0);
  await expire(run);
  place.away = false;
  const queued = await b.module.runs.runInBackground(ask('in background'));
  await until(async () => (await b.module.runs.getRun(tenantId, queued.id)).status === 'finished');
  expect(await b.module.runs.getRun(tenantId, run.id)).toMatchObject({ status: 'running', fence: run.fence });
  await stop();
  a.module.engine.cancel(run.id);
  expect((await held).run.status).toBe('cancelled');
});

test('an agent that was asked ends with the run that asked it: nobody is left to answer for', async () => {
  const h = house({ toolTimeoutMs: 2_000 });
  const { make, tool, tenantId } = await agentOf(h);
  const boss = await make('boss', { tools: [...helped, { tool }] satisfies ToolUse[] });
  const chief = await make('chief', { tools: [{ tool: 'agent/boss' }] });
  const write = 'call:lintel_write {"method":"POST","path":"/v1/x"}';
  const asks = (agent: string, text: string) => `call:ask_${agent} ${JSON.stringify({ message: text })}`;
  const open = async () =>
    (await h.module.runs.listRuns(tenantId, {}, 20)).data
      .filter(({ status }) => status !== 'cancelled' && status !== 'failed')
      .map(({ agentName, status }) => `${agentName} ${status}`);
  ground.tools.mode = 'cut';
  const asked = await h.module.runs.runInForeground(boss.ask(`${asks('support', write)}&call:t_effect`));
  expect(await open()).toEqual(['support waiting', 'boss needs_review']);
  await h.module.runs.reviewRun(tenantId, asked.run.id, { decision: 'fail' }, testCause);
  await deliver(ground.db, h, tenantId);
  expect(await open()).toEqual([]);
  const { run } = await h.module.runs.runInForeground(chief.ask(asks('boss', asks('support', write))));
  expect(await open()).toEqual(['support waiting', 'boss waiting', 'chief waiting']);
  await h.module.runs.cancelRun(tenantId, run.id, testCause);
  // Each end tells of itself.
  for (let depth = 0; depth < 2; depth++) await deliver(ground.db, h, tenantId);
  expect(await open()).toEqual([]);
  expect((await h.module.approvals.listApprovals(tenantId, { status: 'pending' }, 10)).data).toEqual([]);
});

test('a client that leaves while nobody has its run ends it all the same', async () => {
  const h = house({
    faults: (point, { kind }) => {
      if (point === 'after-intent' && kind === 'tool') throw new Error('crash');
    },
  });
  const { ask, tenantId } = await agentOf(h);
  const { run } = await h.module.runs.runInForeground(ask('call:t_keep'));
  await expire(run);
  await h.module.runs.endForClient(tenantId, run.id);
  expect(await h.module.runs.getRun(tenantId, run.id)).toMatchObject({
    status: 'cancelled',
    error: { detail: 'Cancelled by Ada.' },
  });
  await h.module.runs.endForClient(tenantId, run.id);
});

test('an answer that comes after its run was lost is forgotten: who follows the run hears of each step from the other engine', async () => {
  const [a, b] = [house(), house()];
  const { ask, tenantId } = await agentOf(a);
  a.model.before = (request) => untilAborted(request).catch(() => undefined);
  const first = a.module.runs.runInForeground(ask('call:clock'));
  await until(async () => a.model.calls === 1);
  const [run] = (await a.module.runs.listRuns(tenantId, {}, 1)).data as [Run];
  await ground.takeOver(b, run);
  const { halted, steps } = await first;
  expect([halted, steps]).toEqual(['deposed', []]);
});
