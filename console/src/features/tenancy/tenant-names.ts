import { useQueries } from '@tanstack/react-query';

import { lintel, useGet } from '#lib/api.ts';

const one = 'GET /v1/platform/tenants/{id}';

/** Names of tenants by id, for operators: the first 200 in one question, those of `ids` that are not among them one by one. */
export function useTenantNames(ids: readonly string[] = []): ReadonlyMap<string, string> {
  const first = useGet('GET /v1/platform/tenants', { query: { limit: 200 } });
  const names = new Map(first.data?.data.map(({ id, name }) => [id, name]));
  const missing = first.data === undefined ? [] : [...new Set(ids)].filter((id) => !names.has(id)).slice(0, 100);
  const found = useQueries({
    queries: missing.map((id) => ({
      queryKey: [one, { path: { id } }],
      queryFn: () => lintel.request(one, { path: { id } }),
      staleTime: 600_000,
    })),
  });
  for (const { data } of found) if (data !== undefined) names.set(data.id, data.name);
  return names;
}
