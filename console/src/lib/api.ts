import {
  type Answer,
  type CallOptions,
  createLintel,
  type Input,
  type Item,
  LintelError,
  type RouteName,
} from '@lintel/sdk';
import {
  keepPreviousData,
  QueryCache,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
} from '@tanstack/react-query';

/** The console's one way to the server: same origin, session cookie. */
export const lintel = createLintel();

const pages = lintel.pages as unknown as (route: string, input: unknown) => AsyncGenerator<unknown>;
const ask = lintel.request as unknown as (route: string, input: unknown, options?: CallOptions) => Promise<never>;

/** Answers kept on this page; a refusal is never asked for again by itself. */
export const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      // The session ended while a screen was open: sign in, and come back here.
      const isInside = /^\/(app|operator)(\/|$)/.test(location.pathname);
      if ((error as { status?: number }).status === 401 && isInside)
        location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: false,
      refetchOnWindowFocus: true,
      placeholderData: keepPreviousData,
    },
  },
});

type GetRoute = Extract<RouteName, `GET ${string}`>;

/** Reads a route; asked again every `every` milliseconds when given. */
export function useGet<R extends GetRoute>(
  route: R,
  input?: Input<R>,
  options: { every?: number; enabled?: boolean } = {},
) {
  return useQuery<Answer<R>, LintelError>({
    queryKey: [route, input ?? {}],
    queryFn: ({ signal }) => ask(route, input, { signal }),
    ...(options.every === undefined ? {} : { refetchInterval: options.every }),
    ...(options.enabled === undefined ? {} : { enabled: options.enabled }),
  });
}

/** Reads a list route page by page. `items` is everything read so far. */
export function useList<R extends GetRoute>(
  route: R,
  input?: Input<R>,
  options: { every?: number; enabled?: boolean } = {},
) {
  const query = useInfiniteQuery<{ data: Item<R>[]; nextCursor?: string | null }, LintelError>({
    queryKey: [route, input ?? {}, 'pages'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ signal, pageParam }) => {
      const given = (input ?? {}) as { query?: object };
      const paged = { ...given, query: { ...given.query, cursor: pageParam } };
      return ask(route, paged, { signal });
    },
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    ...(options.every === undefined ? {} : { refetchInterval: options.every }),
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

/** Reads again every kept answer whose path begins with one of `paths`. */
export function refreshRoutes(paths: readonly string[]): Promise<void> {
  return queries.invalidateQueries({
    predicate: ({ queryKey }) => paths.some((path) => String(queryKey[0]).startsWith(`GET ${path}`)),
  });
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
