import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

import { type EffectDouble, startEffectDouble } from '#test/effect-double';
import {
  api,
  connectDouble,
  type Ground,
  type Installation,
  openGround,
  openSetup,
  operatorKeyOf,
  startInstallation,
} from '#test/installation';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

type Setup = Awaited<ReturnType<typeof openSetup>>;

let ground: Ground;
let double: OpenAiDouble;
let ledger: EffectDouble;
let one: Installation;
let two: Installation;
let setup: Setup;
let operator: string;
let tenant: { id: string; uuid: string };
let owner: string;

beforeAll(async () => {
  ground = await openGround({ adminUrl: inject('adminUrl') });
  double = await startOpenAiDouble();
  ledger = await startEffectDouble(50);
  one = await startInstallation(ground, 'one');
  two = await startInstallation(ground, 'two');
  operator = await operatorKeyOf(one);
  setup = await openSetup(ground);
  await connectDouble(one.url, operator, double.url, DOUBLE_KEY, [{ name: 'double' }, { name: 'double-slow-400' }]);
  tenant = await setup.tenant('Acme');
  owner = (await setup.key(tenant.uuid, 'owner')).secret;
  await eventually(() => both(owner, 'double/double').then((all) => all.every((status) => status === 200)));
}, 180_000);
afterAll(async () => {
  await setup?.close();
  await Promise.all([one?.stop(), two?.stop()]);
  await Promise.all([double?.close(), ledger?.close()]);
  await ground?.close();
}, 60_000);

