import pg from 'pg';

import { systemCause } from '#kernel/cause';
import { formatId, type IdKind, idPrefixes, newId } from '#kernel/ids';
import { inProcessHasher } from '#security/auth';
import { startToolDouble, type ToolDouble } from '#test/agent-house';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { testDatabase } from '#test/database';
import { setup } from '#test/global-setup';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

/** The app with two tenants that have one of everything, and what stands around it. */
export type World = {
  t: TestApp;
  a: Household;
  b: Household;
  model: OpenAiDouble;
  tools: ToolDouble;
  close(): Promise<void>;
};

const password = 'correct horse battery staple';

/**
 * A tenant that makes things for itself through the API, as its owner. All its names carry `marker`, so that a word of it is
 * recognised wherever it turns up.
 */
export class Household {
  readonly t: TestApp;
  readonly tenant: TestTenant;
  readonly marker: string;
  readonly tools: ToolDouble;
  readonly model: OpenAiDouble;
  /** Every id that this tenant was ever shown. */
  readonly seen = new Set<string>();
  /** Ids that are no tenant's: of the platform's plans and of the operator. */
  readonly #shared: ReadonlySet<string>;
  readonly #secrets: string[] = [];
  /** Words of the other's that this tenant has sent itself. */
  readonly #sent = new Set<string>();
  #count = 0;
  #member: Promise<{ id: string; email: string }> | undefined;

  constructor(deps: {
    t: TestApp;
    tenant: TestTenant;
    marker: string;
    tools: ToolDouble;
    model: OpenAiDouble;
    shared: ReadonlySet<string>;
  }) {
    this.#shared = deps.shared;
    this.t = deps.t;
    this.tenant = deps.tenant;
    this.marker = deps.marker;
    this.tools = deps.tools;
    this.model = deps.model;
    this.see(deps.tenant.id);
  }

  /** A name that nothing has yet. */
  name(): string {
    return `${this.marker}-${String(++this.#count).padStart(5, '0')}`;
  }

  /** Keeps the ids in an answer of this tenant's. */
  see(text: string): void {
    for (const [id] of text.matchAll(idPattern)) if (!id.startsWith('req_') && !this.#shared.has(id)) this.seen.add(id);
  }

  /** Sends as the owner; throws unless it is a success. */
  async api(method: string, path: string, body?: unknown, key = this.tenant.key): Promise<Record<string, never>> {
    const answer = await this.t.call(key, method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    this.see(answer.text);
    this.see(answer.headers.get('x-request-id') ?? '');
    return answer.body;
  }

  /** Sends as an operator; throws unless it is a success. */
  operator(method: string, path: string, body?: unknown): Promise<Record<string, never>> {
    return this.api(method, path, body, this.t.operatorKey);
  }

  /** A new API key: its id. */
  async key(): Promise<string> {
    return this.#idOf('POST', '/v1/api-keys', { name: this.name() });
  }

  /** A new agent on the platform's model, with tools if given. */
  async agent(tools: readonly object[] = [], name = this.name()): Promise<{ id: string; name: string }> {
    const id = await this.#idOf('POST', '/v1/agents', { name, definition: this.definition(tools) });
    return { id, name };
  }

  /** What a native agent is. */
  definition(tools: readonly object[] = []): object {
    return {
      kind: 'native',
      instructions: `Be ${this.marker}.`,
      model: 'double/double',
      tools,
      guardrails: { maxSteps: 5, maxSeconds: 20 },
    };
  }

  /** A new tool source with the functions of the tool double. */
  async tool(name = this.name()): Promise<{ id: string; name: string }> {
    const id = await this.#idOf('POST', '/v1/tools', {
      name,
      config: { kind: 'openapi', document: this.tools.document },
    });
    return { id, name };
  }

