import pg from 'pg';

import type { Route } from '#kernel/http';
import { newId, parseId } from '#kernel/ids';
import type { Permission } from '#kernel/module';
import { notFound } from '#kernel/problem';
import { type Household, idPattern, unknownId, type World } from '#test/household';
import { moreRecipes, type Recipe, recipes, type Spec } from '#test/recipes';
import {
  namingPlaces,
  type Place,
  type Seen,
  type Sender,
  send,
  senderOf,
  shapeOf,
  successOf,
  textAt,
  withTexts,
} from '#test/route-walk';

/** What a walk found. `faults` is empty when tenants are apart; `counts` says how much was looked at. */
export type Walk = { faults: string[]; counts: Record<string, number> };

/**
 * Takes every route of the app: its owner's call must succeed; then the other tenant sends the same with the owner's ids (each
 * alone among its own, and all together), names, idempotency key, cursor and last event id, and must get what it gets for unknown
 * ones. No answer may show anything of the owner's that was not sent. Operators' routes refuse tenants' keys; every permission is
 * asked for. A route without a recipe is a fault.
 */
export async function walkRoutes(
  world: World,
  options: { only?: (operationId: string) => boolean } = {},
): Promise<Walk> {
  const { t } = world;
  const walk = new RouteWalk(world);
  const permissions = t.app.modules.flatMap((module) => module.permissions ?? []);
  const keys = await narrowKeys(world.b, permissions);
  for (const route of t.app.routes) {
    if (options.only?.(route.operationId) === false) continue;
    const all = [recipes[route.operationId], moreRecipes[route.operationId]].filter((each) => each !== undefined);
    if (all.length === 0) walk.faults.push(`${route.operationId}: there is no recipe`);
    for (const [i, recipe] of all.entries()) {
      try {
        await walk.route(route, recipe, i === 0 ? keys : undefined);
      } catch (error) {
        walk.faults.push(`${route.operationId}: ${(error as Error).message}`);
      }
    }
    walk.counts['routes'] = (walk.counts['routes'] ?? 0) + 1;
  }
  return walk;
}