describe('happy', () => {
  test('the overview of each node shows the processes and calls of both', async () => {
    type Overview = {
      byNode: { id: string; role: string; requestsPerSecond: number }[];
      byTenant: { tenantId: string; name: string; requests: number }[];
      requestsPerSecond: number;
    };
    const overview = (url: string) => api<Overview>(url, operator, 'GET', '/v1/platform/overview');
    const seen = await setup.tenant('Overseen');
    const { secret } = await setup.key(seen.uuid);
    await eventually(() => both(secret, 'double/double').then((all) => all.every((each) => each === 200)));
    const before = (await overview(one.url)).byTenant.find(({ tenantId }) => tenantId === seen.id)?.requests ?? 0;
    const answers = await Promise.all([one, one, one, two, two].map(({ url }) => call(url, secret, 'double/double')));
    const ids = answers.map(({ headers }) => headers.get('x-request-id'));
    for (const { url } of [one, two]) {
      // The calls before these may leave the minute that the overview spans meanwhile, or be shown late; those of this tenant are counted.
      await eventually(async () => {
        const { byTenant, byNode } = await overview(url);
        const mine = byTenant.find(({ tenantId }) => tenantId === seen.id);
        const busy = byNode.filter(({ role, requestsPerSecond }) => role === 'front' && requestsPerSecond > 0);
        return mine?.name === 'Overseen' && mine.requests >= Math.max(5, before) && busy.length === 2;
      });
      const listed = await api<{ data: { id: string }[] }>(url, operator, 'GET', '/v1/platform/calls?limit=50');
      expect(listed.data.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
    }
    const [here, there] = [await overview(one.url), await overview(two.url)];
    for (const role of ['front', 'background'])
      expect([role, here.byNode.filter((node) => node.role === role).length]).toEqual([role, 2]);
    const idsOf = ({ byNode }: Overview) => byNode.map(({ id }) => id).sort();
    expect(idsOf(here)).toEqual(idsOf(there));
    const nodes = await api<{ data: { id: string }[] }>(two.url, operator, 'GET', '/v1/platform/nodes');
    expect(nodes.data.map(({ id }) => id).sort()).toEqual(idsOf(here));
  }, 60_000);
});

describe('security', () => {
  test('a key revoked on one node is refused on the other; its stream there is closed', async () => {
    const { id, secret } = await setup.key(tenant.uuid);
    await eventually(() => both(secret, 'double/double').then((all) => all.every((each) => each === 200)));
    const stream = await fetch(`${two.url}/v1/stream?topics=calls`, { headers: { authorization: `Bearer ${secret}` } });
    expect(stream.status).toBe(200);
    await api(one.url, owner, 'DELETE', `/v1/api-keys/${id}`);
    // How soon is measured by `prove freshness`.
    await eventually(() => both(secret, 'double/double').then((all) => all.every((each) => each === 401)));
    expect(await stream.text()).toContain('event: closed');
  }, 60_000);
});

// Last: it ends a machine.
describe('errors', () => {
  test('a limit of the tenant counts calls of both nodes', async () => {
    const limited = await setup.tenant('Limited');
    const { secret } = await setup.key(limited.uuid);
    await eventually(() => both(secret, 'double/double').then((all) => all.every((status) => status === 200)));
    await api(one.url, operator, 'POST', `/v1/platform/tenants/${limited.id}/limits`, {
      scope: 'tenant',
      resource: 'concurrency',
      window: 'none',
      amount: '4',
    });
    await sleep(1_200);
    const before = double.count();
    const statuses = await Promise.all(
      Array.from({ length: 16 }, (_, n) => status((n % 2 === 0 ? one : two).url, secret, 'double/double-slow-400')),
    );
    // Those that wait a moment for a slot may get one when the first calls end; never are more than four under way.
    expect(statuses.filter((each) => each === 429).length).toBeGreaterThan(0);
    expect(statuses.filter((each) => each === 200).length).toBe(double.count() - before);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  }, 60_000);

  test('the other node goes on with a background run when the first machine is gone; no call is lost', async () => {
    await api(one.url, operator, 'POST', '/v1/platform/egress-rules', {
      tenantId: tenant.id,
      target: `127.0.0.1:${ledger.port}`,
    });
    const tool = await api<{ id: string }>(one.url, owner, 'POST', '/v1/tools', {
      name: 'ledger',
      config: { kind: 'openapi', document: ledger.document, idempotent: ['put'] },
    });
    const agent = await api<{ id: string }>(one.url, owner, 'POST', '/v1/agents', {
      name: 'clerk',
      definition: {
        kind: 'native',
        instructions: 'Keep the ledger.',
        model: 'double/double-slow-400',
        tools: [{ tool: tool.id }],
      },
    });
    await sleep(1_200);
    const steps = Array.from({ length: 4 }, (_, n) => `call:ledger_put {"id":"step-${n}"}`).join(' then ');
    const runs = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        api<{ id: string }>(one.url, owner, 'POST', `/v1/agents/${agent.id}/runs`, {
          input: steps.replaceAll('step-', `run-${n}-`),
          mode: 'background',
        }),
      ),
    );
    const calls = await Promise.all(Array.from({ length: 20 }, () => call(one.url, owner, 'double/double')));
    await eventually(async () => {
      const [row] = await ground.query<{ n: string }>("SELECT count(*) AS n FROM runs WHERE status = 'running'");
      return Number(row?.n) > 0;
    });
    await one.vanish();
    await eventually(async () => {
      const states = await Promise.all(
        runs.map(async ({ id }) => (await api<{ status: string }>(two.url, owner, 'GET', `/v1/runs/${id}`)).status),
      );
      return states.every((state) => state === 'finished');
    }, 60_000);
    for (let run = 0; run < 6; run++)
      for (let step = 0; step < 4; step++) expect(ledger.effects.get(`put run-${run}-${step}`)).toBe(1);
    for (const { headers } of calls) await api(two.url, owner, 'GET', `/v1/calls/${headers.get('x-request-id')}`);
  }, 120_000);
});

async function call(url: string, key: string, model: string): Promise<Response> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'say:hello' }], max_tokens: 20 }),
  });
  await response.text();
  return response;
}

async function status(url: string, key: string, model: string): Promise<number> {
  return (await call(url, key, model)).status;
}

function both(key: string, model: string): Promise<number[]> {
  return Promise.all([one, two].map(({ url }) => status(url, key, model)));
}

async function eventually(holds: () => Promise<boolean>, ms = 20_000): Promise<void> {
  for (const end = performance.now() + ms; !(await holds()); await sleep(100))
    if (performance.now() > end) throw new Error(`not within ${ms} ms`);
}
