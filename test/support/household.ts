import { systemCause } from '#kernel/cause';
import { type IdKind, idPrefixes, newId } from '#kernel/ids';
import { formatId } from '#kernel/ids';
import { startToolDouble, type ToolDouble } from '#test/agent-house';
import { type Answer, startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

/** Whoever sends a request: an API key, or a signed-in person's cookie. */
export type Credential = { key: string } | { cookie: string };

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
  readonly #secrets: string[] = [];
  #count = 0;
  #member: Promise<{ id: string; email: string }> | undefined;

  constructor(deps: { t: TestApp; tenant: TestTenant; marker: string; tools: ToolDouble; model: OpenAiDouble }) {
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
    for (const [id] of text.matchAll(idPattern)) if (!id.startsWith('req_')) this.seen.add(id);
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
    const id = await this.#idOf('POST', '/v1/tools', { name, config: { kind: 'openapi', document: this.tools.document } });
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
    const body = { preset: 'openai-compatible', name: this.name(), baseUrl: this.model.url, apiKey: DOUBLE_KEY, sharedWith: [this.tenant.id] };
    return String((await this.operator('POST', '/v1/platform/providers', body))['id']);
  }

  /** A new model of a new provider of the platform. */
  async platformModel(): Promise<{ provider: string; id: string }> {
    const provider = await this.platformProvider();
    const made = await this.operator('POST', `/v1/platform/providers/${provider}/models`, { name: 'double', cheap: true });
    return { provider, id: String(made['id']) };
  }

  /** A new plan. */
  async plan(): Promise<string> {
    const prices = [{ meter: 'model.call.input_tokens', price: { model: 'per_unit', unit: '0.000001' } }];
    return String((await this.operator('POST', '/v1/platform/plans', { name: this.name(), currency: 'USD', prices }))['id']);
  }

  /** A new egress rule of this tenant. */
  async egressRule(): Promise<string> {
    const target = `10.${this.#count % 250}.${Math.floor(++this.#count / 250) % 250}.7:80`;
    return String((await this.operator('POST', '/v1/platform/egress-rules', { tenantId: this.tenant.id, target }))['id']);
  }

  /** A new limit of a new key. */
  async limit(): Promise<string> {
    return this.#idOf('POST', '/v1/limits', { scope: 'key', scopeId: await this.key(), resource: 'tokens', window: 'day', amount: '1000000' });
  }

  /** An open invitation: its id, address and token. */
  async invitation(): Promise<{ id: string; email: string; token: string }> {
    const email = `${this.name()}@example.com`;
    const made = await this.api('POST', '/v1/members', { email, roles: ['viewer'] });
    return { id: String(made['id']), email, token: String(made['link']).split('token=')[1] ?? '' };
  }

  /** A new member who has accepted, without a password of use to anyone. */
  async member(): Promise<{ id: string; email: string }> {
    const email = `${this.name()}@example.com`;
    const user = await this.t.app.services.auth.members.createUser(
      this.tenant.uuid,
      { email, name: this.name(), roles: ['developer'], passwordHash: await passwordHash(this.t) },
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
    const { email } = await this.resident();
    const answer = await this.t.call(undefined, 'POST', '/v1/auth/login', { email, password });
    const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] as string;
    if (cookie === '') throw new Error(`no session: ${answer.text}`);
    const list = await this.t.call(undefined, 'GET', '/v1/auth/sessions', undefined, { cookie });
    this.see(list.text);
    const own = (list.body['data'] as { id: string; current: boolean }[]).find(({ current }) => current);
    return { cookie, id: own?.id ?? '' };
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
      messages: [{ role: 'user', content: `say:${this.marker}` }],
    });
    if (answer.status !== 200) throw new Error(`chat: ${answer.status} ${answer.text}`);
    const id = answer.headers.get('x-request-id') as string;
    this.see(id);
    return id;
  }

  /** A run of a new agent. `wait`: for its answer; `approve`: for a person's yes; `review`: in doubt about a tool. */
  async run(kind: 'finished' | 'approve' | 'review' = 'finished'): Promise<{ run: string; approval: string; agent: string }> {
    const tool = kind === 'finished' ? undefined : await this.tool();
    const agent = await this.agent(tool === undefined ? [] : [{ tool: tool.id, approval: kind === 'approve' ? 'always' : 'never' }]);
    const input = tool === undefined ? `say:${this.marker}` : `call:${tool.name}_effect {"n": 1}`;
    if (kind === 'review') this.tools.mode = 'cut';
    try {
      const { id } = (await this.api('POST', `/v1/agents/${agent.id}/runs`, { input })) as { id: string };
      const run = await this.api('GET', `/v1/runs/${id}`);
      const wanted = { finished: 'finished', approve: 'waiting', review: 'needs_review' }[kind];
      if (run['status'] !== wanted) throw new Error(`the run is ${String(run['status'])}, not ${wanted}: ${JSON.stringify(run)}`);
      const [approval] = run['approvals'] as { id: string }[];
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

  /** What of this tenant's a text shows: its ids, marker and secrets. */
  tracesIn(text: string): string[] {
    const found = new Set<string>();
    for (const [id] of text.matchAll(idPattern)) if (this.seen.has(id)) found.add(id);
    if (text.includes(this.marker)) found.add(this.marker);
    if (text.includes(this.tenant.uuid)) found.add(this.tenant.uuid);
    for (const secret of this.#secrets) if (text.includes(secret)) found.add('a secret');
    return [...found];
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
function passwordHash(t: TestApp): Promise<string> {
  hashed ??= t.app.services.auth.hasher.hash(password);
  return hashed;
}

/** Starts the app with two furnished tenants, a model provider and a tool server. */
export async function startWorld(options: Parameters<typeof startTestApp>[0] = {}): Promise<World> {
  const [model, tools, t] = await Promise.all([startOpenAiDouble({ record: 0 }), startToolDouble(), startTestApp(options)]);
  const house = async (marker: string) => new Household({ t, tenant: await t.tenant(marker), marker, tools, model });
  const [a, b] = [await house('quorvex'), await house('zindlow')];
  const operator = a.operator.bind(a);
  await operator('POST', '/v1/platform/egress-rules', { tenantId: null, target: '127.0.0.0/8' });
  const provider = await operator('POST', '/v1/platform/providers', {
    preset: 'openai-compatible',
    name: 'double',
    baseUrl: model.url,
    apiKey: DOUBLE_KEY,
  });
  for (const [name, kind] of [['double', 'chat'], ['double-embedding', 'embedding']]) {
    const made = await operator('POST', `/v1/platform/providers/${provider['id']}/models`, { name, kind });
    await operator('POST', `/v1/platform/providers/${provider['id']}/models/${made['id']}/prices`, {
      currency: 'USD',
      prices: { input_tokens: '0.000001', output_tokens: '0.000002' },
    });
  }
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

/** Two of everything that lists show. */
async function furnish(house: Household): Promise<void> {
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
  const admin = await database.admin();
  try {
    await admin.query(
      "UPDATE subscriptions SET from_at = date_trunc('month', from_at) - interval '3 months' WHERE tenant_id = ANY ($1)",
      [houses.map(({ tenant }) => tenant.uuid)],
    );
  } finally {
    await admin.end();
  }
  await app.services.billing.billing.finaliseDue();
}

export type { Answer };
