import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { expect, test } from 'vitest';

import { UnknownOutcome } from '#kernel/database-faults';
import { newId } from '#kernel/ids';
import { Problem } from '#kernel/problem';
import { agentGround, until } from '#test/agent-ground';
import { type AgentHouse, deliver, eventsOf, testCause } from '#test/agent-house';
import type { Run, Step } from './runs.ts';

const ground = agentGround();
const { house, agentOf, expire, driveFree } = ground;
const childScript = new URL('../../test/support/agent-child.ts', import.meta.url).pathname;

const ended = (of: AgentHouse, run: Run) =>
  until(async () => {
    const now = await of.module.runs.getRun(run.tenantId, run.id);
    return now.status !== 'running' && now.status !== 'queued' && now;
  });

const brief = (steps: readonly Step[]) =>
  steps.map((step) => `${step.seq} ${step.kind} ${step.tool ?? '-'} ${step.status}`);

test('a run is journaled step by step, and its usage goes home once', async () => {
  const h = house();
  const a = await agentOf(h);
  const texts: string[] = [];
  const { run, problem } = await h.module.runs.runInForeground(
    a.ask('call:calculator {"expression":"6*7"} then call:t_effect {"body":{"n":1}}', {
      listener: { onText: (delta) => texts.push(delta) },
    }),
  );
  expect(problem).toBeUndefined();
  expect(run).toMatchObject({ status: 'finished', modelSteps: 3, tokens: 45, money: '0.07', currency: 'USD' });
  expect(run.output?.text).toBe('Done: 42; {"did":"/effect","body":{"n":1}}');
  expect(texts.join('')).toBe(run.output?.text);
  const steps = await h.module.runs.getSteps(a.tenantId, run.id);
  expect(brief(steps)).toEqual([
    '0 model - done',
    '1 tool calculator done',
    '2 model - done',
    '3 tool t_effect done',
    '4 model - done',
  ]);
  expect([...ground.tools.effects.keys()]).toEqual([steps[3]?.idempotencyKey]);
  const events = await deliver(ground.db, h, a.tenantId);
  await deliver(ground.db, h, a.tenantId);
  expect(events.filter((event) => event.type === 'agents.step.finished').map((event) => event.data?.['seq'])).toEqual([
    0, 1, 2, 3, 4,
  ]);
  const rows = [...h.usage.values()];
  expect(rows.map((row) => row.type)).toEqual(['model.call', 'model.call', 'model.call', 'agent.run']);
  expect(rows.at(-1)).toMatchObject({ quantities: { runs: 1 }, price: '0.010', source: `run/${run.id}/run` });
  expect(h.charges.map(({ amount }) => amount)).toEqual([15n, 15n, 15n]);
  expect(h.quota.open).toBe(0);
  expect(JSON.stringify(events)).not.toContain('6*7');
});

test('wrong arguments, unknown tools and refusing tools are told to the model, and nothing is called', async () => {
  const h = house();
  const a = await agentOf(h);
  const { run } = await h.module.runs.runInForeground(
    a.ask('call:t_effect {"body":{"n":"x"}}&call:nothing&call:calculator {"expression":"1/"}'),
  );
  expect(run.output?.text).toMatch(
    /Done: The arguments do not fit: \/body\/n must be integer.*; There is no tool "nothing".; .*ends too early/,
  );
  expect(ground.tools.asked).toEqual([]);
});

test('of two engines only the one with the newest fence writes', async () => {
  const [a, b] = [house(), house()];
  const of = await agentOf(a);
  let release: () => void = () => undefined;
  a.model.before = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const first = a.module.runs.runInForeground(of.ask('call:t_effect {"body":{"n":1}}'));
  const run = await until(async () => (await a.module.runs.listRuns(of.tenantId, {}, 1)).data[0]);
  await until(async () => a.model.calls === 1);
  await expire(run);
  await driveFree(b);
  const after = await b.module.runs.getRun(of.tenantId, run.id);
  expect(after).toMatchObject({ status: 'finished', fence: 2 });
  const [steps, events] = [await b.module.runs.getSteps(of.tenantId, run.id), await eventsOf(ground.db, of.tenantId)];
  release();
  const deposed = await first;
  expect(deposed.run.status).toBe('running');
  expect(deposed.steps).toEqual([]);
  expect(await b.module.runs.getSteps(of.tenantId, run.id)).toEqual(steps);
  expect(await eventsOf(ground.db, of.tenantId)).toEqual(events);
  expect(await b.module.runs.getRun(of.tenantId, run.id)).toEqual(after);
  expect([...ground.tools.effects.values()]).toEqual([1]);
  expect(a.quota.open).toBe(0);
});

