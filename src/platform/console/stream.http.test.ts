import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { systemCause } from '#kernel/cause';
import { parseId } from '#kernel/ids';
import { platformTenantId } from '#tenancy';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';

let t: TestApp;
let acme: TestTenant;
const agents: Record<string, string> = {};
const ends: AbortController[] = [];

type Json = Record<string, unknown>;
const get = (key: string, path: string) => t.call(key, 'GET', path);
const listed = async (key: string, path: string) => (await get(key, path)).body['data'] as unknown as Json[];

beforeAll(async () => {
  t = await startTestApp();
  acme = await t.tenant('Acme');
  for (const name of ['open', 'hidden']) {
    const definition = {
      kind: 'native',
      instructions: 'Help.',
      model: 'lintel/router',
      tools: [{ tool: 'calculator' }],
    };
    const made = await t.call(acme.key, 'POST', '/v1/agents', { name, definition });
    expect(made.status).toBe(201);
    agents[name] = String(made.body['id']);
  }
});
afterAll(async () => {
  for (const end of ends) end.abort();
  await t.close();
});

/** Runs an agent to its end; returns the ids of its call and its run. */
async function run(key: string, agent: string): Promise<{ call: string; run: string }> {
  const answer = await t.call(key, 'POST', `/v1/agents/${agents[agent]}/runs`, { input: 'What is 12 * 34?' });
  expect([answer.status, answer.body]).toMatchObject([200, { status: 'finished' }]);
  return { call: String(answer.headers.get('x-request-id')), run: String(answer.body['id']) };
}

async function ask(key: string): Promise<string> {
  const body = { model: 'lintel/router', messages: [{ role: 'user', content: 'hello' }] };
  const answer = await t.call(key, 'POST', '/v1/chat/completions', body);
  expect(answer.status).toBe(200);
  return String(answer.headers.get('x-request-id'));
}

async function keyFor(agent: string): Promise<{ id: string; key: string }> {
  const made = await t.call(acme.key, 'POST', '/v1/api-keys', {
    name: `for ${agent}`,
    role: 'developer',
    agents: [agents[agent]],
  });
  expect(made.status).toBe(201);
  return { id: String(made.body['id']), key: String(made.body['key']) };
}

