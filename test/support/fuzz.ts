import { Agent, request } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { Route } from '#kernel/http';
import type { World } from '#test/household';
import { Dice, mutate, type Wire } from '#test/mutate';
import { moreRecipes, type Recipe, recipes, type Spec } from '#test/recipes';
import { type Sender, senderOf } from '#test/route-walk';

/** What a fuzz found. `faults` is empty when nothing broke. */
export type FuzzResult = { faults: string[]; figures: Record<string, unknown> };

/** 5xx that say that somebody else failed: providers, tool servers, agents that run elsewhere. */
const upstreamProblems = new Set([
  'upstream-failed',
  'upstream-refused',
  'upstream-busy',
  'upstream-timeout',
  'run-failed',
  'tool-unavailable',
]);

/** Set on mutations, so that they are told from the requests that make them possible. */
const mark = 'x-lintel-mutation';
const lanes = 6;
const answerWithinMs = 30_000;
const streamForMs = 150;

/**
 * Sends `count` mutations of valid requests, seeded, to every route in turn. Faults: a 5xx that is not an upstream's, no answer, a
 * broken connection, an unhandled rejection, a route whose handler was never reached, fewer than 30 % past validation, and (when
 * `memory`) a resident size or live heap in the last fifth above 1.15 × that around 30 %, after garbage collection: the least of some
 * samples each, for what hashes passwords takes up to 80 MB outside the heap for a moment.
 */
export async function fuzz(
  world: World,
  options: { seed: number; count: number; memory?: boolean; say?: (line: string) => void },
): Promise<FuzzResult> {
  const { seed, count } = options;
  const { t, a } = world;
  const faults = new Map<string, number>();
  const fault = (text: string) => faults.set(text, (faults.get(text) ?? 0) + 1);
  const statuses: Record<string, number> = {};
  const unwatch = watchProcess(fault);
  const { handled, unwrap } = countHandled(t.app.routes);
  const bases = new Bases(world);
  const agent = new Agent({ keepAlive: true, maxSockets: lanes * 2 });
  let sent = 0;
  const samples: (Memory & { at: number })[] = [];
  try {
    while (sent < count) {
      const size = Math.min(600, count - sent);
      const first = sent;
      await Promise.all(
        Array.from({ length: lanes }, async (_, lane) => {
          for (let i = first + lane; i < first + size; i += lanes) {
            const route = t.app.routes[i % t.app.routes.length] as Route;
            const base = await bases.take(route).catch((error: unknown) => error as Error);
            if (base instanceof Error) {
              fault(`${route.operationId}: no valid request could be made: ${base.message.slice(0, 300)}`);
              continue;
            }
            // Each mutation has dice of its own: what the lanes do side by side changes none.
            const own = new Dice(seed * 1_000_003 + i);
            const ids = [...a.seen].filter((id) => !id.startsWith('tnt_')).slice(-60);
            // A route that nothing has reached yet gets what leaves its input as it is.
            const mild = i >= 6 * t.app.routes.length && !handled.has(route.operationId);
            const wire = mutate(own, { path: route.path, spec: base.spec, schema: route.schema, ids, mild });
            const answer = await sendRaw(t.url, agent, route.method, wire, own.chance(0.95) ? base.sender : {});
            statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
            const wrong = judge(answer);
            if (wrong !== undefined) fault(`${route.operationId}: ${wrong} [mutation ${i}: ${shown(wire)}]`);
          }
        }),
      );
      sent += size;
      const at = sent / count;
      if ((at >= 0.2 && at <= 0.4) || at >= 0.8) samples.push({ at, ...memoryAfterGc() });
      options.say?.(`${sent} sent, ${faults.size} faults`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  } finally {
    agent.destroy();
    unwrap();
    unwatch();
  }
  const passed = [...handled.values()].reduce((sum, n) => sum + n, 0);
  for (const { operationId } of t.app.routes)
    if ((handled.get(operationId) ?? 0) === 0) fault(`${operationId}: its handler was never reached`);
  const share = passed / count;
  if (share < 0.3) fault(`only ${(share * 100).toFixed(1)} % came past validation`);
  const late = leastOf([...samples.filter(({ at }) => at >= 0.8), memoryAfterGc()]);
  const first = leastOf([
    ...samples.filter(({ at }) => at <= 0.4),
    ...(samples.some(({ at }) => at <= 0.4) ? [] : [late]),
  ]);
  const growth = { rss: late.rss / first.rss, heap: late.heap / first.heap };
  if (options.memory === true)
    for (const [what, times] of Object.entries(growth))
      if (times > 1.15) fault(`${what} grew to ${times.toFixed(2)} × that at 30 %`);
  const alive = await t.call(t.operatorKey, 'GET', '/readyz');
  if (alive.status !== 200) fault(`at the end it is not ready: ${alive.text}`);
  return {
    faults: [...faults].map(([text, n]) => (n === 1 ? text : `${text} (${n} times)`)),
    figures: {
      mutations: sent,
      pastValidation: Number(share.toFixed(3)),
      routes: t.app.routes.length,
      statuses,
      memoryAt30PercentMb: inMb(first),
      memoryAtEndMb: inMb(late),
      growth: { rss: Number(growth.rss.toFixed(3)), heap: Number(growth.heap.toFixed(3)) },
    },
  };
}

/**
 * Sends `count` requests with keys that are wrong in every way, as one address does that guesses. Faults: an answer other than 401, and
 * more rows than the seconds it took allow (refusals are kept as a first and a count per second).
 */
export async function floodBadKeys(world: World, options: { seed: number; count: number }): Promise<FuzzResult> {
  const { t, a } = world;
  const faults: string[] = [];
  const dice = new Dice(options.seed);
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const random = (length: number) => Array.from({ length }, () => alphabet[dice.under(62)]).join('');
  const { key } = await a.api('POST', '/v1/api-keys', { name: a.name() });
  const good = String(key);
  const kinds: (() => string)[] = [
    () => `lt_live_${random(46)}`,
    () => `lt_test_${random(46)}`,
    () => random(20),
    () => `${good.slice(0, -1)}${good.endsWith('0') ? '1' : '0'}`,
    () => `${good.slice(0, 20)}${random(1)}${good[21] === 'x' ? 'y' : 'x'}${good.slice(22)}`,
    () => `lt_live_${random(45)}`,
    () => `sk-${random(48)}`,
    () => 'x'.repeat(4_000),
  ];
  const before = await settledCounts(world);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const started = performance.now();
  const odd: Record<string, number> = {};
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (next < options.count) {
        const i = next++;
        const path = i % 2 === 0 ? '/v1/agents' : '/v1/models';
        const wire: Wire = { path, body: undefined, headers: {} };
        const answer = await sendRaw(t.url, agent, 'GET', wire, { key: (kinds[i % kinds.length] as () => string)() });
        if (answer.status !== 401) odd[answer.status] = (odd[answer.status] ?? 0) + 1;
      }
    }),
  );
  agent.destroy();
  const seconds = (performance.now() - started) / 1000;
  const after = await settledCounts(world);
  const added = Object.fromEntries(Object.entries(after).map(([table, n]) => [table, n - (before[table] ?? 0)]));
  // Per second, for each route and reason a first and a count.
  const bound = Math.ceil((seconds + 5) * 12);
  for (const [table, n] of Object.entries(added))
    if (n > bound) faults.push(`${table} grew by ${n} rows, more than ${bound}`);
  if (Object.keys(odd).length > 0) faults.push(`bad keys got other answers than 401: ${JSON.stringify(odd)}`);
  return { faults, figures: { badKeys: options.count, seconds: Math.round(seconds), rowsAdded: added, bound } };
}