test('an engine that lost its run notices by itself and stops the model call', async () => {
  const [a, b] = [house(), house()];
  const of = await agentOf(a);
  let aborted = false;
  a.model.before = ({ abortSignal }) =>
    new Promise((_, reject) =>
      abortSignal?.addEventListener('abort', () => {
        aborted = true;
        reject(abortSignal.reason);
      }),
    );
  const first = a.module.runs.runInForeground(of.ask('hello'));
  const run = await until(async () => (await a.module.runs.listRuns(of.tenantId, {}, 1)).data[0]);
  await until(async () => a.model.calls === 1);
  await expire(run);
  await driveFree(b);
  await first;
  expect(aborted).toBe(true);
  expect((await b.module.runs.getRun(of.tenantId, run.id)).output?.text).toBe('You said: hello');
});

test('a lease is held on while its run is driven', async () => {
  const [a, b] = [house(), house()];
  const of = await agentOf(a);
  a.model.before = () => new Promise((resolve) => setTimeout(resolve, 6_000));
  const first = a.module.runs.runInForeground(of.ask('hello'));
  await new Promise((resolve) => setTimeout(resolve, 5_500));
  expect(await b.module.engine.claim(10)).toEqual([]);
  expect((await first).run.status).toBe('finished');
});

const crashes = (['after-intent', 'after-effect', 'before-commit', 'after-commit'] as const).flatMap((point) =>
  (['t_effect', 't_keep'] as const).map((tool) => ({ point, tool })),
);
test.each(crashes)(
  'a crash $point of $tool: no effect twice, the run ends or needs review',
  async ({ point, tool }) => {
    let hits = 0;
    const a = house({
      faults: (at, { kind }) => {
        // before-commit of the outcome, not of the intent: the effect has happened then.
        if (at === point && kind === 'tool' && ++hits === (point === 'before-commit' ? 2 : 1)) throw new Error('crash');
      },
    });
    const b = house();
    const of = await agentOf(a);
    const crashed = await a.module.runs.runInForeground(of.ask(`call:${tool} {"body":{"n":1}}`));
    expect(hits).toBeGreaterThan(0);
    expect(crashed.run.status).toBe('running');
    await expire(crashed.run);
    await driveFree(b);
    const run = await b.module.runs.getRun(of.tenantId, crashed.run.id);
    const steps = await b.module.runs.getSteps(of.tenantId, run.id);
    expect(new Set(ground.tools.asked).size).toBeLessThanOrEqual(1);
    if (tool === 't_keep') {
      expect(run.status).toBe('finished');
      expect(new Set(ground.tools.asked)).toEqual(new Set([steps[1]?.idempotencyKey]));
    } else {
      expect(run.status).toBe('needs_review');
      expect([...ground.tools.effects.values()]).toEqual(
        point === 'after-intent' || point === 'after-commit' ? [] : [1],
      );
      const done = await b.module.runs.reviewRun(
        of.tenantId,
        run.id,
        { decision: 'result', result: 'sent' },
        testCause,
      );
      expect(done.status).toBe('queued');
      await driveFree(b);
      const last = await b.module.runs.getRun(of.tenantId, run.id);
      expect(last.output?.text).toBe('Done: sent');
      expect(Math.max(0, ...ground.tools.effects.values())).toBeLessThanOrEqual(1);
    }
    await deliver(ground.db, b, of.tenantId);
    const sources = [...b.usage.values()].map((row) => row.source);
    expect(new Set(sources).size).toBe(sources.length);
  },
);

