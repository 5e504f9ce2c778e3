import {
  type Answer,
  type CallOptions,
  createLintel,
  type Input,
  type Item,
  LintelError,
  type RouteName,
} from '@lintel/sdk';
import { QueryCache, QueryClient, useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

/** The console's one way to the server: same origin, session cookie. */
export const lintel = createLintel();

const pages = lintel.pages as unknown as (route: string, input: unknown) => AsyncGenerator<unknown>;
const ask = lintel.request as unknown as (route: string, input: unknown, options?: CallOptions) => Promise<never>;

let isCutOff = false;
const watchers = new Set<() => void>();
const setCutOff = (now: boolean) => {
  if (isCutOff === now) return;
  isCutOff = now;
  for (const told of watchers) told();
};

/** True while the server cannot be reached or cannot answer: what screens show then was read before. */
export function useCutOff(): boolean {
  return useSyncExternalStore(
    (told) => {
      watchers.add(told);
      return () => watchers.delete(told);
    },
    () => isCutOff,
  );
}

/** Asks again for everything on the screen that could not be read. */
export function askFailedAgain(): Promise<void> {
  return queries.refetchQueries({ type: 'active', predicate: ({ state }) => state.error !== null });
}

/** Answers kept on this page; a refusal is never asked for again by itself. */
export const queries = new QueryClient({
  queryCache: new QueryCache({
    onSuccess: () => setCutOff(false),
    onError: (error) => {
      const { status } = error as { status?: number };
      if (status !== undefined) setCutOff(status === 0 || status >= 500);
      // The session ended while a screen was open: sign in, and come back here.
      const isInside = /^\/(app|operator)(\/|$)/.test(location.pathname);
      if (status === 401 && isInside)
        location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: false,
      refetchOnWindowFocus: true,
      // A Lintel on the same machine answers without any network.
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
});

/** While a question is asked with another query its last answer stays on the screen; that of another thing's path never does. */
const keptFor = (input: unknown) =>
  function keep<T>(last: T | undefined, before: { queryKey: readonly unknown[] } | undefined): T | undefined {
    const path = (of: unknown) => JSON.stringify((of as { path?: unknown } | undefined)?.path);
    return path(before?.queryKey[1]) === path(input) ? last : undefined;
  };

type GetRoute = Extract<RouteName, `GET ${string}`>;

/** Reads a route; asked again every `every` milliseconds when given, while `until` does not say that nothing will change. */
export function useGet<R extends GetRoute>(
  route: R,
  input?: Input<R>,
  options: { every?: number; until?: (answer: Answer<R>) => boolean; enabled?: boolean } = {},
) {
  const { every, until } = options;
  return useQuery<Answer<R>, LintelError>({
    queryKey: [route, input ?? {}],
    queryFn: ({ signal }) => ask(route, input, { signal }),
    placeholderData: keptFor(input) as never,
    ...(every === undefined
      ? {}
      : { refetchInterval: ({ state: { data } }) => (data === undefined || until?.(data) !== true ? every : false) }),
    ...(options.enabled === undefined ? {} : { enabled: options.enabled }),
  });
}

/** Reads a list route page by page. `items` is everything read so far; the more pages, the more seldom they are asked for again. */
export function useList<R extends GetRoute>(
  route: R,
  input?: Input<R>,
  options: { every?: number; enabled?: boolean } = {},
) {
  const { every } = options;
  const query = useInfiniteQuery<{ data: Item<R>[]; nextCursor?: string | null }, LintelError>({
    queryKey: [route, input ?? {}, 'pages'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ signal, pageParam }) => {
      const given = (input ?? {}) as { query?: object };
      const paged = { ...given, query: { ...given.query, cursor: pageParam } };
      return ask(route, paged, { signal });
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keptFor(input) as never,
    ...(every === undefined ? {} : { refetchInterval: ({ state: { data } }) => every * (data?.pages.length ?? 1) }),
    ...(options.enabled === undefined ? {} : { enabled: options.enabled }),
  });
  return { ...query, items: query.data?.pages.flatMap((page) => page.data) };
}

/** The most rows that an export reads: 50 pages. */
const exportLimit = 10_000;

/** Reads a list route page by page to its end, or to the most that an export holds: then `more` is true. */
export async function readAll<R extends GetRoute>(
  route: R,
  input?: Input<R>,
): Promise<{ rows: Item<R>[]; more: boolean }> {
  const given = (input ?? {}) as { query?: object };
  const whole = { ...given, query: { ...given.query, limit: 200 } };
  const rows: Item<R>[] = [];
  for await (const row of pages(route, whole)) {
    if (rows.length === exportLimit) return { rows, more: true };
    rows.push(row as Item<R>);
  }
  return { rows, more: false };
}

/** Writes to a route; afterwards every kept answer whose route begins with one of `refresh` is read again. */
export function useSend<R extends RouteName>(route: R, refresh: readonly string[] = []) {
  return useMutation<Answer<R>, LintelError, Input<R>>({
    mutationFn: (input) => ask(route, input),
    onSuccess: () => refreshRoutes(refresh),
  });
}

/**
 * Acts on something that was made a moment ago. Another node, or the memory of this one, may know of it only a second later, and says
 * until then that there is none: asked again for six seconds.
 */
export async function onceKnown<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if ((error as { status?: number }).status !== 404 || tries === 20) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

/** Reads again every kept answer whose path begins with one of `paths`. */
export function refreshRoutes(paths: readonly string[]): Promise<void> {
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => paths.some((path) => String(queryKey[0]).startsWith(`GET ${path}`)),
  });
}

/** Whether the server refuses to show something (any more); not that it is busy or gone: then what was read stays. */
export function isRefusal(error: unknown): boolean {
  const { status } = (error ?? {}) as { status?: number };
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** The error as the console shows it, whatever was thrown. */
export function asLintelError(error: unknown): LintelError {
  if (error instanceof LintelError) return error;
  return new LintelError(0, { title: error instanceof Error ? error.message : String(error) });
}

/** A failure that an answer tells of by code and words, as screens show problems. */
export function codedError({ code, detail }: { code: string; detail: string }): LintelError {
  return new LintelError(0, { type: code, title: code, detail });
}
