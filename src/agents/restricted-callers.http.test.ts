import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { systemCause } from '#kernel/cause';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

let t: TestApp;
let double: OpenAiDouble;
let acme: TestTenant;
const ids: Record<string, string> = {};

type Json = Record<string, unknown>;
const post = (key: string, path: string, body: unknown = {}) => t.call(key, 'POST', path, body);
const get = (key: string, path: string) => t.call(key, 'GET', path);
const run = (key: string, agent: string, input: string) => post(key, `/v1/agents/${ids[agent]}/runs`, { input });
const listed = async (key: string, path: string) => (await get(key, path)).body['data'] as unknown as Json[];

beforeAll(async () => {
  [t, double] = await Promise.all([startTestApp(), startOpenAiDouble()]);
  acme = await t.tenant('Acme');
  await post(t.operatorKey, '/v1/platform/egress-rules', { target: '127.0.0.0/8' });
  const provider = await post(t.operatorKey, '/v1/platform/providers', {
    preset: 'openai',
    name: 'house',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  await post(t.operatorKey, `/v1/platform/providers/${provider.body['id']}/models`, { name: 'double' });
  const tools = [{ tool: 'clock' }, { tool: 'lintel' }];
  for (const name of ['open', 'hidden']) {
    const definition = { kind: 'native', instructions: 'Help.', model: 'house/double', tools };
    ids[name] = String((await post(acme.key, '/v1/agents', { name, definition })).body['id']);
  }
});
afterAll(() => Promise.all([t.close(), double.close()]));

/** A key with all rights of a developer, named, that may call the agent `open` alone. */
async function restricted(): Promise<string> {
  const role = (await listed(acme.key, '/v1/roles')).find(({ name }) => name === 'developer');
  const cut = { scopes: role?.['permissions'], agents: [ids['open']] };
  const made = await post(acme.key, '/v1/api-keys', { name: 'one agent', ...cut });
  return String(made.body['key']);
}

// First: its lists hold what this block alone has begun.
describe('security', () => {
  describe('a key that may call one agent', () => {
    test('sees and touches no other agent’s runs and approvals', async () => {
      const key = await restricted();
      const waiting = async (agent: string) =>
        (await run(acme.key, agent, 'call:lintel_write {"method":"POST","path":"/v1/agents"}')).body['id'];
      const [own, foreign] = [await waiting('open'), await waiting('hidden')];
      const approvals = await listed(acme.key, '/v1/approvals?status=pending');
      const approval = approvals.find((each) => each['run'] === foreign)?.['id'];
      expect((await get(key, `/v1/runs/${own}`)).status).toBe(200);
      const unknown = await get(key, '/v1/runs/run_00000000000000000000000000');
      for (const [method, path, body] of [
        ['GET', `/v1/runs/${foreign}`],
        ['GET', `/v1/runs/${foreign}/events`],
        ['POST', `/v1/runs/${foreign}/cancel`],
        ['POST', `/v1/runs/${foreign}/review`, { decision: 'fail' }],
        ['POST', `/v1/runs/${foreign}/approve`],
        ['POST', `/v1/approvals/${approval}/approve`, {}],
        ['POST', `/v1/approvals/${approval}/reject`, {}],
      ] as const) {
        const answer = await t.call(key, method, path, body);
        expect([path, answer.status]).toEqual([path, 404]);
        if (path.endsWith(String(foreign))) expect(answer.body['detail']).toEqual(unknown.body['detail']);
      }
      expect((await listed(key, '/v1/runs')).map((each) => (each['agent'] as Json)['name'])).toEqual(['open']);
      expect(await listed(key, `/v1/runs?agent=${ids['hidden']}`)).toEqual([]);
      expect((await listed(key, '/v1/approvals')).map((each) => each['run'])).toEqual([own]);
      expect((await get(acme.key, `/v1/runs/${foreign}`)).body).toMatchObject({ status: 'waiting' });
      expect((await post(key, `/v1/runs/${own}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    });

    test('changes no other agent, and makes none', async () => {
      const key = await restricted();
      const definition = { kind: 'native', instructions: 'Other.', model: 'house/double' };
      expect((await listed(key, '/v1/agents')).map((each) => each['name'])).toEqual(['open']);
      for (const [method, path, body] of [
        ['GET', ''],
        ['GET', '/versions'],
        ['PATCH', '', { description: 'taken over' }],
        ['POST', '/versions', { definition }],
        ['PUT', '/aliases/mine', { version: 1 }],
        ['DELETE', '/aliases/live'],
        ['DELETE', ''],
      ] as const) {
        const answer = await t.call(key, method, `/v1/agents/${ids['hidden']}${path}`, body);
        expect([method, path, answer.status]).toEqual([method, path, 404]);
      }
      expect((await post(key, '/v1/agents', { name: 'mine', definition })).status).toBe(403);
      expect((await get(key, `/v1/agents/${ids['open']}`)).status).toBe(200);
    });
  });

  describe('the lintel tool', () => {
    test('acts with the scopes that the key has now, not with those it had', async () => {
      const made = await post(acme.key, '/v1/api-keys', { name: 'narrowed', role: 'developer' });
      const { body } = await run(
        String(made.body['key']),
        'open',
        'call:lintel_write {"method":"DELETE","path":"/v1/agents/x"}',
      );
      await t.call(acme.key, 'PATCH', `/v1/api-keys/${made.body['id']}`, { scopes: ['agents:invoke'] });
      const [approval] = await listed(acme.key, '/v1/approvals?status=pending');
      expect(approval?.['run']).toBe(body['id']);
      await post(acme.key, `/v1/approvals/${approval?.['id']}/approve`);
      await vi.waitFor(
        async () =>
          expect((await get(acme.key, `/v1/runs/${body['id']}`)).body).toMatchObject({
            status: 'finished',
            output: { text: expect.stringContaining('403') },
          }),
        10_000,
      );
    });

    test('leaves no secret that is shown once in the journal', async () => {
      const { body } = await run(
        acme.key,
        'open',
        'call:lintel_write {"method":"POST","path":"/v1/api-keys","body":{"name":"by agent","role":"admin"}} then call:lintel_write {"method":"POST","path":"/v1/members","body":{"email":"eve@acme.example","roles":["admin"]}}',
      );
      for (let asked = 0; asked < 2; asked++) {
        await vi.waitFor(async () => {
          const [approval] = await listed(acme.key, '/v1/approvals?status=pending');
          expect(approval?.['run']).toBe(body['id']);
          expect((await post(acme.key, `/v1/approvals/${approval?.['id']}/approve`)).status).toBe(200);
        }, 10_000);
      }
      await vi.waitFor(
        async () => expect((await get(acme.key, `/v1/runs/${body['id']}`)).body).toMatchObject({ status: 'finished' }),
        10_000,
      );
      const viewer = await acme.keyOf('viewer');
      const seen = (await get(viewer, `/v1/runs/${body['id']}`)).text;
      expect(seen).toContain('by agent');
      expect(seen).toContain('/invite#token=');
      expect(seen).not.toMatch(/lt_live_[0-9A-Za-z]{20}|#token=[\w-]{20}/);
    });
  });
});

describe('happy', () => {
  describe('the lintel tool', () => {
    test('acts for a person who signed in', async () => {
      const { auth } = t.app.services;
      const user = await auth.members.createUser(
        acme.uuid,
        { email: 'ada@acme.example', name: 'Ada', roles: ['developer'] },
        systemCause('test'),
      );
      const { token } = await auth.signIn.issueLoginLink(acme.uuid, user.id, 5, systemCause('test'));
      const signedIn = await fetch(`${t.url}/v1/auth/link`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token }),
      });
      const cookie = String(signedIn.headers.get('set-cookie')).split(';')[0] as string;
      const asAda = (path: string, body: unknown) =>
        t.call(undefined, 'POST', path, body, { cookie, origin: t.url }).then((answer) => answer.body);
      const path = `/v1/agents/${ids['open']}/runs`;
      const input = 'call:lintel_read {"path":"/v1/agents"}';
      expect(await asAda(path, { input })).toMatchObject({
        status: 'finished',
        output: { text: expect.stringContaining('200') },
      });
      // Disabled while the run waits: the call is refused, and nobody has to review what never happened.
      const { id } = await asAda(path, { input: 'call:lintel_write {"method":"DELETE","path":"/v1/agents/x"}' });
      const inbox = await listed(acme.key, '/v1/approvals?status=pending');
      await auth.members.updateMember(acme.uuid, user.id, { status: 'disabled' }, systemCause('test'), {
        tenantId: acme.uuid,
        roles: ['owner'],
      });
      await post(acme.key, `/v1/approvals/${inbox.find((each) => each['run'] === id)?.['id']}/approve`);
      await vi.waitFor(
        async () =>
          expect((await get(acme.key, `/v1/runs/${id}`)).body).toMatchObject({
            status: 'finished',
            output: { text: expect.stringContaining('no longer') },
          }),
        10_000,
      );
    });
  });
});

describe('errors', () => {
  test('names that every object has are no versions of an agent', async () => {
    const answer = await post(acme.key, '/v1/chat/completions', {
      model: 'agent/open@constructor',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(answer.status).toBe(404);
    expect(
      (await post(acme.key, `/v1/agents/${ids['open']}/runs`, { input: 'x', version: 'constructor' })).status,
    ).toBe(404);
  });
});
