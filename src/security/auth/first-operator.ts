import { systemCause } from '#kernel/cause';
import type { Doors } from '#kernel/database';
import { Problem } from '#kernel/problem';
import { platformTenantId } from '#tenancy';

import type { KeyManager } from './key-manager.ts';
import type { MemberManager } from './member-manager.ts';
import { problems } from './problems.ts';
import type { SignInManager } from './sign-in-manager.ts';
import { readUsers, type UserRow } from './store.ts';

/** What the first start hands over: the operator, the token of a one-time login link, and an operator's API key. */
export type FirstOperator = { user: UserRow; loginToken: string; operatorKey: string };

/** The first login link lives for a day: whoever started Lintel may open it after lunch. */
const loginMinutes = 24 * 60;

/**
 * Creates the first operator with a login link and a key, unless the platform has users already. Of two first starts at once
 * one creates it, the other gets undefined.
 */
export async function createFirstOperator(
  deps: { db: Pick<Doors, 'forTenant'>; members: MemberManager; signIn: SignInManager; keys: KeyManager },
  email: string,
): Promise<FirstOperator | undefined> {
  const cause = systemCause('auth');
  const some = await deps.db.forTenant(platformTenantId, (tx) => readUsers(tx, platformTenantId, undefined, 1));
  if (some.length > 0) return undefined;
  const roles = ['platform_operator'];
  let user: UserRow;
  try {
    user = await deps.members.createUser(platformTenantId, { email, name: 'Operator', roles }, cause);
  } catch (error) {
    if (error instanceof Problem && error.kind === problems.emailTaken) return undefined;
    throw error;
  }
  const { token } = await deps.signIn.issueLoginLink(platformTenantId, user.id, loginMinutes, cause);
  const made = await deps.keys.createKey(
    platformTenantId,
    { name: 'First operator key' },
    {
      actor: { kind: 'operator', id: user.id, name: user.name },
    },
  );
  return { user, loginToken: token, operatorKey: made.secret };
}