  /** A new provider of the tenant's own. */
  async provider(): Promise<{ id: string; name: string }> {
    const name = this.name();
    const body = { preset: 'openai-compatible', name, baseUrl: this.model.url, apiKey: DOUBLE_KEY };
    return { id: await this.#idOf('POST', '/v1/providers', body), name };
  }

  /** A new model of a new provider. */
  async ownModel(): Promise<{ provider: string; id: string; name: string }> {
    const provider = await this.provider();
    const id = await this.#idOf('POST', `/v1/providers/${provider.id}/models`, { name: 'double' });
    return { provider: provider.id, id, name: `${provider.name}/double` };
  }

  /** A new provider of the platform, for this tenant alone. */
  async platformProvider(): Promise<string> {
    const body = {
      preset: 'openai-compatible',
      name: this.name(),
      baseUrl: this.model.url,
      apiKey: DOUBLE_KEY,
      sharedWith: [this.tenant.id],
    };
    return String((await this.operator('POST', '/v1/platform/providers', body))['id']);
  }

  /** A new model of a new provider of the platform. */
  async platformModel(): Promise<{ provider: string; id: string }> {
    const provider = await this.platformProvider();
    const made = await this.operator('POST', `/v1/platform/providers/${provider}/models`, {
      name: 'double',
      cheap: true,
    });
    return { provider, id: String(made['id']) };
  }

  /** A new plan. */
  async plan(): Promise<string> {
    const prices = [{ meter: 'model.call.input_tokens', price: { model: 'per_unit', unit: '0.000001' } }];
    return String(
      (await this.operator('POST', '/v1/platform/plans', { name: this.name(), currency: 'USD', prices }))['id'],
    );
  }

  /** A new egress rule of this tenant. */
  async egressRule(): Promise<string> {
    const target = `10.${this.#count % 250}.${Math.floor(++this.#count / 250) % 250}.7:80`;
    return String(
      (await this.operator('POST', '/v1/platform/egress-rules', { tenantId: this.tenant.id, target }))['id'],
    );
  }

  /** A new limit of a new key. */
  async limit(): Promise<string> {
    return this.#idOf('POST', '/v1/limits', {
      scope: 'key',
      scopeId: await this.key(),
      resource: 'tokens',
      window: 'day',
      amount: '1000000',
    });
  }

  /** An open invitation: its id, address and token. */
  async invitation(): Promise<{ id: string; email: string; token: string }> {
    const email = `${this.name()}@example.com`;
    const made = await this.api('POST', '/v1/members', { email, roles: ['viewer'] });
    return { id: String(made['id']), email, token: String(made['link']).split('token=')[1] ?? '' };
  }

  /** A new member with {@link password}. */
  async member(): Promise<{ id: string; email: string }> {
    const email = `${this.name()}@example.com`;
    const user = await this.t.app.services.auth.members.createUser(
      this.tenant.uuid,
      { email, name: this.name(), roles: ['developer'], passwordHash: await passwordHash() },
      systemCause('test'),
    );
    const id = formatId('user', user.id);
    this.see(id);
    return { id, email };
  }

  /** A member that stays, with {@link password}. */
  resident(): Promise<{ id: string; email: string }> {
    this.#member ??= this.member();
    return this.#member;
  }

  /** A new session of the resident: its cookie and id. */
  async session(): Promise<{ cookie: string; id: string }> {
    const cookie = (await this.#signIn()) ?? (await this.#signInAnew());
    const list = await this.t.call(undefined, 'GET', '/v1/auth/sessions', undefined, { cookie });
    this.see(list.text);
    const own = (list.body['data'] as unknown as { id: string; current: boolean }[]).find(({ current }) => current);
    return { cookie, id: own?.id ?? '' };
  }

  async #signIn(): Promise<string | undefined> {
    const { email } = await this.resident();
    // Behind a trusted proxy each comes from another address: the guard against guessing has nothing to say.
    const from = { 'x-forwarded-for': `10.${this.#count % 250}.${++this.#count % 241}.7` };
    const answer = await this.t.call(undefined, 'POST', '/v1/auth/login', { email, password }, from);
    return answer.status === 200 ? (answer.headers.get('set-cookie') ?? '').split(';')[0] : undefined;
  }

  /** Somebody changed the resident: another moves in. */
  async #signInAnew(): Promise<string> {
    this.#member = undefined;
    const cookie = await this.#signIn();
    if (cookie === undefined) throw new Error(`${this.marker} cannot sign in`);
    return cookie;
  }

  /** The password of {@link resident}. */
  get password(): string {
    return password;
  }

  /** The address part by which sign-in tells tenants apart. */
  async slug(): Promise<string> {
    return String((await this.api('GET', '/v1/tenant'))['slug']);
  }

  /** A finished chat call: its id. */
  async chat(model = 'double/double'): Promise<string> {
    const answer = await this.t.call(this.tenant.key, 'POST', '/v1/chat/completions', {
      model,
      messages: [{ role: 'user', content: `say:${this.name()}` }],
    });
    if (answer.status !== 200) throw new Error(`chat: ${answer.status} ${answer.text}`);
    const id = answer.headers.get('x-request-id') as string;
    this.see(id);
    return id;
  }

  /** A run of a new agent. `wait`: for its answer; `approve`: for a person's yes; `review`: in doubt about a tool. */
  async run(
    kind: 'finished' | 'approve' | 'review' = 'finished',
  ): Promise<{ run: string; approval: string; agent: string }> {
    const tool = kind === 'finished' ? undefined : await this.tool();
    const agent = await this.agent(
      tool === undefined ? [] : [{ tool: tool.id, approval: kind === 'approve' ? 'always' : 'never' }],
    );
    const input = tool === undefined ? `say:${this.name()}` : `call:${tool.name}_effect {"body": {"n": 1}}`;
    if (kind === 'review') this.tools.mode = 'cut';
    try {
      const { id } = (await this.api('POST', `/v1/agents/${agent.id}/runs`, { input })) as unknown as { id: string };
      const run = await this.api('GET', `/v1/runs/${id}`);
      const wanted = { finished: 'finished', approve: 'waiting', review: 'needs_review' }[kind];
      if (run['status'] !== wanted)
        throw new Error(`the run is ${String(run['status'])}, not ${wanted}: ${JSON.stringify(run)}`);
      const [approval] = run['approvals'] as unknown as { id: string }[];
      return { run: id, approval: approval?.id ?? '', agent: agent.id };
    } finally {
      this.tools.mode = 'ok';
    }
  }

  /** The tenant's finalised invoices, newest first. */
  async invoices(): Promise<string[]> {
    const { data } = (await this.api('GET', '/v1/invoices')) as unknown as { data: { id: string }[] };
    return data.map(({ id }) => id);
  }

  /** Keeps a secret that was shown once: nobody else may see it. */
  keepSecret(secret: string): void {
    this.#secrets.push(secret);
  }

  /** Notes words that this tenant sends though they are another's: it may be shown them again. */
  noteSent(text: string, owner: Household): void {
    for (const word of owner.wordsIn(text)) this.#sent.add(word);
  }

  /** Ids and words with this tenant's marker in a text. */
  wordsIn(text: string): Set<string> {
    const found = new Set<string>();
    for (const [id] of text.matchAll(idPattern)) if (this.seen.has(id)) found.add(id);
    for (const [word] of text.matchAll(new RegExp(`${this.marker}(?:-\\d+)?`, 'g'))) found.add(word);
    return found;
  }

  /** What of this tenant's a text shows that its reader has not sent: its ids, words with its marker, its secrets. */
  tracesIn(text: string, reader: Household): string[] {
    const found = this.wordsIn(text);
    if (text.includes(this.tenant.uuid)) found.add(this.tenant.uuid);
    for (const secret of this.#secrets) if (text.includes(secret)) found.add('a secret');
    return [...found].filter((word) => !reader.#sent.has(word));
  }

  async #idOf(method: string, path: string, body: unknown): Promise<string> {
    const made = await this.api(method, path, body);
    if (typeof made['key'] === 'string') this.keepSecret(made['key']);
    return String(made['id']);
  }
}