class RouteWalk {
  readonly faults: string[] = [];
  readonly counts: Record<string, number> = {};
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async route(route: Route, recipe: Recipe, keys: NarrowKeys | undefined): Promise<void> {
    const { a, b } = this.#world;
    const used = await recipe.make(a);
    const key = newId();
    const takesKey = route.method === 'POST' && route.protocol === undefined && !refusesKeys.has(route.operationId);
    await this.#owner(route, recipe, takesKey ? withHeader(used, 'idempotency-key', key) : used);
    if (route.area === 'platform') return this.#refused(route, used);
    if (keys !== undefined) await this.#narrow(route, used, keys);
    if (recipe.as === 'nobody') return this.#named(route, recipe, used);
    // What the owner did is done; the other tenant tries on things that are as they were, too.
    const live = route.method === 'GET' ? used : await recipe.make(a);
    await this.#named(route, recipe, used);
    if (live !== used) {
      await this.#named(route, recipe, live);
      await this.#owner(route, recipe, live);
    }
    if (route.method === 'POST' && route.protocol === undefined) {
      await this.#same(route, recipe, 'the idempotency key', [
        async () => withHeader(await recipe.make(b), 'idempotency-key', key),
        async () => withHeader(await recipe.make(b), 'idempotency-key', `${key}-unknown`),
      ]);
    }
    if ('cursor' in membersOf(route.schema.query)) await this.#cursors(route, recipe, used);
  }

  /** Each of the owner's ids in the other's request, alone and all at once, against ids that nobody has. */
  async #named(route: Route, recipe: Recipe, owners: Spec): Promise<void> {
    const { a, b } = this.#world;
    const places = namingPlaces(owners, a);
    const own = route.method === 'GET' ? await recipe.make(b) : undefined;
    const alone: (readonly Place[])[] = places.map((place) => [place]);
    // All names of a sign-in together are the credential itself.
    for (const group of places.length > 1 && recipe.as !== 'nobody' ? [...alone, places] : alone) {
      const fill = async (textOf: (place: Place) => string) =>
        withTexts(
          own ?? (await recipe.make(b)),
          group.map((place) => [place, textOf(place)] as const),
        );
      const what = group.length > 1 ? 'all its names' : `/${(group[0] as Place).join('/')}`;
      await this.#same(route, recipe, what, [
        () => fill((place) => textAt(owners, place)),
        () => fill((place) => unknownText(textAt(owners, place), a, b)),
      ]);
    }
    if (places.length === 0) {
      const spec = own ?? (await recipe.make(b));
      this.#leak(route, spec, await this.#send(route, spec, await senderOf(route, recipe, b)), 'as it is');
    }
  }

  /** The owner's cursor, against one that names a place beside it. */
  async #cursors(route: Route, recipe: Recipe, used: Spec): Promise<void> {
    const { a, b } = this.#world;
    const spec = { ...used, query: { ...(await this.#lenient(route, used)), limit: '1' } };
    const first = await this.#send(route, spec, await senderOf(route, recipe, a));
    const cursor = (JSON.parse(first.text) as { nextCursor?: string | null }).nextCursor;
    if (typeof cursor !== 'string') {
      this.faults.push(`${route.operationId}: the owner has no second page: ${first.text.slice(0, 200)}`);
      return;
    }
    const next = { ...spec, query: { ...spec.query, cursor } };
    await this.#owner(route, recipe, next);
    const own = await recipe.make(b);
    const query = { ...(await this.#lenient(route, own)), limit: '50' };
    await this.#same(route, recipe, 'the cursor', [
      async () => ({ ...own, query: { ...query, cursor } }),
      async () => ({ ...own, query: { ...query, cursor: beside(cursor) } }),
    ]);
  }

  /** A query without the filters by which a recipe names one thing, so that a list has pages. */
  async #lenient(route: Route, spec: Spec): Promise<Record<string, string>> {
    const lists = ['scopeId', 'keyId', 'agentId', 'agent', 'subject', 'actor', 'scope', 'type', 'model'];
    return Object.fromEntries(
      Object.entries(spec.query ?? {}).filter(([name]) => !lists.includes(name) || route.path.includes(':id')),
    );
  }

  /** An operators' route refuses a tenant's key, whatever it asks for. */
  async #refused(route: Route, spec: Spec): Promise<void> {
    const { a, b } = this.#world;
    for (const house of [a, b]) {
      const seen = await this.#send(route, spec, { key: house.tenant.key });
      if (seen.status !== 403) this.faults.push(`${route.operationId}: a tenant's owner gets ${seen.status}, not 403`);
      if (house === b) this.#leak(route, spec, seen, 'as another tenant');
    }
    const nobody = await this.#send(route, spec, {});
    if (nobody.status !== 401)
      this.faults.push(`${route.operationId}: without a credential it is ${nobody.status}, not 401`);
  }

  /** A key with every other permission gets 403; a viewer too, where viewers may not. */
  async #narrow(route: Route, spec: Spec, keys: NarrowKeys): Promise<void> {
    if (route.area === 'tenant') {
      const nobody = await this.#send(route, spec, {});
      if (nobody.status !== 401)
        this.faults.push(`${route.operationId}: without a credential it is ${nobody.status}, not 401`);
    }
    const asked = route.permission ?? askedByHandlers[route.operationId];
    if (asked === undefined) return;
    const key = keys.without.get(asked);
    if (key === undefined) throw new Error(`no key lacks ${asked}`);
    const senders: [string, string][] = [[`a key without ${asked}`, key]];
    if (!keys.viewerMay.has(asked)) senders.push(['a viewer', keys.viewer]);
    for (const [who, each] of senders) {
      const seen = await this.#send(route, spec, { key: each });
      if (seen.status !== 403) this.faults.push(`${route.operationId}: ${who} gets ${seen.status}, not 403`);
      this.counts['refusals'] = (this.counts['refusals'] ?? 0) + 1;
    }
  }

  async #owner(route: Route, recipe: Recipe, spec: Spec): Promise<void> {
    const { a, b } = this.#world;
    const seen = await this.#send(route, spec, await senderOf(route, recipe, a));
    const wanted = successOf(route);
    if (seen.status !== wanted)
      throw new Error(`the owner's own call gets ${seen.status}, not ${wanted}: ${seen.text.slice(0, 500)}`);
    // An operator's answer may hold ids of everybody.
    if (route.area !== 'platform') {
      const foreign = b.tracesIn(seen.text, a);
      if (foreign.length > 0)
        this.faults.push(`${route.operationId}: the owner is shown ${foreign.join(', ')} of the other`);
      a.see(seen.text.replaceAll(idPattern, (id) => (b.seen.has(id) ? '' : id)));
    }
    this.counts['owner calls'] = (this.counts['owner calls'] ?? 0) + 1;
  }

  async #same(
    route: Route,
    recipe: Recipe,
    what: string,
    [foreign, unknown]: readonly [() => Promise<Spec>, () => Promise<Spec>],
  ): Promise<void> {
    const { a, b } = this.#world;
    const look = async (make: () => Promise<Spec>) => {
      const spec = await make();
      const seen = await this.#send(route, spec, await senderOf(route, recipe, b));
      this.#leak(route, spec, seen, what);
      return shapeOf(seen, [a, b]);
    };
    this.counts['comparisons'] = (this.counts['comparisons'] ?? 0) + 1;
    for (let tried = 1; ; tried++) {
      const [one, two] = [await look(foreign), await look(unknown)];
      if (one === two) return;
      // What readers of the log add meanwhile is no difference; one that stays is.
      if (route.method === 'GET' && tried < 3) await new Promise((resolve) => setTimeout(resolve, 500));
      else return void this.faults.push(`${route.operationId}: ${what} of the other: ${difference(one, two)}`);
    }
  }

  #leak(route: Route, spec: Spec, seen: Seen, what: string): void {
    const { a, b } = this.#world;
    b.noteSent(JSON.stringify(spec), a);
    const traces = a.tracesIn(`${seen.text}\n${JSON.stringify(seen.headers)}`, b);
    if (traces.length > 0) this.faults.push(`${route.operationId}: ${what}: the answer shows ${traces.join(', ')}`);
  }

  #send(route: Route, spec: Spec, sender: Sender): Promise<Seen> {
    this.counts['requests'] = (this.counts['requests'] ?? 0) + 1;
    return send(this.#world.t.url, route, spec, sender);
  }
}