const kills = [
  ...(['after-intent', 'after-effect', 'before-commit', 'after-commit'] as const).map((point) => ({
    point,
    tool: 't_effect',
    wait: false,
  })),
  { point: 'after-effect', tool: 't_keep', wait: true },
] as const;
test.each(kills)('a process killed by SIGKILL $point of $tool: another goes on', async ({ point, tool, wait }) => {
  const b = house();
  const of = await agentOf(b);
  const callId = newId();
  const child = spawn(process.execPath, [childScript], {
    env: {
      ...process.env,
      AGENT_CHILD: JSON.stringify({
        url: ground.url,
        principal: of.principal,
        agent: { agentId: of.agent.id, name: of.agent.name, version: 1 },
        text: `call:${tool} {"body":{"n":1}}`,
        point,
        hit: point === 'before-commit' ? 2 : 1,
        callId,
      }),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  const killed = (await b.module.runs.listRuns(of.tenantId, {}, 1)).data[0] as Run;
  expect(killed.status).toBe('running');
  // Once no clock is turned: the lease has to end by itself.
  if (!wait) await expire(killed);
  const stop = await b.module.start('background');
  const run = await until(async () => {
    const now = await b.module.runs.getRun(of.tenantId, killed.id);
    return now.status !== 'running' && now;
  });
  await stop();
  expect(run.status).toBe(tool === 't_keep' ? 'finished' : 'needs_review');
  expect(new Set(ground.tools.asked).size).toBeLessThanOrEqual(1);
  if (tool === 't_effect')
    expect(Math.max(0, ...ground.tools.effects.values())).toBe(
      point === 'after-intent' || point === 'after-commit' ? 0 : 1,
    );
  // Its front died before it could write the call's row.
  await deliver(ground.db, b, of.tenantId);
  expect(b.callRows.map(({ id, runId }) => [id, runId])).toEqual([[callId, run.id]]);
});

test('a crash in the middle of a model step repeats the call, and bills it once', async () => {
  let crashed = false;
  const a = house({
    faults: (point, { kind }) => {
      if (point === 'before-commit' && kind === 'model' && !crashed) {
        crashed = true;
        throw new Error('crash');
      }
    },
  });
  const b = house();
  const of = await agentOf(a);
  const { run } = await a.module.runs.runInForeground(of.ask('hello'));
  expect(run.status).toBe('running');
  await expire(run);
  await driveFree(b);
  expect([a.model.calls, b.model.calls]).toEqual([1, 1]);
  await deliver(ground.db, b, of.tenantId);
  expect([...b.usage.values()].map((row) => row.type)).toEqual(['model.call', 'agent.run']);
  expect((await b.module.runs.getRun(of.tenantId, run.id)).money).toBe('0.030000000000');
});

test('a tool whose answer is lost is called again only if it is idempotent', async () => {
  const h = house({ toolTimeoutMs: 300 });
  const of = await agentOf(h);
  for (const mode of ['cut', 'hang'] as const) {
    ground.tools.mode = mode;
    ground.tools.asked.length = 0;
    const once = await h.module.runs.runInForeground(of.ask('call:t_effect {"body":{"n":1}}'));
    expect(once.run.status).toBe('needs_review');
    expect(ground.tools.asked).toHaveLength(1);
    ground.tools.asked.length = 0;
    const again = await h.module.runs.runInForeground(of.ask('call:t_keep {"body":{"n":1}}'));
    expect(again.run.output?.text).toMatch(/The tool gave no answer/);
    expect(ground.tools.asked).toHaveLength(3);
    expect(new Set(ground.tools.asked).size).toBe(1);
  }
});

test('a review may call the tool again with the same key, or end the run', async () => {
  const h = house({ toolTimeoutMs: 2_000 });
  const of = await agentOf(h);
  ground.tools.mode = 'cut';
  const [one, two] = [
    await h.module.runs.runInForeground(of.ask('call:t_effect')),
    await h.module.runs.runInForeground(of.ask('call:t_effect')),
  ];
  ground.tools.mode = 'ok';
  await h.module.runs.reviewRun(of.tenantId, one.run.id, { decision: 'retry' }, testCause);
  await driveFree(h);
  expect((await h.module.runs.getRun(of.tenantId, one.run.id)).status).toBe('finished');
  const keys = (await h.module.runs.getSteps(of.tenantId, one.run.id)).map((step) => step.idempotencyKey);
  expect(ground.tools.effects.get(keys[1] as string)).toBe(2);
  const failed = await h.module.runs.reviewRun(of.tenantId, two.run.id, { decision: 'fail', note: 'no' }, testCause);
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'review', detail: 'no' } });
  await expect(h.module.runs.reviewRun(of.tenantId, two.run.id, { decision: 'retry' }, testCause)).rejects.toThrow(
    /does not need/,
  );
});