/** The counts once two seconds have changed nothing: refusals are written each second, and the audit log's reader comes after. */
async function settledCounts(world: World): Promise<Record<string, number>> {
  for (let counts = await rowCounts(world); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const later = await rowCounts(world);
    if (JSON.stringify(later) === JSON.stringify(counts)) return later;
    counts = later;
  }
}

async function rowCounts({ t }: World): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of ['audit_events', 'calls'])
    counts[table] = await t.app.db.forPlatform(async (tx) => {
      const { n } = await tx.one<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
      return n;
    });
  return counts;
}

/** Valid requests of each route, made anew when they may be used up; one at a time, for some turn switches of the doubles. */
class Bases {
  readonly #world: World;
  readonly #held = new Map<string, { spec: Spec; sender: Sender; left: number }>();
  #turn: Promise<unknown> = Promise.resolve();
  #made = 0;

  constructor(world: World) {
    this.#world = world;
  }

  take(route: Route): Promise<{ spec: Spec; sender: Sender }> {
    const turn = this.#turn.then(() => this.#take(route));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #take(route: Route): Promise<{ spec: Spec; sender: Sender }> {
    const held = this.#held.get(route.operationId);
    if (held !== undefined && held.left-- > 0) return held;
    const more = moreRecipes[route.operationId];
    const recipe = (this.#made++ % 2 === 1 && more !== undefined ? more : recipes[route.operationId]) as Recipe;
    const { a } = this.#world;
    const spec = await recipe.make(a);
    const sender = await senderOf(route, recipe, a);
    const fresh = { spec, sender, left: recipe.once === true || recipe.as === 'session' ? 5 : 30 };
    this.#held.set(route.operationId, fresh);
    return fresh;
  }
}

type RawAnswer = { status: number; text: string; error?: string };

function sendRaw(
  url: string,
  agent: Agent,
  method: string,
  wire: Wire,
  sender: Sender,
  again = false,
): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const headers: Record<string, string | number> = {
      [mark]: '1',
      'x-forwarded-for': '127.0.0.1',
      ...(sender.key === undefined ? {} : { authorization: `Bearer ${sender.key}` }),
      ...(sender.cookie === undefined ? {} : { cookie: sender.cookie, origin: url }),
      ...wire.headers,
      ...(wire.body === undefined || wire.headers['transfer-encoding'] !== undefined
        ? {}
        : { 'content-length': wire.body.length }),
    };
    let outgoing: ReturnType<typeof request>;
    try {
      outgoing = request({ hostname, port, method, path: wire.path, headers, agent: again ? false : agent });
    } catch (error) {
      // What the client itself refuses to send (a line break in a header) reaches nobody.
      return resolve({ status: -1, text: String(error) });
    }
    const timer = setTimeout(() => {
      resolve({ status: 0, text: '', error: `no answer within ${answerWithinMs} ms` });
      outgoing.destroy();
    }, answerWithinMs);
    const end = (answer: RawAnswer) => {
      clearTimeout(timer);
      resolve(answer);
    };
    let answered = false;
    outgoing.on('error', (error) => {
      if (answered) return;
      // The server may close a connection that waits for its next request: a client tries again on another (RFC 9112 §9.3.1).
      if (outgoing.reusedSocket && !again) void sendRaw(url, agent, method, wire, sender, true).then(end);
      else end({ status: 0, text: '', error: error.message });
    });
    outgoing.on('response', (response) => {
      answered = true;
      const status = response.statusCode ?? 0;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        if (text.length < 5_000) text += part;
      });
      const stream = String(response.headers['content-type']).startsWith('text/event-stream');
      if (stream) setTimeout(() => outgoing.destroy(), streamForMs);
      response.on('close', () => end({ status, text }));
      response.on('error', () => end({ status, text }));
    });
    outgoing.end(wire.body);
  });
}