/** Ids in their outside form, anywhere in a text. */
export const idPattern = new RegExp(`(?:${Object.values(idPrefixes).join('|')})_[0-9a-hjkmnp-tv-z]{26}`, 'g');

/** An id of the same kind that nobody has. */
export function unknownId(id: string): string {
  const kind = (Object.keys(idPrefixes) as IdKind[]).find((each) => id.startsWith(`${idPrefixes[each]}_`));
  return formatId(kind as IdKind, newId());
}

let hashed: Promise<string> | undefined;
/** One argon2 hash for all: hashing is dear, and not what is tested. */
function passwordHash(): Promise<string> {
  hashed ??= inProcessHasher().hash(password);
  return hashed;
}

/** Starts the app with two furnished tenants, a model provider and a tool server. */
export async function startWorld(options: Parameters<typeof startTestApp>[0] = {}): Promise<World> {
  const [model, tools, t] = await Promise.all([
    startOpenAiDouble({ record: 0 }),
    startToolDouble(),
    startTestApp(options),
  ]);
  const plans = await t.call(t.operatorKey, 'GET', '/v1/platform/plans?limit=200');
  // Who operates the house is told to all that operators invite.
  const self = await t.call(t.operatorKey, 'GET', '/v1/auth/session');
  const shared = new Set([...`${plans.text}${self.text}`.matchAll(idPattern)].map(([id]) => id));
  const house = async (marker: string) =>
    new Household({ t, tenant: await t.tenant(marker), marker, tools, model, shared });
  const operator = async (path: string, body: object) => {
    const answer = await t.call(t.operatorKey, 'POST', path, body);
    if (answer.status !== 201) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  };
  await operator('/v1/platform/egress-rules', { tenantId: null, target: '127.0.0.0/8' });
  const connection = { preset: 'openai-compatible', name: 'double', baseUrl: model.url, apiKey: DOUBLE_KEY };
  const provider = `/v1/platform/providers/${(await operator('/v1/platform/providers', connection))['id']}`;
  for (const [name, kind] of [
    ['double', 'chat'],
    ['double-embedding', 'embedding'],
  ]) {
    const made = await operator(`${provider}/models`, { name, kind });
    const prices = { input_tokens: '0.000001', output_tokens: '0.000002' };
    await operator(`${provider}/models/${made['id']}/prices`, { currency: 'USD', prices });
  }
  const [a, b] = [await house('quorvex'), await house('zindlow')];
  await giveInvoices(t, [a, b]);
  for (const each of [a, b]) await furnish(each);
  return {
    t,
    a,
    b,
    model,
    tools,
    close: async () => {
      await t.close();
      await Promise.all([model.close(), tools.close()]);
    },
  };
}

