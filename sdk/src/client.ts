import { type Operations, operations } from './generated/types.ts';
import { type CallOptions, type RequestParts, type Sender, send, wait } from './send.ts';
import { readEvents, type ServerSentEvent } from './server-sent-events.ts';

// biome-ignore lint/performance/noBarrelFile: this file is the package's one public face
export { LintelError, type ProblemBody, type ProblemPlace } from './problem.ts';
export type { CallOptions, Operations, ServerSentEvent };

/** A route of the API: `GET /v1/api-keys/{id}`. */
export type RouteName = keyof Operations;

/** What a route takes: `path`, `query` and `body`, each only where it has one. */
export type Input<R extends RouteName> = Operations[R]['input'];

/** What a route answers with on success. */
export type Answer<R extends RouteName> = Operations[R]['answer'];

/** One entry of a list route's page. */
export type Item<R extends RouteName> = Answer<R> extends { data: Array<infer T> } ? T : never;

/** How to reach a Lintel. In a browser on the console's own origin neither field is needed: the session cookie goes along. */
export type LintelOptions = {
  /** Such as `https://lintel.example.com`; default: this page's origin. */
  baseUrl?: string;
  /** `lt_live_…` or `lt_test_…`. */
  apiKey?: string;
  fetch?: typeof globalThis.fetch;
  /** Repeats after the first attempt; default 2. */
  maxRetries?: number;
};

type Arguments<R extends RouteName> =
  Record<never, never> extends Input<R>
    ? [input?: Input<R>, options?: CallOptions]
    : [input: Input<R>, options?: CallOptions];

type Table = typeof operations;

/** Every operation as `client.module.method(input, options)`. */
export type Methods = {
  [M in keyof Table]: {
    [N in keyof Table[M]]: Table[M][N] extends RouteName
      ? (...args: Arguments<Table[M][N]>) => Promise<Answer<Table[M][N]>>
      : never;
  };
};

/** How live topics are followed. */
export type FollowOptions = CallOptions & {
  /** Told `true` with every sign of life (a connection stands, an event or ping comes on it), `false` when a connection is lost. */
  onLink?: (isUp: boolean) => void;
};

/** What the client offers beside the operations by name. */
export type Core = {
  /** Calls a route by its name; the grouped methods are this with the name filled in. */
  request<R extends RouteName>(route: R, ...args: Arguments<R>): Promise<Answer<R>>;
  /** Follows a list through all its pages. */
  pages<R extends RouteName>(route: R, ...args: Arguments<R>): AsyncGenerator<Item<R>>;
  /** Calls a route that answers with server-sent events and yields them as they arrive. */
  events<R extends RouteName>(route: R, ...args: Arguments<R>): AsyncGenerator<ServerSentEvent>;
  /**
   * Follows live topics (`overview`, `calls`, …), connecting again with Last-Event-ID and back-off until the signal is aborted
   * or the credential is refused; also when a connection says nothing for 45 s, three of the server's pings.
   */
  follow(topics: readonly string[], options?: FollowOptions): AsyncGenerator<ServerSentEvent>;
  /** Streams a chat completion: OpenAI chunks, without the closing `[DONE]`. */
  chat(body: Record<string, unknown>, options?: CallOptions): AsyncGenerator<Record<string, unknown>>;
};

/** The typed client of the whole API. */
export type Lintel = Core & Methods;

/** Makes a client. Nothing is sent before the first call. */
export function createLintel(options: LintelOptions = {}): Lintel {
  const sender: Sender = {
    baseUrl: (options.baseUrl ?? '').replace(/\/+$/, ''),
    apiKey: options.apiKey,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    maxRetries: options.maxRetries ?? 2,
    wait,
  };
  const core = coreOf(sender);
  const methods: Record<string, Record<string, unknown>> = {};
  for (const [module, routes] of Object.entries(operations)) {
    const group: Record<string, unknown> = {};
    for (const [name, route] of Object.entries(routes)) {
      group[name] = (input?: RequestParts, callOptions?: CallOptions) => requestJson(sender, route, input, callOptions);
    }
    methods[module] = group;
  }
  return Object.assign(methods, core) as unknown as Lintel;
}

