import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { TestClock } from '#kernel/clock';
import { createEgress } from '#kernel/egress';
import { formatId, newId } from '#kernel/ids';
import { createLogger } from '#kernel/logger';
import { Problem } from '#kernel/problem';
import { Sealer } from '#kernel/seal';
import { Snapshots } from '#kernel/snapshot';
import { routeMessage } from '#models/router';
import { platformTenantId } from '#tenancy';
import { type TestDatabase, testDatabase } from '#test/database';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

import { createModelsModule, type ModelsModule } from './module.ts';

let t: TestDatabase;
let double: OpenAiDouble;
let models: ModelsModule;
let snapshots: Snapshots;
const lines: string[] = [];
const clock = new TestClock('2026-11-22T10:00:00Z', process.env['NODE_ENV']);
const log = createLogger('trace', {}, { write: (line) => void lines.push(line) });
const sealer = new Sealer('ab'.repeat(32));
const cause = { actor: { kind: 'user', id: newId() } as const };
let acme: string;
let other: string;

beforeAll(async () => {
  [t, double] = await Promise.all([testDatabase(), startOpenAiDouble()]);
  snapshots = new Snapshots(t.db);
  models = make(snapshots);
  await snapshots.loadAll();
  t.db.onCommit((events) => snapshots.apply(events));
});
afterAll(() => Promise.all([t.close(), double.close()]));
beforeEach(() => {
  [acme, other] = [newId(), newId()];
});

function make(own: Snapshots): ModelsModule {
  const egress = createEgress({
    allow: () => module.egressAllow(),
    log,
    lookup: async () => [{ address: '93.184.216.34', family: 4 }],
  });
  const environment = { DEEPSEEK_API_KEY: 'sk-from-the-environment', PATH: '/bin' };
  const module = createModelsModule({
    db: t.db,
    snapshots: own,
    clock,
    log,
    sealer,
    egress,
    routeMessage,
    environment,
  });
  return module;
}

const openai = (more = {}) => ({ preset: 'openai' as const, apiKey: 'sk-live-0123456789', ...more });

async function status(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof Problem)
      return `${error.kind.status} ${error.kind.type} ${error.details.errors?.[0]?.pointer ?? ''}`.trim();
    throw error;
  }
  return 'done';
}

/** A platform provider of its own name, with one model; removed by nobody: names are unique per test. */
async function platformModel(name: string, model: { name: string } & Record<string, unknown>, provider = {}) {
  const row = await models.manager.createProvider(platformTenantId, openai({ name, ...provider }), cause);
  return { row, model: await models.catalogue.createModel(platformTenantId, row.id, model, cause) };
}

test('a connected model resolves from memory, with its key opened only for the request', async () => {
  const { row } = await platformModel('p-resolve', { name: 'gpt-4.1' });
  const target = models.resolve(acme, 'p-resolve/gpt-4.1', 'live');
  expect(target).toMatchObject({
    id: 'p-resolve/gpt-4.1',
    provider: 'p-resolve',
    model: 'gpt-4.1',
    baseUrl: 'https://api.openai.com/v1',
    ownedBy: 'platform',
    ownerTenantId: platformTenantId,
    contextTokens: 1_047_576,
    maxOutputTokens: 32_768,
    outputCap: { field: 'max_completion_tokens', coversReasoning: true },
    cost: undefined,
    fallbacks: [],
  });
  expect(target.headers()).toEqual({ authorization: 'Bearer sk-live-0123456789' });
  expect(JSON.stringify(target)).not.toContain('sk-live');
  const kept = await t.db.forTenant(platformTenantId, (tx) =>
    tx.one<{ keySealed: string; keyHint: string }>('SELECT key_sealed, key_hint FROM providers WHERE id = $1', [
      row.id,
    ]),
  );
  expect(kept.keySealed).toMatch(/^enc:v1:/);
  expect(kept.keySealed).not.toContain('sk-live');
  expect(kept.keyHint).toBe('6789');
});

test('names with slashes keep theirs; unknown ones are 404 in the two forms', async () => {
  await platformModel('p-slash', { name: 'Qwen/Qwen3-8B:free' });
  expect(models.resolve(acme, 'p-slash/Qwen/Qwen3-8B:free', 'live').model).toBe('Qwen/Qwen3-8B:free');
  for (const id of ['p-slash/none', 'nobody/x', '/x', 'gpt-4.1', '']) {
    expect(await status(() => models.resolve(acme, id, 'live'))).toBe('404 model-not-found');
  }
  expect(() => models.resolve(acme, 'gpt-4.1', 'live')).toThrow(/provider\/model.*agent\/name/);
});