/** Two of everything that lists show, and limits that leave traces in every table of quotas. */
async function furnish(house: Household): Promise<void> {
  for (const limit of [
    { resource: 'requests', window: 'second', amount: '100000' },
    { resource: 'tokens', window: 'day', amount: '1000000000' },
  ])
    await house.operator('POST', `/v1/platform/tenants/${house.tenant.id}/limits`, { scope: 'tenant', ...limit });
  await house.egressRule();
  const { provider: priced, id: model } = await house.ownModel();
  await house.api('POST', `/v1/providers/${priced}/models/${model}/prices`, {
    currency: 'USD',
    prices: { requests: '0' },
  });
  await house.session();
  await house.api('POST', `/v1/members/${(await house.resident()).id}/login-link`);
  await house.t.call(
    house.tenant.key,
    'POST',
    '/v1/api-keys',
    { name: house.name() },
    { 'idempotency-key': house.name() },
  );
  for (let i = 0; i < 2; i++) {
    await house.chat();
    await house.ownModel();
    await house.limit();
    await house.invitation();
    await house.member();
    await house.run('approve');
  }
  const { provider } = await house.ownModel();
  await house.api('POST', `/v1/providers/${provider}/models`, { name: 'double-embedding', kind: 'embedding' });
}

/** Invoices come with the months: the subscriptions are put back to three months ago, and what is due is finalised. */
async function giveInvoices(t: TestApp, houses: readonly Household[]): Promise<void> {
  const { database, app } = t;
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  try {
    // A reader of the log gives new tenants their subscription.
    for (let left = houses.length; left > 0; ) {
      const { rowCount } = await admin.query(
        `UPDATE subscriptions SET from_at = date_trunc('month', from_at) - interval '3 months'
         WHERE tenant_id = ANY ($1) AND from_at > $2`,
        [houses.map(({ tenant }) => tenant.uuid), new Date(Date.now() - 86_400_000)],
      );
      left -= rowCount ?? 0;
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await admin.end();
  }
  await app.services.billing.billing.finaliseDue();
}

/** The same outside Vitest: on a database of its own in the server that LINTEL_TEST_ADMIN_URL names, or in one started for it. */
export async function startProofWorld(options: Parameters<typeof startTestApp>[0] = {}): Promise<World> {
  let adminUrl = process.env['LINTEL_TEST_ADMIN_URL'];
  const provide = (_name: string, url: string) => {
    adminUrl = url;
  };
  const stop = await setup({ provide } as unknown as Parameters<typeof setup>[0]);
  const database = await testDatabase(8, adminUrl);
  const world = await startWorld({ ...options, database });
  return {
    ...world,
    close: async () => {
      await world.close();
      await database.close();
      await stop();
    },
  };
}