/** Routes that refuse an Idempotency-Key. */
const refusesKeys = new Set(['agents.startRun', 'auth.changePassword']);

/** What handlers ask for by themselves, given what the recipes send. */
const askedByHandlers: Readonly<Record<string, string>> = {
  'gateway.createChatCompletion': 'models:invoke',
  'gateway.createEmbedding': 'models:invoke',
  'console.stream': 'calls:read',
};

type NarrowKeys = { without: Map<string, string>; viewer: string; viewerMay: Set<string> };

/** Two keys of the owner's rights less one half of the permissions each, and a viewer's: every permission is missing somewhere. */
async function narrowKeys(house: Household, permissions: readonly Permission[]): Promise<NarrowKeys> {
  const names = permissions.filter(({ area }) => area === 'tenant').map(({ name }) => name);
  const without = new Map<string, string>();
  for (const parity of [0, 1]) {
    const scopes = names.filter((_, i) => i % 2 === parity);
    const key = await house.tenant.keyOf('owner', { scopes });
    for (const name of names) if (!scopes.includes(name)) without.set(name, key);
  }
  const viewer = await house.tenant.keyOf('viewer');
  const session = await house.t.call(viewer, 'GET', '/v1/auth/session');
  return { without, viewer, viewerMay: new Set(session.body['permissions'] as unknown as string[]) };
}