test('a tenant’s own provider hides the platform’s of that name, for it alone', async () => {
  await platformModel('p-own', { name: 'm' });
  const own = await models.manager.createProvider(acme, openai({ name: 'p-own', apiKey: 'sk-of-acme-0001' }), cause);
  expect(await status(() => models.resolve(acme, 'p-own/m', 'live'))).toBe('404 model-not-found');
  const model = await models.catalogue.createModel(acme, own.id, { name: 'm' }, cause);
  expect(models.resolve(acme, 'p-own/m', 'live')).toMatchObject({ ownedBy: 'tenant', ownerTenantId: acme });
  expect(models.resolve(acme, 'p-own/m', 'live').apiKey()).toBe('sk-of-acme-0001');
  expect(models.resolve(other, 'p-own/m', 'live').ownedBy).toBe('platform');
  await models.manager.updateProvider(acme, own.id, { status: 'disabled' }, cause);
  // Not the platform's: a tenant that turned its own off must not find itself billed for another.
  expect(await status(() => models.resolve(acme, 'p-own/m', 'live'))).toBe('404 model-not-found');
  await models.catalogue.deleteModel(acme, own.id, model.id, cause);
  await models.manager.deleteProvider(acme, own.id, cause);
  expect(models.resolve(acme, 'p-own/m', 'live').ownedBy).toBe('platform');
});

test('a restricted provider exists for the named tenants only', async () => {
  const { row } = await platformModel('p-shared', { name: 'm' }, { sharedWith: [acme] });
  expect(models.resolve(acme, 'p-shared/m', 'live').provider).toBe('p-shared');
  expect(await status(() => models.resolve(other, 'p-shared/m', 'live'))).toBe('404 model-not-found');
  expect(models.list(other).some((each) => each.id === 'p-shared/m')).toBe(false);
  await models.manager.updateProvider(platformTenantId, row.id, { sharedWith: null }, cause);
  expect(models.list(other).some((each) => each.id === 'p-shared/m')).toBe(true);
});

test('test keys get only what the platform marks cheap, fallbacks included', async () => {
  await platformModel('p-cheap-b', { name: 'dear' });
  await platformModel('p-cheap-c', { name: 'cheap', cheap: true });
  await platformModel('p-cheap', {
    name: 'm',
    cheap: true,
    fallbacks: ['p-cheap-b/dear', 'p-cheap-c/cheap', 'gone/x'],
  });
  expect(models.resolve(acme, 'p-cheap/m', 'live').fallbacks.map((each) => each.id)).toEqual([
    'p-cheap-b/dear',
    'p-cheap-c/cheap',
  ]);
  expect(models.resolve(acme, 'p-cheap/m', 'test').fallbacks.map((each) => each.id)).toEqual(['p-cheap-c/cheap']);
  expect(await status(() => models.resolve(acme, 'p-cheap-b/dear', 'test'))).toBe('403 model-not-for-test-keys');
  expect(models.list(acme, 'test').map((each) => each.id)).toContain('p-cheap/m');
  expect(models.list(acme, 'test').map((each) => each.id)).not.toContain('p-cheap-b/dear');
  expect(models.resolve(acme, 'lintel/router', 'test').provider).toBe('lintel');
});

test('a tenant cannot mark its own models for test keys', async () => {
  const own = await models.manager.createProvider(acme, openai({ name: 'mine' }), cause);
  await models.catalogue.createModel(acme, own.id, { name: 'm', cheap: true }, cause);
  expect(models.resolve(acme, 'mine/m', 'live').cheap).toBe(false);
  expect(await status(() => models.resolve(acme, 'mine/m', 'test'))).toBe('403 model-not-for-test-keys');
});

test('a platform’s model never falls back on a tenant’s own provider', async () => {
  await platformModel('p-fall', { name: 'm', fallbacks: ['acme-own/m'] });
  const own = await models.manager.createProvider(acme, openai({ name: 'acme-own' }), cause);
  await models.catalogue.createModel(acme, own.id, { name: 'm' }, cause);
  expect(models.resolve(acme, 'p-fall/m', 'live').fallbacks).toEqual([]);
});