/** What is wrong with an answer, if anything. */
function judge({ status, text, error }: RawAnswer): string | undefined {
  if (error !== undefined) return error;
  if (status < 500) return undefined;
  // Readiness says so when the machine is too busy for the log's heartbeat: its declared answer.
  if (status === 503 && text.startsWith('{"ready":false')) return undefined;
  const type = /"type":\s?"https:\/\/lintel\.dev\/problems\/([a-z-]+)"/.exec(text)?.[1];
  return type !== undefined && upstreamProblems.has(type) ? undefined : `${status} ${text.slice(0, 300)}`;
}

/** Counts mutations that reach a handler; `unwrap` takes the counting away. */
function countHandled(routes: readonly Route[]): { handled: Map<string, number>; unwrap: () => void } {
  const handled = new Map<string, number>();
  const undo = routes.map((route) => {
    const open = route as { handle: Route['handle'] };
    const { handle } = open;
    open.handle = (context) => {
      const { request: arrived } = context as { request: { headers: Record<string, unknown> } };
      if (arrived.headers[mark] !== undefined)
        handled.set(route.operationId, (handled.get(route.operationId) ?? 0) + 1);
      return handle(context);
    };
    return () => {
      open.handle = handle;
    };
  });
  const unwrap = () => {
    for (const each of undo) each();
  };
  return { handled, unwrap };
}

function watchProcess(fault: (text: string) => void): () => void {
  const onRejection = (reason: unknown) => fault(`unhandled rejection: ${String(reason).slice(0, 300)}`);
  const onException = (error: Error) => fault(`uncaught exception: ${error.message}`);
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  return () => {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  };
}

let collect: (() => void) | undefined;
type Memory = { rss: number; heap: number };

/** Resident memory and live heap after a full garbage collection, bytes. */
function memoryAfterGc(): Memory {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heap: heapUsed };
}

function leastOf(samples: readonly Memory[]): Memory {
  return {
    rss: Math.min(...samples.map(({ rss }) => rss)),
    heap: Math.min(...samples.map(({ heap }) => heap)),
  };
}

function inMb({ rss, heap }: Memory): object {
  return { rss: Math.round(rss / 1_048_576), heap: Math.round(heap / 1_048_576) };
}

function shown(wire: Wire): string {
  const body = wire.body?.toString('latin1') ?? '';
  return `${wire.path.slice(0, 200)} ${JSON.stringify(wire.headers).slice(0, 200)} ${body.length > 400 ? `${body.slice(0, 400)}… (${body.length} bytes)` : body}`;
}