/** What lists and streams show while the owner is busy: everything of its own, nothing of the other's. */
export async function walkStreams(world: World): Promise<Walk> {
  const { t, a, b } = world;
  const faults: string[] = [];
  const topics = ['calls', 'runs', 'approvals', 'audit'];
  const head = await headOf(world);
  const listen = (house: Household, lastEventId: string | undefined) => {
    const end = new AbortController();
    const text = fetch(`${t.url}/v1/stream?topics=${topics.join(',')}`, {
      signal: end.signal,
      headers: {
        authorization: `Bearer ${house.tenant.key}`,
        ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
      },
    }).then(async (response) => {
      let all = '';
      try {
        for await (const part of response.body ?? []) all += Buffer.from(part).toString('utf8');
      } catch {
        // The reader went away.
      }
      return all;
    });
    return { text, end };
  };
  const early = [listen(a, undefined), listen(b, undefined), listen(b, head)];
  await new Promise((resolve) => setTimeout(resolve, 300));
  await a.chat();
  await a.run('approve');
  await a.key();
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const late = [listen(a, head), listen(b, head), listen(b, '1')];
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const readers = [...early, ...late];
  for (const { end } of readers) end.abort();
  const texts = await Promise.all(readers.map(({ text }) => text));
  const at = [
    'live',
    'live',
    'live with a last event id',
    'resumed',
    "resumed by the owner's last event id",
    'resumed from the first',
  ];
  for (const [i, text] of texts.entries()) {
    const owner = i === 0 || i === 3;
    const events = new Set([...text.matchAll(/^event: (\w+)$/gm)].map(([, event]) => event));
    if (owner) {
      for (const wanted of i === 0 ? ['call', 'runs', 'approvals', 'audit'] : ['calls', 'runs', 'approvals', 'audit'])
        if (!events.has(wanted))
          faults.push(`stream, ${at[i]}: the owner sees no "${wanted}", only ${[...events].join(', ')}`);
      const foreign = b.tracesIn(text, a);
      if (foreign.length > 0) faults.push(`stream, ${at[i]}: the owner sees ${foreign.join(', ')}`);
    } else {
      const traces = a.tracesIn(text, b);
      if (traces.length > 0) faults.push(`stream, ${at[i]}: the other sees ${traces.slice(0, 5).join(', ')}`);
      if (!text.includes('retry:')) faults.push(`stream, ${at[i]}: it was not open: ${text.slice(0, 200)}`);
    }
  }
  return {
    faults,
    counts: { streams: texts.length, 'stream bytes': texts.reduce((sum, text) => sum + text.length, 0) },
  };
}

/** The number of the newest event of the log. */
async function headOf({ t }: World): Promise<string> {
  const [row] = await t.app.db.forService('log_reader', (tx) => tx.query<{ seq: number }>('SELECT seq FROM log_head'));
  return String(row?.seq ?? 0);
}

/** An unknown text in the place of one of the owner's: an id that nobody has, a name of the other's that nothing has. */
function unknownText(text: string, owner: Household, other: Household): string {
  return text
    .replaceAll(idPattern, (id) => unknownId(id))
    .replaceAll(new RegExp(`${owner.marker}(?:-\\d+)?`, 'g'), () => other.name());
}

/** A cursor at a place just beside that of the given one, which nothing has. */
function beside(cursor: string): string {
  const key = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as string[];
  const moved = key.map((part) =>
    /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(part) ? `${part.slice(0, -1)}${part.endsWith('0') ? '1' : '0'}` : part,
  );
  return Buffer.from(JSON.stringify(moved)).toString('base64url');
}

function withHeader(spec: Spec, name: string, value: string): Spec {
  return { ...spec, headers: { ...spec.headers, [name]: value } };
}

function membersOf(schema: unknown): Record<string, unknown> {
  return ((schema as Record<string, unknown> | undefined)?.['properties'] ?? {}) as Record<string, unknown>;
}

function difference(one: string, two: string): string {
  const [left, right] = [one.split('\n'), two.split('\n')];
  const i = left.findIndex((line, at) => line !== right[at]);
  const cut = (line: string | undefined, other: string | undefined) => {
    const from = [...(line ?? '')].findIndex((c, at) => c !== other?.[at]);
    return (line ?? '(nothing)').slice(Math.max(0, from - 60), from + 160);
  };
  return `"${cut(left[i] ?? left[right.length], right[i])}" is not "${cut(right[i] ?? right[left.length], left[i])}"`;
}

