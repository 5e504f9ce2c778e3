import type { Answer } from '@lintel/sdk';

import { lintel, queries, useGet } from '#lib/api.ts';

/** Who is signed in, of which tenant, with which permissions. */
export type Session = Answer<'GET /v1/auth/session'>;

const route = 'GET /v1/auth/session';

/** The session, or undefined while it is not known or nobody is signed in. */
export function useSession(): Session | undefined {
  const { data } = useGet(route, undefined, { enabled: false });
  return data;
}

/** True when the signed-in principal holds the permission: hides what would only be refused. The server decides. */
export function useCan(): (permission: string) => boolean {
  const session = useSession();
  return (permission) => session?.permissions.includes(permission) === true;
}

/** Reads the session; undefined when nobody is signed in. */
export async function loadSession(): Promise<Session | undefined> {
  try {
    return await queries.ensureQueryData<Session>({
      queryKey: [route, {}],
      queryFn: ({ signal }) => lintel.request(route, undefined as never, { signal }),
      staleTime: Number.POSITIVE_INFINITY,
    });
  } catch (error) {
    if ((error as { status?: number }).status === 401) return undefined;
    throw error;
  }
}

/** Forgets everything read so far: after signing in or out, or when rights changed. */
export function forgetSession(): void {
  queries.clear();
}

/** The first screen of a session's area. */
export function homeOf(session: Session): '/operator' | '/app' {
  return session.principal.kind === 'operator' ? '/operator' : '/app';
}

/** The path that the screens of the signed-in person's area begin with. */
export function useArea(): '/operator' | '/app' {
  const session = useSession();
  return session === undefined ? '/app' : homeOf(session);
}