test('of two people who decide about a run at once one is told that it needs no review any more', async () => {
  const h = house({ toolTimeoutMs: 2_000 });
  const of = await agentOf(h);
  for (let round = 0; round < 5; round++) {
    ground.tools.mode = 'cut';
    const { run } = await h.module.runs.runInForeground(of.ask('call:t_effect&call:t_effect'));
    ground.tools.mode = 'ok';
    // Both calls are in doubt: the second decision must not be taken for one about the other call.
    const both = await Promise.allSettled(
      ['one', 'two'].map((result) =>
        h.module.runs.reviewRun(of.tenantId, run.id, { decision: 'result', result }, testCause),
      ),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect((await h.module.runs.getSteps(of.tenantId, run.id)).map(({ status }) => status)).toEqual([
      'done',
      'done',
      'intent',
    ]);
    await driveFree(h);
    expect((await h.module.runs.getRun(of.tenantId, run.id)).status).toBe('needs_review');
    await h.module.runs.reviewRun(of.tenantId, run.id, { decision: 'fail' }, testCause);
  }
});

test('a call that needs a yes waits without a process, and goes on elsewhere', async () => {
  const [a, b] = [house(), house()];
  const of = await agentOf(a);
  const first = await a.module.runs.runInForeground(
    of.ask(
      'call:lintel_write {"method":"POST","path":"/v1/x","body":{}} then call:lintel_write {"method":"DELETE","path":"/v1/x"}',
    ),
  );
  expect(first.run.status).toBe('waiting');
  expect(a.apiCalls).toEqual([]);
  expect(await b.module.engine.claim(10)).toEqual([]);
  const [approval] = await b.module.approvals.pendingApprovals(of.tenantId, first.run.id);
  expect(approval).toMatchObject({
    tool: 'lintel_write',
    arguments: { method: 'POST', path: '/v1/x', body: {} },
    status: 'pending',
  });
  const yes = { approved: true, note: undefined };
  const decided = await Promise.allSettled(
    [1, 2].map(() => b.module.approvals.decideApproval(of.tenantId, approval?.id as string, yes, testCause)),
  );
  expect(decided.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
  await driveFree(b);
  expect(b.apiCalls.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v1/x']);
  expect(b.apiCalls[0]?.principal.id).toBe(of.principal.id);
  const [next] = await b.module.approvals.pendingApprovals(of.tenantId, first.run.id);
  await a.module.approvals.decideApproval(
    of.tenantId,
    next?.id as string,
    { approved: false, note: 'too risky' },
    testCause,
  );
  await driveFree(a);
  const run = await a.module.runs.getRun(of.tenantId, first.run.id);
  expect(run.output?.text).toMatch(/Done: 200 .*; A person refused this call; it was not made. They said: too risky/);
  expect(a.apiCalls).toEqual([]);
});

test('all calls of one step are asked about at once; nobody is asked about one that cannot be made', async () => {
  const h = house();
  const of = await agentOf(h, { tools: [{ tool: 'lintel' }] });
  const write = (path: string) => `call:lintel_write {"method":"POST","path":"${path}"}`;
  const { run } = await h.module.runs.runInForeground(
    of.ask(`${write('/v1/a')}&call:lintel_write {"method":"EAT"}&${write('/v1/b')}`),
  );
  const pending = await h.module.approvals.pendingApprovals(of.tenantId, run.id);
  expect(pending.map((each) => (each.arguments as { path: string }).path)).toEqual(['/v1/a', '/v1/b']);
  // The last first: steps are decided out of order.
  for (const each of pending.toReversed()) {
    expect(await h.module.engine.claim(10)).toEqual([]);
    await h.module.approvals.decideApproval(of.tenantId, each.id, { approved: true, note: undefined }, testCause);
  }
  await driveFree(h);
  expect(h.apiCalls.map((call) => call.path)).toEqual(['/v1/a', '/v1/b']);
  expect((await h.module.runs.getRun(of.tenantId, run.id)).status).toBe('finished');
});

test.each([
  [{ maxSteps: 2 }, 'call:clock then call:clock then call:clock', 'maxSteps'],
  [{ maxTokens: 400 }, 'call:clock then call:clock then call:clock then call:clock', 'maxTokens'],
  [{ maxMoney: '0.5' }, 'call:clock then call:clock then call:clock then call:clock', 'maxMoney'],
])('the guardrail %j ends a run', async (guardrails, text, name) => {
  const h = house();
  h.model.quantities = { input_tokens: 100, output_tokens: 50 };
  const of = await agentOf(h, { tools: [{ tool: 'clock' }], instructions: '', guardrails });
  const { run, problem } = await h.module.runs.runInForeground(of.ask(text));
  expect(problem?.kind.status).toBe(422);
  expect(run).toMatchObject({ status: 'failed', error: { code: 'guardrail-reached', extra: { guardrail: name } } });
  expect(run.modelSteps).toBeGreaterThan(0);
  expect(run.tokens).toBeLessThanOrEqual(400);
  expect(Number(run.money)).toBeLessThanOrEqual(0.5);
  expect(h.quota.open).toBe(0);
});

test('the time guardrail stops a model call; waiting for people does not count', async () => {
  const h = house();
  const of = await agentOf(h, { guardrails: { maxSeconds: 1 } });
  h.model.before = ({ abortSignal }) =>
    new Promise((_, reject) => abortSignal?.addEventListener('abort', () => reject(abortSignal.reason)));
  const { run } = await h.module.runs.runInForeground(of.ask('hello'));
  expect(run).toMatchObject({ status: 'failed', error: { extra: { guardrail: 'maxSeconds' } } });
  delete h.model.before;
  const waiting = await h.module.runs.runInForeground(of.ask('call:lintel_write {"method":"POST","path":"/v1/x"}'));
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const [approval] = await h.module.approvals.pendingApprovals(of.tenantId, waiting.run.id);
  await h.module.approvals.decideApproval(
    of.tenantId,
    approval?.id as string,
    { approved: true, note: undefined },
    testCause,
  );
  await driveFree(h);
  expect((await h.module.runs.getRun(of.tenantId, waiting.run.id)).status).toBe('finished');
});

test('a spent budget fails a run; one that is only reserved lets a run in background try again', async () => {
  const h = house();
  const of = await agentOf(h);
  h.quota.refuse = new Problem({ type: 'budget-spent', status: 402, title: 'spent' }, { extra: { limit: 'lim_1' } });
  const { run, problem } = await h.module.runs.runInForeground(of.ask('hello'));
  expect(problem).toBe(h.quota.refuse);
  expect(run).toMatchObject({
    status: 'failed',
    error: { code: 'budget-spent', status: 402, extra: { limit: 'lim_1' } },
  });
  expect(h.model.calls).toBe(0);
  h.quota.refuse = new Problem(
    { type: 'budget-reserved', status: 429, title: 'reserved' },
    { headers: { 'retry-after': '1' } },
  );
  const queued = await h.module.runs.runInBackground(of.ask('hello'));
  await driveFree(h);
  expect((await h.module.runs.getRun(of.tenantId, queued.id)).status).toBe('queued');
  h.quota.refuse = undefined;
  await driveFree(h);
  expect(h.model.calls).toBe(0);
  await until(async () => {
    await driveFree(h);
    return (await h.module.runs.getRun(of.tenantId, queued.id)).status === 'finished';
  });
});

test('a client that goes cancels its run; what the cut call used is kept', async () => {
  const h = house();
  const of = await agentOf(h);
  const client = new AbortController();
  h.model.before = ({ abortSignal }) =>
    new Promise((_, reject) => {
      abortSignal?.addEventListener('abort', () =>
        reject(
          Object.assign(new Problem({ type: 'cancelled', status: 499, title: '' }), {
            used: { input_tokens: 7, output_tokens: 2 },
          }),
        ),
      );
      client.abort();
    });
  const { run } = await h.module.runs.runInForeground(of.ask('hello', { signal: client.signal }));
  expect(run).toMatchObject({ status: 'cancelled', tokens: 9 });
  await deliver(ground.db, h, of.tenantId);
  expect([...h.usage.values()]).toMatchObject([
    { type: 'model.call', estimated: true, quantities: { input_tokens: 7 } },
  ]);
  expect(h.quota.open).toBe(0);
});

test('a run is cancelled wherever it is', async () => {
  const [a, b] = [house(), house()];
  const of = await agentOf(a);
  a.model.before = ({ abortSignal }) =>
    new Promise((_, reject) => abortSignal?.addEventListener('abort', () => reject(abortSignal.reason)));
  const first = a.module.runs.runInForeground(of.ask('hello'));
  const run = await until(async () => (await a.module.runs.listRuns(of.tenantId, {}, 1)).data[0]);
  // By another process: the holder hears of it with the next renewal of its lease.
  expect((await b.module.runs.cancelRun(of.tenantId, run.id, testCause)).status).toBe('cancelled');
  expect((await first).run.status).toBe('cancelled');
  await expect(b.module.runs.cancelRun(of.tenantId, run.id, testCause)).rejects.toThrow(/cancelled already/);
  const waiting = await b.module.runs.runInForeground(of.ask('call:lintel_write {"method":"POST","path":"/v1/x"}'));
  expect((await a.module.runs.cancelRun(of.tenantId, waiting.run.id, testCause)).status).toBe('cancelled');
  const { data } = await a.module.approvals.listApprovals(of.tenantId, {}, 10);
  expect(data.map((each) => each.status)).toEqual(['cancelled']);
  await expect(
    a.module.approvals.decideApproval(
      of.tenantId,
      data[0]?.id as string,
      { approved: true, note: undefined },
      testCause,
    ),
  ).rejects.toThrow(/decided already|over/);
});

test('an agent asks another: one run each, usage of both counted, the price of a run once', async () => {
  const h = house();
  const of = await agentOf(h);
  const boss = await of.make('boss', { tools: [{ tool: 'agent/support' }] });
  const { run } = await h.module.runs.runInForeground(boss.ask('call:ask_support {"message":"hello"}'));
  expect(run).toMatchObject({ status: 'finished', output: { text: 'Done: You said: hello' }, tokens: 45 });
  const { data } = await h.module.runs.listRuns(of.tenantId, {}, 10);
  expect(data.map((each) => [each.agentName, each.parentId === run.id])).toEqual([
    ['support', true],
    ['boss', false],
  ]);
  await deliver(ground.db, h, of.tenantId);
  expect([...h.usage.values()].filter((row) => row.type === 'agent.run')).toHaveLength(1);
  expect(h.quota.open).toBe(0);
});

test('a run waits while the run it asked waits for a person, and goes on after it', async () => {
  const [a, b] = [house(), house()];
  const of = await agentOf(a);
  const boss = await of.make('boss', { tools: [{ tool: 'agent/support' }] });
  const inner = 'call:lintel_write {\\"method\\":\\"POST\\",\\"path\\":\\"/v1/x\\"}';
  const { run } = await a.module.runs.runInForeground(boss.ask(`call:ask_support {"message":"${inner}"}`));
  expect(run.status).toBe('waiting');
  const [approval] = (await a.module.approvals.listApprovals(of.tenantId, { status: 'pending' }, 10)).data;
  await a.module.approvals.decideApproval(
    of.tenantId,
    approval?.id as string,
    { approved: true, note: undefined },
    testCause,
  );
  await driveFree(b);
  await driveFree(b);
  expect((await b.module.runs.getRun(of.tenantId, run.id)).output?.text).toBe('Done: Done: 200 {"ok":true}');
});

test('agents that ask in a circle are told so', async () => {
  const h = house();
  const of = await agentOf(h, { tools: [{ tool: 'agent/support' }] });
  const { run } = await h.module.runs.runInForeground(of.ask('call:ask_support {"message":"hello"}'));
  expect(run.output?.text).toMatch(/is already asked further up/);
});

test('the worker takes queued runs and those of a silent node, a bounded number at a time', async () => {
  const [a, b] = [
    house({
      faults: (point) => {
        if (point === 'after-intent') throw new Error('crash');
      },
    }),
    house({ concurrency: 2 }),
  ];
  const of = await agentOf(a);
  const lost = await a.module.runs.runInForeground(of.ask('call:t_keep'));
  await expire(lost.run);
  let most = 0;
  b.model.before = async () => {
    most = Math.max(most, b.module.engine.active);
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const stop = await b.module.start('background');
  const queued = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => b.module.runs.runInBackground(of.ask(`hello ${n}`))));
  for (const run of [lost.run, ...queued]) expect((await ended(b, run)).status).toBe('finished');
  expect(most).toBe(2);
  await stop();
});

test('a process that ends gives its runs in background back between two steps', async () => {
  const h = house();
  const of = await agentOf(h);
  const run = await h.module.runs.runInBackground(of.ask('call:clock then call:clock'));
  const stop = await h.module.start('background');
  let stopped: Promise<void> | undefined;
  h.model.before = async () => {
    stopped ??= stop();
  };
  await until(async () => stopped !== undefined);
  await stopped;
  const given = await h.module.runs.getRun(of.tenantId, run.id);
  expect(given.status).toBe('queued');
  await driveFree(house());
  expect((await h.module.runs.getRun(of.tenantId, run.id)).status).toBe('finished');
});

test('a COMMIT whose answer is lost is not done again, at any of a run’s writes', async () => {
  for (let lost = 1; lost <= 7; lost++) {
    let writes = 0;
    let losing = false;
    const forgetful = new Proxy(ground.db, {
      get: (db, name) => {
        if (name !== 'forTenant') return Reflect.get(db, name).bind?.(db) ?? Reflect.get(db, name);
        return async (tenantId: string, work: Parameters<typeof db.forTenant>[1]) => {
          const result = await db.forTenant(tenantId, work);
          if (losing && ++writes === lost) throw new UnknownOutcome(new Error('gone'));
          return result;
        };
      },
    });
    const h = house({}, forgetful);
    const of = await agentOf(h);
    losing = true;
    const driven = await h.module.runs.runInForeground(of.ask('call:t_effect {"body":{"n":1}}')).catch(() => undefined);
    losing = false;
    // The agent's version is read: there is no run yet, the caller is told to come again.
    if (lost === 1) {
      expect(driven).toBeUndefined();
      continue;
    }
    expect(driven?.run.status).toBe('finished');
    const events = await eventsOf(ground.db, of.tenantId);
    const steps = events.filter((event) => event.type === 'agents.step.finished');
    expect([lost, ...steps.map((event) => event.data?.['seq'])]).toEqual([lost, 0, 1, 2]);
    expect(events.filter((event) => event.type === 'agents.run.finished')).toHaveLength(1);
    expect([...ground.tools.effects.values()]).toEqual([1]);
    ground.tools.effects.clear();
  }
});

test('runs of a suspended tenant stand still in background', async () => {
  let active = false;
  const h = house({ isActive: () => active });
  const of = await agentOf(h);
  const run = await h.module.runs.runInBackground(of.ask('hello'));
  await driveFree(h);
  expect([(await h.module.runs.getRun(of.tenantId, run.id)).status, h.model.calls]).toEqual(['queued', 0]);
  active = true;
  await ground.db.forTenant(of.tenantId, (tx) =>
    tx.execute('UPDATE runs SET available_at = clock_timestamp() WHERE tenant_id = $1', [of.tenantId]),
  );
  await driveFree(h);
  expect((await h.module.runs.getRun(of.tenantId, run.id)).status).toBe('finished');
});

test('a run under way in background stands still as soon as its tenant is suspended', async () => {
  let active = true;
  const h = house({ isActive: () => active });
  const of = await agentOf(h);
  const run = await h.module.runs.runInBackground(of.ask('call:clock then call:clock'));
  h.model.before = () => {
    active = false;
  };
  await driveFree(h);
  expect([(await h.module.runs.getRun(of.tenantId, run.id)).status, h.model.calls]).toEqual(['queued', 1]);
});

test('a tool that does not listen to its signal is given up all the same', async () => {
  const h = house({ toolTimeoutMs: 100, callApi: () => new Promise(() => undefined) });
  const of = await agentOf(h);
  const { run } = await h.module.runs.runInForeground(
    of.ask('call:lintel_read {"path":"/v1/agents"}&call:lintel_read {"path":"/v1/stream?topics=runs"}'),
  );
  expect(run.output?.text).toMatch(/gave no answer.*; Event streams cannot be read/s);
});

test('random crashes among three engines: every run ends or needs review, no effect twice, each step billed once', async () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  let state = seed;
  // Mulberry32 (Ettinger 2017).
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  let crashes = 0;
  const faults = () => {
    if (crashes < 40 && random() < 0.15) {
      crashes++;
      throw new Error('crash');
    }
  };
  const engines = [house({ faults }), house({ faults }), house({ faults })] as const;
  const of = await agentOf(engines[0]);
  const texts = [
    'call:t_keep {"body":{"n":1}} then call:t_effect {"body":{"n":2}}',
    'call:clock then call:t_keep',
    'hello',
  ];
  const runs = await Promise.all(
    Array.from({ length: 12 }, (_, i) => engines[0].module.runs.runInBackground(of.ask(texts[i % 3] as string))),
  );
  const states = async () =>
    Promise.all(runs.map(async (run) => (await engines[0].module.runs.getRun(of.tenantId, run.id)).status));
  try {
    for (let round = 0; round < 60; round++) {
      await Promise.all(engines.map((each) => driveFree(each)));
      if ((await states()).every((each) => each === 'finished' || each === 'needs_review')) break;
      // Crashed holders fall silent, and now and then one that is alive.
      await Promise.all(runs.map((run) => expire(run)));
    }
    expect((await states()).filter((each) => each !== 'finished' && each !== 'needs_review')).toEqual([]);
    expect(crashes).toBeGreaterThan(5);
    for (const run of runs) {
      for (const step of await engines[0].module.runs.getSteps(of.tenantId, run.id)) {
        if (step.tool === 't_effect')
          expect(ground.tools.effects.get(step.idempotencyKey as string) ?? 0).toBeLessThanOrEqual(1);
      }
    }
    await deliver(ground.db, engines[0], of.tenantId);
    const sources = [...engines[0].usage.values()].map((row) => row.source);
    expect(new Set(sources).size).toBe(sources.length);
    expect(engines.map((each) => each.quota.open)).toEqual([0, 0, 0]);
  } catch (error) {
    throw new Error(`SEED=${seed}`, { cause: error });
  }
});

test('what PostgreSQL cannot hold in jsonb is replaced, not a failure', async () => {
  const h = house();
  const of = await agentOf(h);
  const { run } = await h.module.runs.runInForeground(of.ask('nul \0 and half \ud800 a pair'));
  expect(run.status).toBe('finished');
  expect((await h.module.runs.getRun(of.tenantId, run.id)).output?.text).toBe(
    'You said: nul \ufffd and half \ufffd a pair',
  );
});

test('another tenant sees nothing of a run', async () => {
  const h = house();
  const of = await agentOf(h);
  const { run } = await h.module.runs.runInForeground(of.ask('hello'));
  const other = newId();
  await expect(h.module.runs.getRun(other, run.id)).rejects.toThrow(/no such run/);
  expect(await h.module.runs.getSteps(other, run.id)).toEqual([]);
  await expect(h.module.runs.cancelRun(other, run.id, testCause)).rejects.toThrow(/no such run/);
  expect((await h.module.runs.listRuns(other, { before: newId() }, 10)).data).toEqual([]);
});