/** Tables whose rows the walk cannot make, and why. Every other table with tenant rows must hold rows of both tenants. */
const unprobed: Readonly<Record<string, string>> = {
  outbox: 'the relay empties it; the app role may not read it',
};

/**
 * Unfiltered SQL as the app role under one tenant, on every table that it may read: no row may tell of the other. Each table with
 * tenant rows must hold rows of both, else nothing was probed.
 */
export async function probeTables(world: World): Promise<Walk> {
  const { t, a, b } = world;
  const faults: string[] = [];
  const counts = { tables: 0, rows: 0 };
  const admin = new pg.Client({ connectionString: t.database.adminUrl });
  await admin.connect();
  try {
    const tables = await admin.query<{ name: string; tenant: boolean; may: boolean }>(
      `SELECT c.relname AS name, has_table_privilege('lintel_app', c.oid, 'SELECT') AS may,
         EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id' AND NOT attisdropped) AS tenant
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')`,
    );
    for (const { name, tenant, may } of tables.rows) {
      const held = tenant ? await admin.query(`SELECT DISTINCT tenant_id FROM "${name}"`) : undefined;
      const tenants = new Set(held?.rows.map((row) => row.tenant_id as string));
      const partition = /_\d{6,8}$/.test(name);
      for (const house of [a, b])
        if (tenant && !partition && unprobed[name] === undefined && !tenants.has(house.tenant.uuid))
          faults.push(`${name} holds no row of ${house.marker}: nothing is probed`);
      if (!may) continue;
      counts.tables++;
      for (const [reader, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const rows = await t.app.db.forTenant(reader.tenant.uuid, (tx) =>
          tx.query<{ row: string; tenantId?: string }>(`SELECT to_jsonb(t)::text AS row FROM "${name}" t`),
        );
        counts.rows += rows.length;
        const foreign = rows.filter(({ row }) => row.includes(other.tenant.uuid));
        if (foreign.length > 0)
          faults.push(`${name}: under ${reader.marker} the app role sees ${foreign.length} rows of ${other.marker}`);
        if (
          tenant &&
          rows.some(({ row }) => (JSON.parse(row) as { tenant_id: string }).tenant_id !== reader.tenant.uuid)
        )
          faults.push(`${name}: under ${reader.marker} the app role sees rows of others`);
      }
    }
  } finally {
    await admin.end();
  }
  return { faults, counts };
}

/** Plants a route that opens the platform's door where it should open the tenant's; the returned function takes it away. */
export function plantOpenRoute({ t }: World): () => void {
  const route = t.app.routes.find(({ operationId }) => operationId === 'agents.getAgent') as {
    handle: Route['handle'];
  };
  const { handle } = route;
  route.handle = async ({ params }: { params: { id: string } }) => {
    const { id } = params;
    const [row] = await t.app.db.forPlatform((tx) =>
      tx.query<Record<string, unknown>>('SELECT * FROM agents WHERE id = $1', [parseId('agent', id) ?? null]),
    );
    if (row === undefined) throw notFound('agent');
    return { ...row, id, aliases: {}, engine: null };
  };
  return () => {
    route.handle = handle;
  };
}

/** Plants a table with rows of both tenants and no row-level security; the returned function takes it away. */
export async function plantOpenTable({ t, a, b }: World): Promise<() => Promise<void>> {
  const run = async (sql: string) => {
    const admin = new pg.Client({ connectionString: t.database.adminUrl });
    await admin.connect();
    await admin.query(sql);
    await admin.end();
  };
  await run(
    `CREATE TABLE planted (tenant_id uuid PRIMARY KEY, words text); GRANT SELECT ON planted TO lintel_app;
     INSERT INTO planted VALUES ('${a.tenant.uuid}', 'of a'), ('${b.tenant.uuid}', 'of b')`,
  );
  return () => run('DROP TABLE planted');
}
