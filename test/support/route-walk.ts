import type { Route } from '#kernel/http';
import type { Permission, Verb } from '#kernel/module';
import { type Household, idPattern } from '#test/household';
import type { Recipe, Spec } from '#test/recipes';

/** Who sends a request: `Bearer` or cookie, or nobody. */
export type Sender = { key?: string; cookie?: string };

/** An answer as walks look at it. A stream is read until it is silent for {@link quietMs}. */
export type Seen = { status: number; headers: Record<string, string>; text: string };

const quietMs = 400;

/** The declared success of a route: its smallest status below 300. */
export function successOf(route: Pick<Route, 'schema'>): number {
  return Math.min(
    ...Object.keys(route.schema.response)
      .map(Number)
      .filter((status) => status < 300),
  );
}

/** The address of a request, with its path members and query. */
export function addressFor(route: Pick<Route, 'path'>, spec: Spec): string {
  const path = route.path.replaceAll(/:([a-zA-Z]+)/g, (_, name: string) => {
    const value = spec.params?.[name];
    if (value === undefined) throw new Error(`the recipe of ${route.path} gives no ${name}`);
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams(spec.query ?? {}).toString();
  return query === '' ? path : `${path}?${query}`;
}

/**
 * Sends a request and reads its answer; of an event stream what comes until it falls silent. A 429 is waited out, as clients do: a busy
 * machine may be late with a lease.
 */
export async function send(
  url: string,
  route: Pick<Route, 'method' | 'path'>,
  spec: Spec,
  sender: Sender,
): Promise<Seen> {
  for (let tried = 1; ; tried++) {
    const seen = await sendOnce(url, route, spec, sender);
    const wait = Number(seen.headers['retry-after']);
    if (seen.status !== 429 || tried === 4 || !(wait <= 5)) return seen;
    await new Promise((resolve) => setTimeout(resolve, wait * 1_000));
  }
}

async function sendOnce(url: string, route: Pick<Route, 'method' | 'path'>, spec: Spec, sender: Sender): Promise<Seen> {
  const end = new AbortController();
  const response = await fetch(`${url}${addressFor(route, spec)}`, {
    method: route.method,
    signal: end.signal,
    headers: {
      ...(sender.key === undefined ? {} : { authorization: `Bearer ${sender.key}` }),
      ...(sender.cookie === undefined ? {} : { cookie: sender.cookie, origin: url }),
      ...(spec.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...spec.headers,
    },
    ...(spec.body === undefined ? {} : { body: JSON.stringify(spec.body) }),
  });
  const headers = Object.fromEntries(response.headers);
  if (!headers['content-type']?.startsWith('text/event-stream'))
    return { status: response.status, headers, text: await response.text() };
  return { status: response.status, headers, text: await readQuietly(response, end) };
}

async function readQuietly(response: Response, end: AbortController): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const quiet = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => quiet.resolve(undefined), quietMs);
      const part = await Promise.race([reader.read(), quiet.promise]);
      clearTimeout(timer);
      if (part === undefined || part.done) return text;
      text += decoder.decode(part.value, { stream: true });
    }
  } finally {
    end.abort();
  }
}

const times = /\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)/g;
const passing = new Set([
  'date',
  'x-request-id',
  'content-length',
  'connection',
  'keep-alive',
  'ratelimit',
  'set-cookie',
]);

/**
 * An answer without what differs between any two: request id and date, ids and names and secrets made for it, times, measured
 * durations. What is left of two answers is equal, or they told different things.
 */
