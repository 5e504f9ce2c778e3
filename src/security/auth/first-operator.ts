import { systemCause } from '#kernel/cause';
import type { Doors } from '#kernel/database';
import { platformTenantId } from '#tenancy';

import type { KeyManager } from './key-manager.ts';
import type { MemberManager } from './member-manager.ts';
import type { SignInManager } from './sign-in-manager.ts';
import { lockFirstStart, readUsers, type UserRow, userActor } from './store.ts';

/** What the first start hands over: the operator, the token of a one-time login link, and an operator's API key. */
export type FirstOperator = { user: UserRow; loginToken: string; operatorKey: string };

/** The first login link lives for a day: whoever started Lintel may open it after lunch. */
const loginMinutes = 24 * 60;

/**
 * Creates the first operator with a login link and a key in one transaction, unless the platform has users already. Of two first
 * starts at once one creates it, the other gets undefined.
 */
export function createFirstOperator(
  deps: { db: Pick<Doors, 'forTenant'>; members: MemberManager; signIn: SignInManager; keys: KeyManager },
  email: string,
): Promise<FirstOperator | undefined> {
  const cause = systemCause('auth');
  const tenantId = platformTenantId;
  return deps.db.forTenant(tenantId, async (tx) => {
    await lockFirstStart(tx);
    if ((await readUsers(tx, tenantId, undefined, 1)).length > 0) return undefined;
    const roles = ['platform_operator'];
    const user = await deps.members.createIn(tx, tenantId, { email, name: 'Operator', roles }, cause);
    const { token } = await deps.signIn.issueIn(tx, user, loginMinutes, cause);
    const by = { actor: userActor(user, 'operator') };
    const { secret } = await deps.keys.createIn(tx, tenantId, { name: 'First operator key' }, by);
    return { user, loginToken: token, operatorKey: secret };
  });
}