test('the router comes first in every list, labelled as what it is, at price 0', () => {
  expect(models.list(acme)[0]).toMatchObject({
    id: 'lintel/router',
    ownedBy: 'lintel',
    engine: 'deterministic-router',
  });
  const target = models.resolve(acme, 'lintel/router', 'live');
  expect(models.cost(target, { input_tokens: 10, output_tokens: 5 }, clock.now())?.cost).toBe('0');
});

test('cost is what the price book said at that instant', async () => {
  const { row, model } = await platformModel('p-price', { name: 'm' });
  const target = models.resolve(acme, 'p-price/m', 'live');
  const used = { input_tokens: 1000, cached_input_tokens: 0, output_tokens: 100, reasoning_tokens: 0 };
  expect(models.cost(target, used, clock.now())).toBeNull();
  const where = [platformTenantId, row.id, model.id] as const;
  const price = (validFrom: string, input: string) =>
    models.catalogue.setPrice(
      ...where,
      { currency: 'USD', validFrom, prices: { input_tokens: input, output_tokens: '0.00001' } },
      cause,
    );
  await price('2026-11-01T00:00:00Z', '0.000001');
  await price('2026-12-01T01:00:00+01:00', '0.000002');
  const at = (time: string) => models.cost(target, used, Temporal.Instant.from(time));
  expect(at('2026-10-31T23:59:59Z')).toBeNull();
  expect(at('2026-11-22T10:00:00Z')).toEqual({ cost: '0.002', currency: 'USD' });
  expect(at('2026-12-01T00:00:00Z')).toEqual({ cost: '0.003', currency: 'USD' });
  // The target a call began with shows the price of now.
  expect(models.resolve(acme, 'p-price/m', 'live').cost?.prices).toEqual({
    input_tokens: '0.000001',
    output_tokens: '0.00001',
  });
  await price('2026-11-01T00:00:00Z', '0.000005');
  expect(at('2026-11-22T10:00:00Z')?.cost).toBe('0.006');
  expect((await models.catalogue.listPrices(...where)).map((entry) => entry.validFrom)).toEqual([
    '2026-12-01T00:00:00Z',
    '2026-11-01T00:00:00Z',
  ]);
  const wrong = (input: object) =>
    status(models.catalogue.setPrice(...where, { currency: 'USD', prices: { requests: '1' }, ...input }, cause));
  expect(await wrong({ currency: 'XYZ' })).toBe('400 invalid-input /currency');
  expect(await wrong({ prices: {} })).toBe('400 invalid-input /prices');
  for (const validFrom of ['yesterday', '2026-12-01', '+200000-01-01T00:00:00Z'])
    expect(await wrong({ validFrom })).toBe('400 invalid-input /validFrom');
});

test('another tenant’s provider is as unknown as none', async () => {
  const row = await models.manager.createProvider(acme, openai(), cause);
  const model = await models.catalogue.createModel(acme, row.id, { name: 'm' }, cause);
  for (const id of [row.id, newId()]) {
    expect(await status(models.manager.getProvider(other, id))).toBe('404 not-found');
    expect(await status(models.manager.updateProvider(other, id, { status: 'disabled' }, cause))).toBe('404 not-found');
    expect(await status(models.manager.deleteProvider(other, id, cause))).toBe('404 not-found');
    expect(await status(models.catalogue.listModels(other, id, undefined, 10))).toBe('404 not-found');
    expect(await status(models.catalogue.createModel(other, id, { name: 'x' }, cause))).toBe('404 not-found');
    expect(await status(models.catalogue.deleteModel(other, id, model.id, cause))).toBe('404 not-found');
  }
  expect((await models.manager.listProviders(other, undefined, 10)).data).toEqual([]);
  expect((await models.manager.getProvider(acme, row.id)).status).toBe('active');
  // Below the manager: row-level security itself.
  const seen = await t.db.forTenant(other, (tx) => tx.query('SELECT id FROM models'));
  expect(seen).toEqual([]);
});

test('a key goes only where it was entered for', async () => {
  const row = await models.manager.createProvider(acme, openai({ name: 'moves' }), cause);
  const move = (change: object) => status(models.manager.updateProvider(acme, row.id, change, cause));
  expect(await move({ baseUrl: 'https://elsewhere.example/v1' })).toBe('400 invalid-input /apiKey');
  expect(await move({ baseUrl: 'https://api.openai.com/v2' })).toBe('done');
  expect(await move({ baseUrl: 'https://elsewhere.example/v1', apiKey: 'sk-another-0042' })).toBe('done');
  expect(await move({ apiKey: null })).toBe('400 provider-key-needed /apiKey');
  expect((await models.manager.getProvider(acme, row.id)).keyHint).toBe('0042');
  expect(await status(models.manager.createProvider(acme, { preset: 'openai', name: 'none' }, cause))).toBe(
    '400 provider-key-needed /apiKey',
  );
});