function coreOf(sender: Sender): Core {
  return {
    request: (route, ...[input, options]) => requestJson(sender, route, input, options) as never,
    async *pages(route, ...[input, options]) {
      const parts = (input ?? {}) as RequestParts;
      let cursor: string | null | undefined;
      do {
        const query = cursor === undefined ? parts.query : { ...parts.query, cursor };
        const page = (await requestJson(sender, route, { ...parts, ...(query && { query }) }, options)) as {
          data: never[];
          nextCursor: string | null;
        };
        yield* page.data;
        cursor = page.nextCursor;
      } while (cursor !== null && cursor !== undefined);
    },
    events: (route, ...[input, options]) => openEvents(sender, route, input as RequestParts, options),
    follow: (topics, options) => followTopics(sender, topics, options),
    async *chat(body, options) {
      const events = openEvents(sender, 'POST /v1/chat/completions', { body: { ...body, stream: true } }, options);
      for await (const { event, data } of events) {
        if (event === 'comment') continue;
        if (data === '[DONE]') return;
        yield JSON.parse(data) as Record<string, unknown>;
      }
    },
  };
}

async function requestJson(
  sender: Sender,
  route: string,
  input: RequestParts | undefined,
  options: CallOptions | undefined,
): Promise<unknown> {
  const response = await send(sender, route, input ?? {}, options);
  const text = await response.text();
  return text === '' ? undefined : JSON.parse(text);
}

async function* openEvents(
  sender: Sender,
  route: string,
  input: RequestParts | undefined,
  options: CallOptions | undefined,
): AsyncGenerator<ServerSentEvent> {
  const response = await openStream(sender, route, input, options);
  if (response.body !== null) yield* readEvents(response.body);
}

function openStream(
  sender: Sender,
  route: string,
  input: RequestParts | undefined,
  options: CallOptions | undefined,
): Promise<Response> {
  return send(sender, route, input ?? {}, {
    ...options,
    headers: { ...options?.headers, accept: 'text/event-stream' },
  });
}

/** A connection that says nothing for this long is dead, whatever TCP believes (a machine that slept, a silent proxy). */
const silenceMs = 45_000;

async function* followTopics(
  sender: Sender,
  topics: readonly string[],
  { onLink, ...options }: FollowOptions = {},
): AsyncGenerator<ServerSentEvent> {
  let lastId: string | undefined;
  const isStopped = () => options.signal?.aborted === true;
  for (let failures = 0; ; ) {
    const silent = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), silenceMs);
    };
    try {
      const signal = options.signal === undefined ? silent.signal : AbortSignal.any([options.signal, silent.signal]);
      const headers = lastId === undefined ? options.headers : { ...options.headers, 'last-event-id': lastId };
      const input = { query: { topics: topics.join(',') } };
      const response = await openStream(sender, 'GET /v1/stream', input, {
        ...options,
        signal,
        ...(headers && { headers }),
      });
      onLink?.(true);
      wait();
      for await (const event of response.body === null ? [] : readEvents(response.body)) {
        failures = 0;
        lastId = event.id ?? lastId;
        onLink?.(true);
        // What the reader does with an event takes no time off the server.
        clearTimeout(timer);
        if (event.event !== 'comment') yield event;
        wait();
      }
    } catch (error) {
      const status = (error as { status?: number }).status;
      if (isStopped()) return;
      if (status !== undefined && status !== 0 && status < 500 && status !== 429) throw error;
    } finally {
      clearTimeout(timer);
    }
    if (isStopped()) return;
    onLink?.(false);
    failures++;
    await sender.wait(Math.min(10_000, 500 * 2 ** Math.min(failures, 5)), options.signal).catch(() => undefined);
    if (isStopped()) return;
  }
}