/** Opens a stream; `said` grows as it speaks. */
async function listen(key: string, topics: string, lastEventId?: string) {
  const end = new AbortController();
  ends.push(end);
  const heard = { status: 0, said: '', ended: false };
  const response = await fetch(`${t.url}/v1/stream?topics=${topics}`, {
    headers: { authorization: `Bearer ${key}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) },
    signal: end.signal,
  });
  heard.status = response.status;
  const reading = async () => {
    const decoder = new TextDecoder();
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>)
      heard.said += decoder.decode(part, { stream: true });
  };
  reading()
    .catch(() => undefined)
    .finally(() => {
      heard.ended = true;
    });
  return heard;
}

describe('happy', () => {
  test('a key that is cut down to some agents knows of what is theirs, and of its own calls', async () => {
    const { key } = await keyFor('open');
    const [hidden, open] = [await run(acme.key, 'hidden'), await run(acme.key, 'open')];
    const [foreign, own] = [await ask(acme.key), await ask(key)];
    expect((await listed(acme.key, '/v1/calls')).map((call) => call['id'])).toEqual([
      own,
      foreign,
      open.call,
      hidden.call,
    ]);
    expect((await listed(key, '/v1/calls')).map((call) => call['id'])).toEqual([own, open.call]);
    expect(await listed(key, `/v1/calls?agentId=${agents['hidden']}`)).toEqual([]);
    for (const id of [own, open.call]) expect((await get(key, `/v1/calls/${id}`)).body).toMatchObject({ id });
    const unknown = await get(key, '/v1/calls/call_01m81x081pe00bzdk2kknyq7wt');
    for (const id of [hidden.call, foreign]) {
      expect((await get(acme.key, `/v1/calls/${id}`)).status).toBe(200);
      const answer = await get(key, `/v1/calls/${id}`);
      expect([answer.status, { ...answer.body, requestId: '' }]).toEqual([404, { ...unknown.body, requestId: '' }]);
    }
    const groups = async (by: string) => (await listed(key, `/v1/usage?groupBy=agent`)).map((sum) => sum[by]);
    await vi.waitFor(async () => expect((await listed(acme.key, '/v1/usage?groupBy=agent')).length).toBe(3), 10_000);
    expect(await groups('group')).toEqual(['', agents['open']]);
    const all = (await listed(acme.key, '/v1/usage?groupBy=type')).find((sum) => sum['group'] === 'agent.run');
    const part = (await listed(key, '/v1/usage?groupBy=type')).find((sum) => sum['group'] === 'agent.run');
    expect([all?.['events'], part?.['events']]).toEqual([2, 1]);
  });

  test('so does its stream: as it happens, and what is replayed', async () => {
    const { key } = await keyFor('open');
    const topics = 'calls,runs,approvals';
    const stream = await listen(key, topics);
    const whole = await listen(acme.key, topics);
    await vi.waitFor(
      () => expect([stream.said, whole.said].every((said) => said.includes('event: calls'))).toBe(true),
      10_000,
    );
    const [hidden, open] = [await run(acme.key, 'hidden'), await run(acme.key, 'open')];
    const seesRun = (said: string, id: string) => said.includes('agents.run.finished') && said.includes(id);
    await vi.waitFor(() => {
      for (const each of [stream, whole]) {
        expect(seesRun(each.said, open.run)).toBe(true);
        expect(each.said).toContain(`"id":"${open.call}"`);
      }
    }, 10_000);
    // What metering needs of a run is for nobody who watches.
    expect(whole.said).toContain('"usage":{');
    expect(whole.said).not.toMatch(/"(charges|leaseId|cost|ownCost)"/);
    for (const id of [hidden.call, hidden.run]) {
      expect(whole.said).toContain(id);
      expect(stream.said).not.toContain(id);
    }
    expect(stream.said).not.toContain(agents['hidden']);
    const again = await listen(key, 'runs', '1');
    await vi.waitFor(() => expect(seesRun(again.said, open.run)).toBe(true), 10_000);
    expect(again.said).not.toContain(hidden.run);
    expect(again.said).not.toContain('event: reset');
  });

  test('and of the audit log what is about its agents, or its own doing', async () => {
    const { auth, agents: own } = t.app.services;
    const open = parseId('agent', agents['open'] as string) as string;
    const narrow = { name: 'auditor of one', role: 'admin', agents: [open] };
    const { secret } = await auth.keys.createKey(acme.uuid, narrow, systemCause('test'));
    const stream = await listen(secret, 'audit');
    for (const name of ['hidden', 'open'])
      await own.agents.updateAgent(
        acme.uuid,
        parseId('agent', agents[name] as string) as string,
        { description: `changed: ${name}` },
        systemCause('test'),
      );
    const again = await listen(secret, 'audit', '1');
    await vi.waitFor(() => {
      for (const each of [stream, again]) expect(each.said).toContain('agents.agent.updated');
    }, 10_000);
    for (const each of [stream, again]) expect(each.said).not.toContain(agents['hidden']);
  });

  test('a key of the platform streams what its role shows, of all tenants', async () => {
    const stream = await listen(t.operatorKey, 'overview,calls,audit');
    expect(stream.status).toBe(200);
    await vi.waitFor(() => expect(stream.said).toContain('event: overview'), 10_000);
    const { call } = await run(acme.key, 'open');
    const made = await keyFor('open');
    await vi.waitFor(() => {
      expect(stream.said).toContain(`"id":"${call}"`);
      expect(stream.said).toContain(made.id);
    }, 10_000);
    // Ids are those of the API, in the data too.
    const line = stream.said.split('\n').find((text) => text.includes('auth.key.created') && text.includes(made.id));
    expect(JSON.parse(line?.slice('data: '.length) ?? '')).toMatchObject({
      id: expect.stringMatching(/^evt_/),
      tenantId: acme.id,
      subject: { kind: 'key', id: made.id },
      data: { after: { agents: [agents['open']] } },
    });
  });
});

describe('errors', () => {
  test('a topic that there is not, and an event id that is none', async () => {
    expect((await get(acme.key, '/v1/stream?topics=overview')).status).toBe(400);
    expect((await get(t.operatorKey, '/v1/stream?topics=runs')).status).toBe(400);
    expect((await t.call(acme.key, 'GET', '/v1/stream?topics=runs', undefined, { 'last-event-id': 'x' })).status).toBe(
      400,
    );
  });
});

describe('security', () => {
  test('a stream asks for the permission of each topic, whoever the key belongs to', async () => {
    const { auth } = t.app.services;
    const narrow = (tenantId: string, scopes: string[]) =>
      auth.keys.createKey(tenantId, { name: 'narrow', scopes }, systemCause('test')).then(({ secret }) => secret);
    const nodes = await narrow(platformTenantId, ['platform-nodes:read']);
    const audit = await narrow(platformTenantId, ['platform-audit-events:read']);
    for (const [key, topics, status] of [
      [nodes, 'overview', 403],
      [nodes, 'audit', 403],
      [audit, 'overview,audit', 403],
      [await narrow(acme.uuid, ['runs:read']), 'runs,calls', 403],
    ] as const)
      expect([topics, (await get(key, `/v1/stream?topics=${topics}`)).status]).toEqual([topics, status]);
    expect((await listen(audit, 'audit')).status).toBe(200);
  });

  test('who is cut down while reading is cut off, and comes back with what is left', async () => {
    const made = await t.call(acme.key, 'POST', '/v1/api-keys', { name: 'to be cut', role: 'developer' });
    const key = String(made.body['key']);
    const stream = await listen(key, 'calls');
    const cut = await t.call(acme.key, 'PATCH', `/v1/api-keys/${made.body['id']}`, { agents: [agents['open']] });
    expect(cut.status).toBe(200);
    await vi.waitFor(() => expect(stream.ended).toBe(true), 10_000);
    expect(stream.said).toContain('event: closed');
    const again = await listen(key, 'calls');
    await vi.waitFor(() => expect(again.said).toContain('event: calls'), 10_000);
    expect(again.said).not.toContain(agents['hidden']);
  });
});