test('addresses are checked: form, private ranges, plain http', async () => {
  const connect = (tenant: string, baseUrl: string) =>
    status(
      models.manager.createProvider(
        tenant,
        { preset: 'openai-compatible', name: `a-${newId()}`.slice(0, 40), baseUrl },
        cause,
      ),
    );
  const wrong = '400 invalid-input /baseUrl';
  for (const bad of ['', 'nonsense', 'ftp://x.example', 'https://u:p@x.example/v1', 'https://x.example/v1?key=1']) {
    expect(await connect(acme, bad)).toBe(wrong);
    expect(await connect(platformTenantId, bad)).toBe(wrong);
  }
  for (const closed of [
    'http://127.0.0.1:11434/v1',
    'https://10.0.0.7/v1',
    'https://[::1]:8443/v1',
    'http://public.example/v1',
  ]) {
    expect(await connect(acme, closed)).toBe(wrong);
  }
  expect(await connect(acme, 'https://public.example/v1')).toBe('done');
  expect(await connect(platformTenantId, 'http://127.0.0.1:11434/v1')).toBe('done');
});

test('an egress rule opens an address to its tenant only, at once, and closes it again', async () => {
  const [create] = models.routes?.filter((each) => each.operationId === 'models.createEgressRule') ?? [];
  expect(create?.area).toBe('platform');
  const target = `127.0.0.1:${double.port}`;
  const connect = (tenant: string) =>
    models.manager.createProvider(
      tenant,
      { preset: 'openai-compatible', name: 'local', baseUrl: double.url, apiKey: DOUBLE_KEY },
      cause,
    );
  expect(await status(connect(acme))).toBe('400 invalid-input /baseUrl');
  const made = (await answer('models.createEgressRule', { body: { tenantId: formatId('tenant', acme), target } })) as {
    id: string;
  };
  expect(await status(connect(other))).toBe('400 invalid-input /baseUrl');
  const row = await connect(acme);
  await models.catalogue.createModel(acme, row.id, { name: 'double' }, cause);
  const call = () =>
    models.generate({
      target: models.resolve(acme, 'local/double', 'live'),
      messages: [{ role: 'user', content: 'say:hello' }],
    });
  expect((await call()).text).toBe('hello');
  expect(
    await answer('models.testProvider', { params: { id: formatId('provider', row.id) }, tenantId: acme }),
  ).toMatchObject({
    ok: true,
    models: ['double', 'double-embedding'],
  });
  expect(
    await status(answer('models.createEgressRule', { body: { tenantId: formatId('tenant', acme), target } })),
  ).toMatch(/^409/);
  expect(await status(answer('models.createEgressRule', { body: { target: '127.0.0.1' } }))).toBe(
    '400 invalid-input /target',
  );
  await answer('models.deleteEgressRule', { params: { id: made.id } });
  expect(await status(call())).toMatch(/^502/);
  expect(await status(answer('models.deleteEgressRule', { params: { id: made.id } }))).toBe('404 not-found');
});

test('a key offered from the environment is taken only by operators and only by a preset’s own name', async () => {
  const take = (tenant: string, apiKeyVariable: string) =>
    models.manager.createProvider(tenant, { preset: 'deepseek', name: `d-${tenant.slice(-6)}`, apiKeyVariable }, cause);
  expect(await status(take(acme, 'DEEPSEEK_API_KEY'))).toBe('400 invalid-input /apiKeyVariable');
  expect(await status(take(platformTenantId, 'PATH'))).toBe('400 invalid-input /apiKeyVariable');
  expect((await take(platformTenantId, 'DEEPSEEK_API_KEY')).keyHint).toBe('ment');
  const offers = (await answer('models.listProviderOffers', {})) as { data: { preset: string }[] };
  expect(offers.data.map((each) => each.preset)).toContain('deepseek');
});

