import { Anchor, type AnchorProps } from '@mantine/core';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { type ReactNode, useCallback } from 'react';

/** Filters as the URL's query holds them. */
export type Filters = Record<string, string | undefined>;

/** Goes to a path of the console, with filters. */
export function useGo(): (to: string, search?: Filters) => void {
  const navigate = useNavigate();
  return useCallback(
    (to, search) => {
      void navigate({ to, search: search ?? {} } as never);
    },
    [navigate],
  );
}

/** The filters of this screen and the function that changes some of them; undefined takes one away. */
export function useFilters(): [Filters, (change: Filters) => void] {
  const filters = useSearch({ strict: false }) as Filters;
  const navigate = useNavigate();
  const change = useCallback(
    (next: Filters) => {
      void navigate({ to: '.', search: (now: Filters) => ({ ...now, ...next }), replace: true } as never);
    },
    [navigate],
  );
  return [filters, change];
}

/** A part of the path, such as `agentId`. */
export function useParam(name: string): string {
  const params = useParams({ strict: false }) as Record<string, string | undefined>;
  return params[name] ?? '';
}

/** A link inside the console. */
export function TextLink({
  to,
  search,
  children,
  ...rest
}: AnchorProps & { to: string; search?: Filters; children: ReactNode }) {
  return (
    <Anchor {...rest} renderRoot={(props) => <Link {...props} to={to as never} search={(search ?? {}) as never} />}>
      {children}
    </Anchor>
  );
}
