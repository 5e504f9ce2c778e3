import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let t: TestApp;
let acme: TestTenant;
let agent: string;

beforeAll(async () => {
  t = await startTestApp();
  acme = await t.tenant('Acme');
  const definition = { kind: 'native', instructions: 'Help.', model: 'lintel/router', tools: [{ tool: 'calculator' }] };
  const made = await t.call(acme.key, 'POST', '/v1/agents', { name: 'open', definition });
  agent = String(made.body['id']);
});
afterAll(() => t.close());

/** The row of the call that an answer names. */
async function rowOf(key: string, answer: Awaited<ReturnType<TestApp['call']>>) {
  const id = answer.headers.get('x-request-id');
  expect(answer.status >= 400 ? answer.body['requestId'] : id).toBe(id);
  return vi.waitFor(async () => {
    const row = await t.call(key, 'GET', `/v1/calls/${id}`);
    expect([row.status, row.body]).toMatchObject([200, { id }]);
    return row.body as Record<string, unknown>;
  }, 5_000);
}

describe('happy', () => {
  test('a call that is answered carries the id of its row', async () => {
    const key = await acme.keyOf('developer');
    const chat = { model: 'lintel/router', messages: [{ role: 'user', content: 'hi' }] };
    const answer = await t.call(key, 'POST', '/v1/chat/completions', chat);
    expect(answer.status, answer.text).toBe(200);
    expect(await rowOf(key, answer)).toMatchObject({ status: 'ok', httpStatus: 200, kind: 'chat', error: null });
  });
});

describe('errors', () => {
  test('whatever keeps a call from being made, its id finds its row; refusals of one second share the first', async () => {
    const key = await acme.keyOf('developer');
    const chat = (body: object) => t.call(key, 'POST', '/v1/chat/completions', body);
    const answers = [await chat({ model: 'lintel/router' }), await chat({ model: 'lintel/router', messages: 'x' })];
    const [first, again] = answers.map((answer) => answer.headers.get('x-request-id'));
    expect(again).toBe(first);
    const row = await rowOf(key, answers[1] as (typeof answers)[0]);
    expect(row).toMatchObject({ status: 'refused', httpStatus: 400, kind: 'chat', error: { code: 'invalid-input' } });
    expect((row['trace'] as object[]).at(-1)).toMatchObject({ step: 'handle', outcome: 'refuse' });
    const formless = await chat({ model: 'router', messages: [{ role: 'user', content: 'hi' }] });
    expect(await rowOf(key, formless)).toMatchObject({ httpStatus: 404, error: { code: 'model-not-found' } });
    const embedded = await t.call(key, 'POST', '/v1/embeddings', { model: 'lintel/router' });
    // Of the same principal for the same reason as the chats.
    expect(embedded.headers.get('x-request-id')).toBe(first);
  });

  test('a run is a call: refused, failed, finished or repeated, its answer carries the id of its row', async () => {
    const path = `/v1/agents/${agent}/runs`;
    const key = await acme.keyOf('developer');
    const run = (as: string, body: object, headers = {}) => t.call(as, 'POST', path, body, headers);
    const narrow = await acme.keyOf('developer', { agents: [] });
    const refused = await run(narrow, { input: 'hello' });
    expect(refused.status).toBe(403);
    expect(await rowOf(narrow, refused)).toMatchObject({ status: 'refused', httpStatus: 403, kind: 'run' });
    const malformed = await run(key, { inputs: 'hello' });
    expect(await rowOf(key, malformed)).toMatchObject({ status: 'refused', httpStatus: 400, kind: 'run' });
    const queued = await run(key, { input: 'hello', mode: 'background' }, { 'idempotency-key': 'once' });
    const repeated = await run(key, { input: 'hello', mode: 'background' }, { 'idempotency-key': 'once' });
    expect([queued.status, repeated.headers.get('idempotency-replayed')]).toEqual([202, 'true']);
    expect(await rowOf(key, repeated)).toEqual(await rowOf(key, queued));
    const limit = { scope: 'agent', scopeId: agent, resource: 'tokens', window: 'day', amount: '1' };
    expect((await t.call(acme.key, 'POST', '/v1/limits', limit)).status).toBe(201);
    const spent = async () => {
      const answer = await run(key, { input: 'What is 2 + 3?' });
      expect(answer.status).toBe(402);
      return rowOf(key, answer);
    };
    await vi.waitFor(spent, 5_000);
    expect(await spent()).toMatchObject({ httpStatus: 402, requests: 1, runId: expect.stringMatching(/^run_/) });
    const model = { model: 'agent/open', messages: [{ role: 'user', content: 'hello' }] };
    const asked = [1, 2].map(() => t.call(key, 'POST', '/v1/chat/completions', model));
    const rows = await Promise.all(asked.map(async (answer) => rowOf(key, await answer)));
    expect(new Set(rows.map((row) => row['runId'])).size).toBe(2);
  });
});

describe('security', () => {
  test('a refusal of a call is in its row alone, any other in the audit log, once', async () => {
    const limit = { scope: 'tenant', scopeId: null, resource: 'tokens', window: 'day', amount: '1' };
    expect((await t.call(acme.key, 'POST', '/v1/limits', limit)).status).toBe(403);
    const viewer = await acme.keyOf('viewer');
    const chat = { model: 'lintel/router', messages: [{ role: 'user', content: 'hi' }] };
    expect((await t.call(viewer, 'POST', '/v1/chat/completions', chat)).status).toBe(403);
    expect((await t.call(acme.key, 'GET', '/v1/platform/nodes')).status).toBe(403);
    await t.app.services.audit.flush();
    const told = async () => {
      const { body } = await t.call(acme.key, 'GET', '/v1/audit/events?type=security.');
      return (body['data'] as unknown as { data: unknown }[]).map(({ data }) => data);
    };
    await vi.waitFor(async () => expect(await told()).toHaveLength(2), 10_000);
    expect(await told()).toEqual([
      { step: 'authorize', problem: 'forbidden', operationId: 'console.monitorSystem', count: 1 },
      { step: 'handle', problem: 'limit-of-operators', operationId: 'quota.setQuota', count: 1 },
    ]);
  });
});