test('names are unique, reserved ones refused, models too', async () => {
  const row = await models.manager.createProvider(acme, openai(), cause);
  expect(row.name).toBe('openai');
  expect(await status(models.manager.createProvider(acme, openai(), cause))).toBe('409 name-taken /name');
  expect(await status(models.manager.createProvider(acme, openai({ name: 'lintel' }), cause))).toBe(
    '400 invalid-input /name',
  );
  expect(await status(models.manager.createProvider(acme, openai({ name: 'agent' }), cause))).toBe(
    '400 invalid-input /name',
  );
  const model = await models.catalogue.createModel(acme, row.id, { name: 'm' }, cause);
  expect(await status(models.catalogue.createModel(acme, row.id, { name: 'm' }, cause))).toBe('409 name-taken /name');
  const fall = (id: string) => status(models.catalogue.updateModel(acme, row.id, model.id, { fallbacks: [id] }, cause));
  expect(await fall('lintel/router')).toBe('400 invalid-input /fallbacks/0');
  expect(await fall('no-slash')).toBe('400 invalid-input /fallbacks/0');
  expect(await fall('openai/other')).toBe('done');
});

test('pages go on where the last ended, and a cursor of another tenant shows nothing of it', async () => {
  for (const name of ['a', 'b', 'c']) await models.manager.createProvider(acme, openai({ name }), cause);
  const read = (tenantId: string, query: object) =>
    answer('models.listProviders', { tenantId, query }) as Promise<{
      data: { name: string }[];
      nextCursor: string | null;
    }>;
  const one = await read(acme, { limit: 2 });
  expect(one.data.map((each) => each.name)).toEqual(['a', 'b']);
  const two = await read(acme, { limit: 2, cursor: one.nextCursor });
  expect([two.data.map((each) => each.name), two.nextCursor]).toEqual([['c'], null]);
  expect((await read(other, { cursor: one.nextCursor })).data).toEqual([]);
  expect(await status(read(acme, { cursor: 'rubbish' }))).toBe('400 invalid-input /query/cursor');
});

test('a new process knows the same, and keeps what it learns of token sizes', async () => {
  const { model } = await platformModel('p-learn', { name: 'm' });
  const own = new Snapshots(t.db);
  const second = make(own);
  await own.loadAll();
  const target = second.resolve(acme, 'p-learn/m', 'live');
  expect(target.apiKey()).toBe('sk-live-0123456789');
  expect(target.bytesPerToken).toBe(4);
  for (let i = 0; i < 200; i++) second.observe(target, 300, 100);
  expect(target.bytesPerToken).toBeLessThan(3.1);
  expect(models.resolve(acme, 'p-learn/m', 'live').bytesPerToken).toBe(4);
  await second.keepLearned();
  const [row] = await t.db.forTenant(platformTenantId, (tx) =>
    tx.query<{ bytesPerToken: number }>('SELECT bytes_per_token FROM models WHERE id = $1', [model.id]),
  );
  expect(row?.bytesPerToken).toBeCloseTo(target.bytesPerToken, 5);
});

test('no key is in any answer, event or log line', async () => {
  const secret = 'sk-unmistakable-secret-9876';
  const row = await models.manager.createProvider(acme, openai({ name: 'quiet', apiKey: secret }), cause);
  const id = formatId('provider', row.id);
  const answers = [
    await answer('models.getProvider', { tenantId: acme, params: { id } }),
    await answer('models.listProviders', { tenantId: acme, query: {} }),
    await answer('models.updateProvider', { tenantId: acme, params: { id }, body: { apiKey: `${secret}-2` } }),
  ];
  const outbox = await t.db.forService('relay', (tx) =>
    tx.query('SELECT event FROM outbox WHERE tenant_id = $1', [acme]),
  );
  expect(outbox.length).toBeGreaterThanOrEqual(2);
  const all = JSON.stringify([answers, outbox, lines]);
  expect(all).not.toContain('unmistakable');
  expect(all).not.toContain('enc:v1:');
  expect(JSON.stringify(answers)).toContain('9876');
});

/** Calls a route's handler as the server would, without the front door. */
async function answer(
  operationId: string,
  given: { tenantId?: string; params?: object; query?: object; body?: object },
): Promise<unknown> {
  const found = models.routes?.find((each) => each.operationId === operationId);
  if (found === undefined) throw new Error(`no route ${operationId}`);
  const context = {
    tenantId: given.tenantId ?? platformTenantId,
    actor: cause.actor,
    origin: { ip: '127.0.0.1', client: 'test' },
    requestId: 'req',
    decision: undefined,
    principal: {},
    params: given.params ?? {},
    query: given.query ?? {},
    body: given.body,
    reply: { code: () => undefined },
  };
  return found.handle(context as never);
}
