import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { startToolDouble, type ToolDouble } from '#test/agent-house';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

let t: TestApp;
let double: OpenAiDouble;
let tools: ToolDouble;
let acme: TestTenant;
let other: TestTenant;
let agentId: string;
let toolId: string;

type Json = Record<string, unknown>;
const native = (more: Json = {}): Json => ({
  kind: 'native',
  instructions: 'Help.',
  model: 'house/double',
  tools: [{ tool: toolId }, { tool: 'clock' }, { tool: 'lintel' }],
  ...more,
});
const as = (tenant: TestTenant, method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  t.call(tenant.key, method, path, body, headers);
const start = (tenant: TestTenant, input: unknown, mode?: string) =>
  as(tenant, 'POST', `/v1/agents/${agentId}/runs`, { input, ...(mode === undefined ? {} : { mode }) });

beforeAll(async () => {
  [t, double, tools] = await Promise.all([startTestApp(), startOpenAiDouble(), startToolDouble()]);
  [acme, other] = [await t.tenant('Acme'), await t.tenant('Other')];
  const operator = (path: string, body: unknown) => t.call(t.operatorKey, 'POST', path, body);
  await operator('/v1/platform/egress-rules', { target: '127.0.0.0/8' });
  const provider = await operator('/v1/platform/providers', {
    preset: 'openai',
    name: 'house',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  for (const name of ['double', 'double-slow-1200', 'double-slow-1500', 'double-gap-200-chunks-20']) {
    await operator(`/v1/platform/providers/${provider.body['id']}/models`, { name });
  }
  const tool = await as(acme, 'POST', '/v1/tools', {
    name: 't',
    config: { kind: 'openapi', document: tools.document },
  });
  toolId = String(tool.body['id']);
  const agent = await as(acme, 'POST', '/v1/agents', { name: 'support', definition: native() });
  agentId = String(agent.body['id']);
});
afterAll(() => Promise.all([t.close(), double.close(), tools.close()]));

async function until(what: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await what())) {
    if (performance.now() > end) throw new Error('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const day = (offset: number) =>
  Temporal.Now.instant()
    .add({ hours: 24 * offset })
    .toString({ smallestUnit: 'second' });
const detail = async (id: unknown) => (await as(acme, 'GET', `/v1/runs/${id}`)).body as Json;

describe('happy', () => {
  test('a run with a tool: waited for, shown with its steps, one row in calls, its usage at home', async () => {
    const answer = await start(acme, 'call:t_effect {"body":{"n":7}}');
    expect([answer.status, answer.body]).toMatchObject([
      200,
      { status: 'finished', modelSteps: 2, agent: { name: 'support', version: 1 } },
    ]);
    expect(answer.headers.get('x-request-id')).toBe(answer.body['call']);
    const run = await detail(answer.body['id']);
    expect((run['steps'] as unknown as Json[]).map((step) => [step['kind'], step['tool'], step['status']])).toEqual([
      ['model', null, 'done'],
      ['tool', 't_effect', 'done'],
      ['model', null, 'done'],
    ]);
    const call = await as(acme, 'GET', `/v1/calls/${answer.body['call']}`);
    expect([call.status, call.body]).toMatchObject([
      200,
      { kind: 'run', status: 'ok', model: 'agent/support@1', reserved: { tokens: expect.any(Number) } },
    ]);
    const trace = call.body['trace'] as unknown as { step: string; detail: Json }[];
    expect(trace.slice(-4).map(({ step, detail }) => [step, detail['name']])).toEqual([
      ['model', 'house/double'],
      ['tool', 't_effect'],
      ['model', 'house/double'],
      ['run', undefined],
    ]);
    expect(trace.at(-2)?.detail).toMatchObject({
      reserved: { tokens: expect.any(Number) },
      used: { tokens: expect.any(Number) },
    });
    const listed = (await as(acme, 'GET', '/v1/calls?model=agent/support@1')).body['data'] as unknown as Json[];
    expect(listed.map((each) => each['id'])).toContain(call.body['id']);
    await until(async () => {
      const usage = await as(acme, 'GET', `/v1/usage?from=${day(-1)}&to=${day(1)}&groupBy=type`);
      return usage.text.includes('agent.run') && usage.text.includes('model.call');
    });
  });

  test('the stock openai client: plain, streamed, by version; a run that waits answers at once', async () => {
    const client = new OpenAI({ apiKey: acme.key, baseURL: `${t.url}/v1`, maxRetries: 0 });
    const ask = { messages: [{ role: 'user' as const, content: 'say:hello there, how are you?' }] };
    const plain = await client.chat.completions.create({ ...ask, model: 'agent/support' });
    expect(plain.choices[0]?.message.content).toBe('hello there, how are you?');
    expect(plain.usage?.total_tokens).toBeGreaterThan(0);
    let text = '';
    for await (const chunk of await client.chat.completions.create({
      ...ask,
      model: 'agent/support@1',
      stream: true,
    })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('hello there, how are you?');
    const waits = (await client.chat.completions.create({
      model: 'agent/support',
      messages: [{ role: 'user', content: 'call:lintel_write {"method":"POST","path":"/v1/agents","body":{}}' }],
    })) as unknown as { lintel: Json };
    expect(waits.lintel).toMatchObject({ status: 'waiting', run: expect.stringMatching(/^run_/) });
    await expect(client.chat.completions.create({ ...ask, model: 'agent/nobody' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    await expect(client.chat.completions.create({ ...ask, model: 'agent/support', n: 2 })).rejects.toMatchObject({
      status: 400,
      param: 'n',
    });
    const tool = { type: 'function' as const, function: { name: 'f' } };
    await expect(
      client.chat.completions.create({ ...ask, model: 'agent/support', tools: [tool] }),
    ).rejects.toMatchObject({ status: 400, param: 'tools' });
  });

  test('an approval from the inbox: the caller’s rights, then the run goes on in background', async () => {
    const definition = JSON.stringify(native({ tools: [] }));
    const { body } = await start(
      acme,
      `call:lintel_write {"method":"POST","path":"/v1/agents","body":{"name":"made-by-agent","definition":${definition}}}`,
    );
    expect(body['status']).toBe('waiting');
    const inbox = await as(acme, 'GET', '/v1/approvals?status=pending');
    const mine = (inbox.body['data'] as unknown as Json[]).find((each) => each['run'] === body['id']) as Json;
    expect(mine).toMatchObject({ tool: 'lintel_write', arguments: { method: 'POST', path: '/v1/agents' } });
    expect((await as(acme, 'POST', `/v1/approvals/${mine['id']}/approve`, {})).body).toMatchObject({
      status: 'approved',
      decidedBy: { kind: 'key' },
    });
    await until(async () => (await detail(body['id']))['status'] === 'finished');
    expect((await as(acme, 'GET', '/v1/agents')).text).toContain('made-by-agent');
    expect((await as(acme, 'POST', `/v1/approvals/${mine['id']}/reject`, {})).status).toBe(409);
    const refused = await start(acme, 'call:lintel_write {"method":"POST","path":"/v1/agents"}');
    const [again] = (await as(acme, 'GET', '/v1/approvals?status=pending')).body['data'] as unknown as Json[];
    expect(again?.['run']).toBe(refused.body['id']);
    expect((await as(acme, 'POST', `/v1/approvals/${again?.['id']}/reject`)).body).toMatchObject({
      status: 'rejected',
    });
    const third = await start(acme, 'call:lintel_write {"method":"POST","path":"/v1/agents"}');
    const yes = () => as(acme, 'POST', `/v1/runs/${third.body['id']}/approve`);
    // A worker may have it already.
    expect(['queued', 'running', 'finished']).toContain((await yes()).body['status']);
    expect((await yes()).status).toBe(409);
    await until(async () => (await detail(third.body['id']))['status'] === 'finished');
    const audit = await as(acme, 'GET', '/v1/audit/events');
    await until(async () => (await as(acme, 'GET', '/v1/audit/events')).text.includes('agents.approval.approved'));
    expect(audit.status).toBe(200);
  });

  test('a run in background, followed by its events and taken up again after the last one seen', async () => {
    const { status, body } = await start(acme, 'call:clock then call:clock', 'background');
    expect([status, body['status']]).toEqual([202, 'queued']);
    const follow = async (after?: string) => {
      const headers = {
        authorization: `Bearer ${acme.key}`,
        ...(after === undefined ? {} : { 'last-event-id': after }),
      };
      const text = await (await fetch(`${t.url}/v1/runs/${body['id']}/events`, { headers })).text();
      return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    };
    expect(await follow()).toEqual([0, 1, 2, 3, 4]);
    expect(await follow('2')).toEqual([3, 4]);
    expect(await follow('99')).toEqual([]);
  });

  test('a run in background: its call is answered at once, what it used is in a row of the run, once', async () => {
    const { body } = await start(acme, 'call:clock', 'background');
    const call = (id: unknown) => as(acme, 'GET', `/v1/calls/${id}`);
    const own = await call(body['call']);
    expect(own.body).toMatchObject({ runId: body['id'], status: 'ok', httpStatus: 202, quantities: {}, price: null });
    const id = String(body['id']).replace('run_', 'call_');
    await until(async () => (await call(id)).status === 200);
    const run = await detail(body['id']);
    const row = (await call(id)).body as Json;
    expect(row).toMatchObject({
      kind: 'run',
      runId: body['id'],
      status: 'ok',
      httpStatus: 200,
      requests: 0,
      model: 'agent/support@1',
      principal: own.body['principal'],
      quantities: { requests: 2 },
      endedAt: expect.stringMatching(String(run['finishedAt']).slice(0, 19)),
    });
    expect(Number(row['inputTokens']) + Number(row['outputTokens'])).toBe(run['tokens']);
    expect(Number(row['price'] ?? 0)).toBe(Number(run['price'] ?? 0));
    const trace = row['trace'] as { step: string; detail: Json }[];
    expect(trace.map(({ step }) => step)).toEqual(['call', 'model', 'tool', 'model', 'run']);
    expect(trace[0]?.detail).toEqual({ call: body['call'] });
    const used = (await as(acme, 'GET', '/v1/calls')).body['data'] as unknown as Json[];
    expect(used.filter((each) => each['runId'] === body['id']).map((each) => each['requests'])).toEqual([0, 1]);
  });

  test('a run as a stream of text, steps and its end', async () => {
    const { headers, text } = await start(acme, 'call:clock', 'stream');
    expect(headers.get('content-type')).toContain('text/event-stream');
    const events = [...text.matchAll(/^event: (\w+)$/gm)].map(([, name]) => name);
    expect(events[0]).toBe('step');
    expect(events).toContain('text');
    expect(events.at(-1)).toBe('run');
    expect(text).toContain('"status":"finished"');
  });

  test('a stream whose run is taken over by another engine ends where the run stands still', async () => {
    const made = await as(acme, 'POST', '/v1/agents', {
      name: 'lost-engine',
      definition: native({ model: 'house/double-slow-1200' }),
    });
    const asked = () => double.requests.filter((each) => each.body?.model === 'double-slow-1200').length;
    const before = asked();
    const stream = as(acme, 'POST', `/v1/agents/${made.body['id']}/runs`, {
      input: 'call:lintel_write {"method":"POST","path":"/v1/agents","body":{}}',
      mode: 'stream',
    });
    await until(async () => asked() > before);
    // As after five seconds of silence: somebody else has it.
    await t.app.db.forTenant(acme.uuid, (tx) =>
      tx.execute(
        `UPDATE runs SET fence = fence + 1, lease_expires_at = clock_timestamp() - interval '1 second'
         WHERE tenant_id = $1 AND agent_name = 'lost-engine'`,
        [acme.uuid],
      ),
    );
    const events = [...(await stream).text.matchAll(/^event: (\w+)\n(?:id: \d+\n)?data: (.*)$/gm)];
    const last = JSON.parse(events.at(-1)?.[2] ?? '{}') as Json;
    expect([events.at(-1)?.[1], last['status']]).toEqual(['run', 'waiting']);
    expect((await detail(last['id']))['status']).toBe('waiting');
    const rows = (await as(acme, 'GET', '/v1/calls?model=agent/lost-engine@1')).body['data'] as unknown as Json[];
    expect(rows.map((row) => row['id'])).toEqual([last['call']]);
  });

  test('versions and aliases: live moves, old ones stay, names resolve', async () => {
    const made = await as(acme, 'POST', '/v1/agents', {
      name: 'versioned',
      definition: native({ instructions: 'one' }),
    });
    const path = `/v1/agents/${made.body['id']}`;
    const second = await as(acme, 'POST', `${path}/versions`, {
      definition: native({ instructions: 'two' }),
      live: false,
      note: 'try',
    });
    expect(second.body).toMatchObject({ latestVersion: 2, aliases: { live: 1 } });
    expect((await as(acme, 'PUT', `${path}/aliases/beta`, { version: 2 })).body).toMatchObject({
      aliases: { live: 1, beta: 2 },
    });
    const systemOf = async (reference: string) => {
      await as(acme, 'POST', '/v1/chat/completions', {
        model: `agent/${reference}`,
        messages: [{ role: 'user', content: 'hi' }],
      });
      return double.requests.at(-1)?.body.messages[0].content;
    };
    expect([await systemOf('versioned'), await systemOf('versioned@beta'), await systemOf('versioned@2')]).toEqual([
      'one',
      'two',
      'two',
    ]);
    await as(acme, 'PUT', `${path}/aliases/live`, { version: 2 });
    expect(await systemOf('versioned')).toBe('two');
    expect((await as(acme, 'DELETE', `${path}/aliases/beta`)).status).toBe(204);
    const gone = await as(acme, 'POST', '/v1/chat/completions', {
      model: 'agent/versioned@beta',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(gone.status).toBe(404);
    const versions = await as(acme, 'GET', `${path}/versions?limit=1`);
    expect(versions.body).toMatchObject({ data: [{ version: 2, note: 'try' }], nextCursor: expect.any(String) });
    expect((await as(acme, 'GET', `${path}/versions?cursor=${versions.body['nextCursor']}`)).body).toMatchObject({
      data: [{ version: 1 }],
      nextCursor: null,
    });
    expect((await as(acme, 'DELETE', path)).status).toBe(204);
    expect((await as(acme, 'POST', '/v1/agents', { name: 'versioned', definition: native() })).status).toBe(201);
  });

  test('the client goes: its run and the upstream are cancelled', async () => {
    const made = await as(acme, 'POST', '/v1/agents', {
      name: 'slow',
      definition: native({ model: 'house/double-slow-1500' }),
    });
    const gone = new AbortController();
    const request = fetch(`${t.url}/v1/agents/${made.body['id']}/runs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acme.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ input: 'hello' }),
      signal: gone.signal,
    }).catch(() => undefined);
    await until(async () => double.requests.some((each) => each.body?.model === 'double-slow-1500'));
    gone.abort();
    await request;
    const runs = async () =>
      (await as(acme, 'GET', `/v1/runs?agent=${made.body['id']}`)).body['data'] as unknown as Json[];
    await until(async () => (await runs())[0]?.['status'] === 'cancelled');
    await until(async () => double.requests.find((each) => each.body?.model === 'double-slow-1500')?.aborted === true);
  });

  test('a run is cancelled by request', async () => {
    const made = await as(acme, 'POST', '/v1/agents', {
      name: 'gap',
      definition: native({ model: 'house/double-gap-200-chunks-20' }),
    });
    const running = as(acme, 'POST', `/v1/agents/${made.body['id']}/runs`, { input: 'hello', mode: 'stream' });
    const runs = async () =>
      (await as(acme, 'GET', `/v1/runs?agent=${made.body['id']}&status=running`)).body['data'] as unknown as Json[];
    await until(async () => (await runs()).length === 1);
    const id = (await runs())[0]?.['id'];
    const cancelled = await as(acme, 'POST', `/v1/runs/${id}/cancel`, undefined, { 'idempotency-key': 'once' });
    expect(cancelled.body).toMatchObject({ status: 'cancelled' });
    expect((await running).text).toContain('"status":"cancelled"');
  });

  test('an idempotency key on a background run makes one run', async () => {
    const key = { 'idempotency-key': 'run-once' };
    const path = `/v1/agents/${agentId}/runs`;
    const body = { input: 'hello', mode: 'background' };
    const [one, two] = [await as(acme, 'POST', path, body, key), await as(acme, 'POST', path, body, key)];
    expect([one.status, two.status, one.body['id']]).toEqual([202, 202, two.body['id']]);
    await until(async () => (await detail(one.body['id']))['status'] === 'finished');
    const waited = await as(acme, 'POST', path, { input: 'hello' }, { 'idempotency-key': 'other' });
    expect([waited.status, waited.text]).toEqual([400, expect.stringContaining('background')]);
  });

  test('tool sources: shown without secrets, refreshed, changed, trusted by operators alone, removed', async () => {
    const config = { kind: 'openapi', document: tools.document };
    const made = await as(acme, 'POST', '/v1/tools', {
      name: 'mine',
      config,
      secrets: { authorization: 'Bearer very-secret' },
    });
    expect([made.status, made.body]).toMatchObject([201, { hasSecrets: true, trusted: false }]);
    const path = `/v1/tools/${made.body['id']}`;
    expect((await as(acme, 'GET', path)).text).not.toContain('very-secret');
    expect((await as(acme, 'POST', `${path}/refresh`)).status).toBe(200);
    expect(
      (await as(acme, 'PATCH', path, { config: { ...config, idempotent: ['effect'] }, secrets: null })).body,
    ).toMatchObject({ hasSecrets: false });
    expect((await as(acme, 'GET', '/v1/tools?limit=1')).body).toMatchObject({
      builtin: ['clock', 'calculator', 'lintel'],
      nextCursor: expect.any(String),
    });
    const trust = `/v1/platform/tenants/${acme.id}/tools/${made.body['id']}/trust`;
    expect((await as(acme, 'PUT', trust, { trusted: true })).status).toBe(403);
    expect((await t.call(t.operatorKey, 'PUT', trust, { trusted: true })).body).toMatchObject({ trusted: true });
    expect((await as(acme, 'DELETE', path)).status).toBe(204);
    expect((await as(acme, 'GET', path)).status).toBe(404);
  });
});

describe('errors', () => {
  test.each([
    ['no name', { definition: {} }, '/name'],
    [
      'a bad name',
      { name: 'Über', definition: { kind: 'external', protocol: 'openai', url: 'https://a.example' } },
      '/name',
    ],
    ['an unknown kind', { name: 'x', definition: { kind: 'other' } }, '/definition'],
    [
      'an unknown member',
      { name: 'x', definition: { kind: 'native', instructions: '', model: 'a/b', extra: 1 } },
      '/definition/extra',
    ],
    [
      'a model without a slash',
      { name: 'x', definition: { kind: 'native', instructions: '', model: 'gpt' } },
      '/definition/model',
    ],
    [
      'an unknown tool',
      { name: 'x', definition: { kind: 'native', instructions: '', model: 'a/b', tools: [{ tool: 'shell' }] } },
      '/definition/tools/0/tool',
    ],
    [
      'headers on a native one',
      { name: 'x', definition: { kind: 'native', instructions: '', model: 'a/b' }, headers: { a: 'b' } },
      '/headers',
    ],
    [
      'an address inside',
      { name: 'x', definition: { kind: 'external', protocol: 'http', url: 'http://10.0.0.1' } },
      '/url',
    ],
  ])('%s is pointed at', async (_name, body, pointer) => {
    const answer = await as(acme, 'POST', '/v1/agents', body);
    expect(answer.status).toBe(400);
    expect((answer.body['errors'] as unknown as { pointer: string }[]).map((each) => each.pointer)).toContain(pointer);
  });

  test('names taken, unknown ids, empty input, what is over', async () => {
    expect((await as(acme, 'POST', '/v1/agents', { name: 'support', definition: native() })).status).toBe(409);
    for (const id of ['agt_00000000000000000000000000', 'nonsense', agentId.replace('agt', 'run')]) {
      expect((await as(acme, 'GET', `/v1/agents/${id}`)).status).toBe(404);
      expect((await as(acme, 'POST', `/v1/agents/${id}/runs`, { input: 'x' })).status).toBe(404);
    }
    expect((await start(acme, '')).status).toBe(400);
    expect((await start(acme, [{ role: 'robot', content: 'x' }])).body).toMatchObject({
      errors: [{ pointer: '/input/0/role' }],
    });
    expect((await as(acme, 'POST', `/v1/agents/${agentId}/runs`, { input: 'x', version: 99 })).status).toBe(404);
    const { body } = await start(acme, 'hello');
    expect((await as(acme, 'POST', `/v1/runs/${body['id']}/cancel`)).status).toBe(409);
    expect((await as(acme, 'POST', `/v1/runs/${body['id']}/review`, { decision: 'retry' })).status).toBe(409);
    expect((await as(acme, 'GET', `/v1/runs/${body['id']}/events`, undefined, { 'last-event-id': 'x' })).status).toBe(
      400,
    );
    expect((await as(acme, 'GET', '/v1/runs?cursor=bad')).status).toBe(400);
  });

  test('a model that is gone, and a guardrail, end the run with their problem', async () => {
    const made = await as(acme, 'POST', '/v1/agents', { name: 'lost', definition: native({ model: 'nobody/none' }) });
    const lost = await as(acme, 'POST', `/v1/agents/${made.body['id']}/runs`, { input: 'x' });
    expect([lost.status, lost.body]).toMatchObject([404, { run: expect.stringMatching(/^run_/) }]);
    expect(await detail(lost.body['run'])).toMatchObject({ status: 'failed' });
    const tight = await as(acme, 'POST', '/v1/agents', {
      name: 'tight',
      definition: native({ guardrails: { maxSteps: 1 } }),
    });
    const over = await as(acme, 'POST', `/v1/agents/${tight.body['id']}/runs`, { input: 'call:clock' });
    expect([over.status, over.body]).toMatchObject([422, { guardrail: 'maxSteps', limit: 1 }]);
  });
});

describe('what providers charge', () => {
  /** A tenant that calls a model of its own provider, or the platform's, directly and by an agent; a million for each token. */
  async function callBoth(provider: 'own' | 'priced') {
    const tenant = await t.tenant(`With ${provider}`);
    const [key, base] = provider === 'own' ? [tenant.key, '/v1'] : [t.operatorKey, '/v1/platform'];
    const send = async (path: string, body: unknown, by = key) => (await t.call(by, 'POST', path, body)).body as Json;
    const made = { preset: 'openai', name: provider, baseUrl: double.url, apiKey: DOUBLE_KEY };
    const path = `${base}/providers/${(await send(`${base}/providers`, made))['id']}/models`;
    const model = await send(path, { name: 'double' });
    const prices = { input_tokens: '1000000', output_tokens: '1000000' };
    await send(`${path}/${model['id']}/prices`, { currency: 'EUR', prices });
    const definition = { kind: 'native', instructions: '', model: `${provider}/double` };
    await send('/v1/agents', { name: 'mine', definition }, tenant.key);
    const calls: Json[] = [];
    for (const called of [`${provider}/double`, 'agent/mine']) {
      const messages = [{ role: 'user', content: 'say:hello' }];
      const answer = await t.call(tenant.key, 'POST', '/v1/chat/completions', { model: called, messages });
      expect(answer.status, answer.text).toBe(200);
      const id = answer.headers.get('x-request-id');
      const [theirs, ours] = [
        await t.call(tenant.key, 'GET', `/v1/calls/${id}`),
        await t.call(t.operatorKey, 'GET', `/v1/platform/calls/${id}`),
      ];
      const tokens = Number(theirs.body['inputTokens']) + Number(theirs.body['outputTokens']);
      calls.push({ charged: String(tokens * 1_000_000), tenant: theirs.body['cost'], platform: ours.body['cost'] });
    }
    let costs: Json[] = [];
    await until(async () => {
      const range = `from=${day(-1)}&to=${day(1)}`;
      const usage = await t.call(tenant.key, 'GET', `/v1/usage?${range}&groupBy=type`);
      const { body } = await t.call(t.operatorKey, 'GET', `/v1/platform/margins?${range}&tenantId=${tenant.id}`);
      costs = (body['data'] as unknown as Json[]).filter(({ cost }) => Number(cost) !== 0);
      return usage.text.includes('agent.run');
    });
    return { calls, costs };
  }

  test('the tenant’s own key: the tenant sees it, no margin counts it', async () => {
    const { calls, costs } = await callBoth('own');
    for (const { charged, tenant, platform } of calls) expect([tenant, platform]).toEqual([charged, null]);
    expect(costs).toEqual([]);
  });

  test('the platform’s key: operators see it, margins count it', async () => {
    const { calls, costs } = await callBoth('priced');
    for (const { charged, tenant, platform } of calls) expect([tenant, platform]).toEqual([null, charged]);
    const all = calls.reduce((sum, { charged }) => sum + Number(charged), 0);
    expect(costs.reduce((sum, { cost }) => sum + Number(cost), 0)).toBe(all);
  });
});

describe('requests per second of an agent', () => {
  test('hold however it is called, as those of a key do, and are no other agent’s', async () => {
    const made = await as(acme, 'POST', '/v1/agents', { name: 'busy', definition: native({ tools: [] }) });
    const limit = { scope: 'agent', scopeId: made.body['id'], resource: 'requests', window: 'second' };
    expect((await as(acme, 'POST', '/v1/limits', { ...limit, amount: '0' })).status).toBe(201);
    const messages = [{ role: 'user', content: 'say:hello' }];
    const answers = async () => [
      await as(acme, 'POST', '/v1/chat/completions', { model: 'agent/busy', messages }),
      await as(acme, 'POST', '/v1/chat/completions', { model: 'agent/busy@1', messages, stream: true }),
      ...(await Promise.all(
        ['wait', 'stream', 'background'].map((mode) =>
          as(acme, 'POST', `/v1/agents/${made.body['id']}/runs`, { input: 'say:hello', mode }),
        ),
      )),
    ];
    await until(async () => (await answers()).every(({ status }) => status === 429));
    for (const { headers, text } of await answers()) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(text).toContain("The agent's limit of 0 requests per second is reached");
    }
    await until(async () => {
      const { body } = await as(acme, 'GET', '/v1/calls?status=refused');
      const refused = (body['data'] as unknown as Json[]).filter((each) => each['httpStatus'] === 429);
      return refused.length > 0 && refused.every((each) => each['kind'] === 'run');
    });
    expect((await start(acme, 'say:hello')).status).toBe(200);
    const runs = await as(acme, 'GET', `/v1/runs?agent=${made.body['id']}&status=failed`);
    expect(runs.body['data']).toEqual([]);
  });
});

describe('security', () => {
  test('another tenant sees 404 for everything, after the owner’s own call succeeded', async () => {
    const { body } = await start(acme, 'call:lintel_write {"method":"POST","path":"/v1/agents"}');
    const inbox = (await as(acme, 'GET', '/v1/approvals?status=pending')).body['data'] as unknown as Json[];
    const approval = inbox.find((each) => each['run'] === body['id'])?.['id'];
    const routes: [string, string, unknown?][] = [
      ['GET', `/v1/agents/${agentId}`],
      ['GET', `/v1/agents/${agentId}/versions`],
      ['GET', `/v1/tools/${toolId}`],
      ['GET', `/v1/runs/${body['id']}`],
    ];
    for (const [method, path] of routes) expect((await as(acme, method, path)).status).toBe(200);
    routes.push(
      ['PATCH', `/v1/agents/${agentId}`, { description: 'x' }],
      ['DELETE', `/v1/agents/${agentId}`],
      ['POST', `/v1/agents/${agentId}/versions`, { definition: { kind: 'native', instructions: '', model: 'a/b' } }],
      ['PUT', `/v1/agents/${agentId}/aliases/live`, { version: 1 }],
      ['POST', `/v1/agents/${agentId}/runs`, { input: 'x' }],
      ['PATCH', `/v1/tools/${toolId}`, { secrets: null }],
      ['POST', `/v1/tools/${toolId}/refresh`],
      ['DELETE', `/v1/tools/${toolId}`],
      ['GET', `/v1/runs/${body['id']}/events`],
      ['POST', `/v1/runs/${body['id']}/cancel`],
      ['POST', `/v1/runs/${body['id']}/review`, { decision: 'fail' }],
      ['POST', `/v1/runs/${body['id']}/approve`],
      ['POST', `/v1/approvals/${approval}/approve`, {}],
      ['POST', `/v1/approvals/${approval}/reject`, {}],
    );
    for (const [method, path, sent] of routes)
      expect([path, (await as(other, method, path, sent)).status]).toEqual([path, 404]);
    for (const list of ['/v1/agents', '/v1/tools', '/v1/runs', '/v1/approvals']) {
      expect((await as(other, 'GET', list)).body['data']).toEqual([]);
    }
    const foreign = native({ tools: [{ tool: toolId }] });
    expect((await as(other, 'POST', '/v1/agents', { name: 'thief', definition: foreign })).status).toBe(400);
    const named = await as(other, 'POST', '/v1/chat/completions', {
      model: 'agent/support',
      messages: [{ role: 'user', content: 'x' }],
    });
    expect(named.status).toBe(404);
  });

  test('a run waits for a person: the key that began it cannot say yes, somebody of the same role can', async () => {
    const key = await acme.keyOf('developer');
    const input = 'call:lintel_write {"method":"POST","path":"/v1/agents"}';
    const { body } = await t.call(key, 'POST', `/v1/agents/${agentId}/runs`, { input });
    const inbox = (await t.call(key, 'GET', '/v1/approvals?status=pending')).body['data'] as unknown as Json[];
    const approval = inbox.find((each) => each['run'] === body['id'])?.['id'];
    const own = (await t.call(key, 'GET', '/v1/auth/session')).body['permissions'];
    expect([own]).toMatchObject([expect.not.arrayContaining(['approvals:approve'])]);
    for (const path of [`/v1/approvals/${approval}/approve`, `/v1/runs/${body['id']}/approve`]) {
      const refused = await t.call(key, 'POST', path);
      expect([refused.status, refused.body['detail']]).toEqual([
        403,
        'A key may do this only where its scopes name approvals:approve.',
      ]);
    }
    const asked = { name: 'worse', role: 'developer', scopes: ['approvals:approve'] };
    expect((await t.call(key, 'POST', '/v1/api-keys', asked)).body['missing']).toEqual(['approvals:approve']);
    const { auth } = t.app.services;
    const person = { email: 'dev@acme.example', roles: ['developer'] };
    const { token } = await auth.invitations.invite(acme.uuid, person, systemCause('test'));
    const signedIn = await t.call(undefined, 'POST', '/v1/auth/invitations/accept', {
      token,
      name: 'Dev',
      password: 'a quiet house by the lake',
    });
    const cookie = String(signedIn.headers.get('set-cookie')).split(';')[0] as string;
    const said = await t.call(undefined, 'POST', `/v1/approvals/${approval}/approve`, {}, { cookie, origin: t.url });
    expect(said.body).toMatchObject({ status: 'approved', decidedBy: { kind: 'user', name: 'Dev' } });
  });

  test('secrets of a tool go only where they were entered for: who may change it cannot have them sent elsewhere', async () => {
    const baseUrl = new URL((tools.document as { servers: { url: string }[] }).servers[0]?.url ?? '').origin;
    const elsewhere = baseUrl.replace('127.0.0.1', 'localhost');
    const secrets = { authorization: 'Bearer very-secret' };
    const config = { kind: 'openapi', document: tools.document, baseUrl };
    const made = await as(acme, 'POST', '/v1/tools', { name: 'guarded', config, secrets });
    const path = `/v1/tools/${made.body['id']}`;
    const developer = await acme.keyOf('developer');
    const change = (body: unknown) => t.call(developer, 'PATCH', path, body);
    const moved = await change({ config: { ...config, baseUrl: elsewhere } });
    expect([moved.status, moved.body['errors']]).toMatchObject([400, [{ pointer: '/secrets' }]]);
    const named = { ...(tools.document as object), servers: [{ url: elsewhere }] };
    expect((await change({ config: { kind: 'openapi', document: named } })).status).toBe(400);
    expect((await change({ config: { ...config, baseUrl: `${baseUrl}/` } })).body).toMatchObject({ hasSecrets: true });
    expect((await change({ config: { ...config, baseUrl: elsewhere }, secrets })).status).toBe(200);
    expect((await change({ config, secrets: null })).body).toMatchObject({ hasSecrets: false });
    const calls: string[] = [];
    const server = createServer((request, response) => {
      calls.push(String(request.headers['authorization']));
      response.writeHead(500).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    await t.app.db.forTenant(acme.uuid, (tx) =>
      tx.execute(
        `UPDATE tools SET kind = 'mcp_http', config = '{"kind":"mcp_http","url":"https://mcp.example/"}', secret = 'enc:v1:x' WHERE tenant_id = $1 AND name = 'guarded'`,
        [acme.uuid],
      ),
    );
    expect((await change({ config: { kind: 'mcp_http', url } })).status).toBe(400);
    expect(calls).toEqual([]);
    server.close();
  });

  test('missing permission gets 403; no credential 401', async () => {
    const viewer = await acme.keyOf('viewer');
    expect((await t.call(viewer, 'GET', '/v1/agents')).status).toBe(200);
    for (const [method, path, body] of [
      ['POST', '/v1/agents', { name: 'x', definition: native() }],
      ['POST', `/v1/agents/${agentId}/runs`, { input: 'x' }],
      ['DELETE', `/v1/tools/${toolId}`, undefined],
    ] as const) {
      expect([path, (await t.call(viewer, method, path, body)).status]).toEqual([path, 403]);
    }
    expect((await t.call(undefined, 'GET', '/v1/runs')).status).toBe(401);
  });

  test('the lintel tool has no more rights than its caller', async () => {
    const key = await acme.keyOf('developer', { scopes: ['agents:invoke'] });
    const { body } = await t.call(key, 'POST', `/v1/agents/${agentId}/runs`, {
      input: 'call:lintel_read {"path":"/v1/agents"}',
    });
    expect(body).toMatchObject({ status: 'finished', output: { text: expect.stringContaining('403') } });
    const sneaky = await start(acme, 'call:lintel_read {"path":"/v1/../v1/agents"}');
    expect(sneaky.body).toMatchObject({ output: { text: expect.stringContaining('may not contain') } });
  });
});
