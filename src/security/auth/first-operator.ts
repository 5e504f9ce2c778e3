import { systemCause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import { platformTenantId } from '#tenancy';

import type { KeyManager } from './key-manager.ts';
import { isOpenLoginToken } from './link-store.ts';
import type { MemberManager } from './member-manager.ts';
import type { SignInManager } from './sign-in-manager.ts';
import { lockFirstStart, readUsers, type UserRow, userActor } from './store.ts';
import type { Tokens } from './tokens.ts';

/** What the first start hands over: the operator, the token of a one-time login link, and an operator's API key. */
export type FirstOperator = { user: UserRow; loginToken: string; operatorKey: string };

/** The first login link lives for a day: whoever started Lintel may open it after lunch. */
const loginMinutes = 24 * 60;

/**
 * Creates the first operator with a login link and a key in one transaction, unless the platform has users already. Of two first
 * starts at once one creates it, the other gets undefined. `keep` puts what is handed over where it is found again, before the
 * transaction commits: an operator that nobody can sign in as would lock the house for good.
 */
export function createFirstOperator(
  deps: { db: Pick<Doors, 'forTenant'>; members: MemberManager; signIn: SignInManager; keys: KeyManager },
  email: string,
  keep: (made: FirstOperator) => Promise<void> = () => Promise.resolve(),
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
    const made = { user, loginToken: token, operatorKey: secret };
    await keep(made);
    return made;
  });
}

/**
 * The token of a link by which the first operator gets in: the kept one while it can be used, else a new one. Undefined when they
 * have a password to get in by, or are no member any more.
 */
export async function renewFirstLink(
  deps: { db: Pick<Doors, 'forTenant'>; clock: Clock; tokens: Tokens; signIn: SignInManager },
  email: string,
  kept: string,
): Promise<string | undefined> {
  const user = (await deps.signIn.accountsOf(email)).find(({ tenantId }) => tenantId === platformTenantId);
  if (user === undefined) return undefined;
  const { tenantId, id: userId } = user;
  const link = { tenantId, userId, hash: deps.tokens.hash('login', kept), now: deps.clock.now().toString() };
  if (await deps.db.forTenant(tenantId, (tx) => isOpenLoginToken(tx, link))) return kept;
  if (user.passwordHash !== null) return undefined;
  const { token } = await deps.signIn.issueLoginLink(tenantId, userId, loginMinutes, systemCause('auth'));
  return token;
}