export function shapeOf(seen: Seen, houses: readonly Household[]): string {
  const markers = houses.map(({ marker }) => marker).join('|');
  const text = seen.text
    .replaceAll(idPattern, (id) => `<${id.split('_')[0]}>`)
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/lt_(live|test)_[^"\s]*/g, '<key>')
    .replaceAll(/#token=[\w-]+/g, '#token=<token>')
    .replaceAll(times, '<time>')
    .replaceAll(new RegExp(`(?:${markers})(?:-\\d+)?`, 'g'), '<name>')
    .replaceAll(/"(nextCursor)":"[^"]*"/g, '"$1":"<cursor>"')
    .replaceAll(/(chatcmpl-|call_)double\d+/g, '$1double')
    .replaceAll(/"(latencyMs|firstByteMs|us|created|seq|head)":\d+/g, '"$1":0')
    .replaceAll(/^id: \d+$/gm, 'id: <seq>');
  const headers = Object.entries(seen.headers)
    .filter(([name]) => !passing.has(name))
    .map(([name, value]) => `${name}: ${value.replaceAll(idPattern, '<id>')}`)
    .sort();
  return [seen.status, ...headers, text].join('\n');
}

/** A place in a request where a text stands: path to it from the request's parts. */
export type Place = readonly string[];

/** Places of texts that name something of the household: its ids, and names with its marker. */
export function namingPlaces(spec: Spec, house: Household): Place[] {
  const found: Place[] = [];
  const visit = (value: unknown, at: Place): void => {
    if (typeof value === 'string') {
      idPattern.lastIndex = 0;
      if (idPattern.test(value) || value.includes(house.marker)) found.push(at);
    } else if (value !== null && typeof value === 'object') {
      for (const [name, each] of Object.entries(value)) visit(each, [...at, name]);
    }
  };
  visit(spec, []);
  return found;
}

/** The text at a place. */
export function textAt(spec: Spec, place: Place): string {
  let value: unknown = spec;
  for (const name of place) value = (value as Record<string, unknown>)[name];
  return String(value);
}

/** A copy of a request with other texts at some places. */
export function withTexts(spec: Spec, changes: readonly (readonly [Place, string])[]): Spec {
  const copy = structuredClone(spec);
  for (const [place, text] of changes) {
    let value = copy as Record<string, unknown>;
    for (const name of place.slice(0, -1)) value = value[name] as Record<string, unknown>;
    value[place.at(-1) as string] = text;
  }
  return copy;
}

/** Who sends the request that a recipe made for a household. */
export async function senderOf(route: Pick<Route, 'area'>, recipe: Recipe, house: Household): Promise<Sender> {
  if (recipe.as === 'nobody') return {};
  if (recipe.as === 'session') return { cookie: (await house.session()).cookie };
  return { key: route.area === 'platform' ? house.t.operatorKey : house.tenant.key };
}

/** Routes open to any signed-in principal or to anyone, and why none of the permissions is asked for. */
export const withoutPermission: Readonly<Record<string, string>> = {
  'kernel.getHealth': 'load balancers ask without a credential; it tells that the process lives',
  'kernel.getReadiness': 'load balancers ask without a credential; it tells what stands in the way, no data',
  'rbac.listRoles': 'the names of built-in roles are no secret, and every key wizard shows them',
  'rbac.listPermissions': 'the vocabulary is no secret, and every key wizard shows it',
  'auth.login': 'how one gets a credential',
  'auth.useLink': 'how one gets a credential',
  'auth.requestLink': 'how one gets a credential',
  'auth.showInvitation': 'the token is the credential',
  'auth.acceptInvitation': 'the token is the credential',
  'auth.logout': 'one’s own session',
  'auth.getSession': 'oneself',
  'auth.changePassword': 'one’s own password',
  'auth.listSessions': 'one’s own sessions',
  'auth.endSession': 'one’s own sessions',
  'models.listPresets': 'the same public addresses for everybody',
  'gateway.createChatCompletion': 'the handler asks: models:invoke or agents:invoke, as the model names',
  'gateway.createEmbedding': 'the handler asks: models:invoke',
  'console.stream': 'the handler asks for the permission of each topic',
};

/** Places of bodies that take members they do not name, and why. */
const openMembers: Readonly<Record<string, string>> = {
  'agents.startRun /input/*': 'a message in OpenAI’s form: what it may hold is the model’s matter',
};

const verbs: Readonly<Record<Verb, true>> = {
  read: true,
  create: true,
  update: true,
  delete: true,
  invoke: true,
  approve: true,
  cancel: true,
  invite: true,
  suspend: true,
};

/** What is wrong with the declarations of routes: one line per fault. */
export function routeFaults(routes: readonly Route[], permissions: readonly Permission[]): string[] {
  const found: string[] = [];
  const areas = new Map(permissions.map(({ name, area }) => [name, area]));
  for (const { name } of permissions) {
    if (!/^[a-z]+(?:-[a-z]+)*:[a-z]+$/.test(name) || !Object.hasOwn(verbs, name.split(':')[1] as string))
      found.push(`${name} is not "<plural noun>:<verb>" with a verb of the list`);
    if ((areas.get(name) === 'platform') !== name.startsWith('platform-'))
      found.push(`${name} is of the area ${areas.get(name)}`);
  }
  const operations = new Set<string>();
  for (const route of routes) {
    const { operationId, method, path, area, permission, protocol, schema } = route;
    const say = (fault: string) => found.push(`${operationId} (${method} ${path}): ${fault}`);
    if (!/^[a-z]+\.[a-z][a-zA-Z]*$/.test(operationId)) say('the operationId is not module.method');
    if (operations.has(operationId)) say('the operationId is another route’s too');
    operations.add(operationId);
    if (Object.keys(schema.response).every((status) => Number(status) >= 300)) say('no success has a schema');
    for (const [status, response] of Object.entries(schema.response))
      if (response === undefined || Object.keys(response).length === 0) say(`the answer ${status} has an empty schema`);
    if (permission === null && withoutPermission[operationId] === undefined)
      say('asks for no permission, and no reason is listed');
    if (permission !== null && withoutPermission[operationId] !== undefined)
      say('is listed as asking for no permission');
    if (permission !== null && !areas.has(permission)) say(`${permission} is not in the vocabulary`);
    if (permission !== null && area !== 'public' && areas.has(permission) && areas.get(permission) !== area)
      say(`${permission} is not of the area ${area}`);
    if (area === 'public' && permission !== null) say('is public and asks for a permission');
    const platform = path.startsWith('/v1/platform/') || path === '/metrics';
    if ((area === 'platform') !== platform) say(`area ${area} does not go with its path`);
    if (area !== 'public' && !path.startsWith('/v1/') && path !== '/metrics') say('does not begin with /v1/');
    if (/:tenant/i.test(path) && area !== 'platform') say('carries a tenant id');
    for (const name of path.match(/(?<=:)[a-zA-Z]+/g) ?? [])
      if (!Object.hasOwn(members(schema.params), name)) say(`:${name} has no schema`);
    if (protocol === undefined && schema.body !== undefined)
      for (const at of openObjects(schema.body))
        if (openMembers[`${operationId} ${at}`] === undefined) say(`the body takes any member at ${at}`);
    if (method === 'GET' && schema.body !== undefined) say('is a GET with a body');
  }
  for (const listed of Object.keys(withoutPermission))
    if (!operations.has(listed)) found.push(`${listed} is listed without a permission and does not exist`);
  return found;
}

type Json = Record<string, unknown>;

function members(schema: unknown): Json {
  return ((schema as Json | undefined)?.['properties'] ?? {}) as Json;
}

/** Objects in a schema of a body that take members they do not name. Records name theirs by pattern. */
function openObjects(schema: unknown, at = ''): string[] {
  if (schema === null || typeof schema !== 'object') return [];
  const { properties, additionalProperties, patternProperties, oneOf, anyOf, items } = schema as Record<string, Json>;
  const found: string[] = [];
  if (properties !== undefined && (additionalProperties as unknown) !== false && oneOf === undefined)
    found.push(at || '/');
  for (const [name, each] of Object.entries(properties ?? {})) found.push(...openObjects(each, `${at}/${name}`));
  for (const each of Object.values(patternProperties ?? {})) found.push(...openObjects(each, `${at}/*`));
  for (const each of [...((oneOf as unknown as Json[]) ?? []), ...((anyOf as unknown as Json[]) ?? [])])
    found.push(...openObjects(each, at));
  if (items !== undefined) found.push(...openObjects(items, `${at}/*`));
  return found;
}
