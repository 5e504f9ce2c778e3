import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { problems as kernelProblems, notFound, Problem } from '#kernel/problem';
import { platformTenantId, type TenancyModule } from '#tenancy';

import { checkPassword, normalPassword } from './check-password.ts';
import { findCredential, insertCredential } from './key-store.ts';
import { insertLoginToken, useLoginToken, voidLoginTokens } from './link-store.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { problems } from './problems.ts';
import type { SessionManager } from './session-manager.ts';
import { findEmail, lowerEmail, readUser, type SignInMethod, type UserRow, userActor, writeUser } from './store.ts';
import type { LoginThrottle } from './throttle-logins.ts';
import type { Tokens } from './tokens.ts';

/** Where a sign-in comes from. */
export type SignInOrigin = { ip: string; client: string; requestId: string };

/** A sign-in that succeeded: the token goes into the cookie. */
export type SignedIn = { token: string; user: UserRow };

/** A sign-in whose password fits accounts in several tenants: the person chooses one. */
export type TenantChoice = { tenants: { slug: string; name: string }[] };

/** What auth needs of tenancy. */
export type Tenants = Pick<TenancyModule, 'admit' | 'tenants'>;

/** More accounts of one address than this are not tried without naming the tenant: each costs a hash. */
const mostAccounts = 5;

/** Nobody's account. */
const nobody = { tenantId: platformTenantId, userId: '00000000-0000-7000-8000-000000000000' };

/** Signing in by password or one-time link, and changing the password. */
export class SignInManager {
  readonly #db: Doors;
  readonly #clock: Clock;
  readonly #hasher: PasswordHasher;
  readonly #sessions: SessionManager;
  readonly #throttle: LoginThrottle;
  readonly #tokens: Tokens;
  readonly #tenants: Tenants;
  #dummy: Promise<string> | undefined;

  constructor(deps: {
    db: Doors;
    clock: Clock;
    hasher: PasswordHasher;
    sessions: SessionManager;
    throttle: LoginThrottle;
    tokens: Tokens;
    tenants: Tenants;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#hasher = deps.hasher;
    this.#sessions = deps.sessions;
    this.#throttle = deps.throttle;
    this.#tokens = deps.tokens;
    this.#tenants = deps.tenants;
  }

  /**
   * Signs in by e-mail and password. One answer for an unknown address, a wrong password and a disabled account, after the work
   * of one hash. Which tenants an address belongs to is told only to who knows the password; more accounts than one take more
   * hashes, so that the time can tell of a second account, never of a first.
   */
  async signIn(
    input: { email: string; password: string; tenant?: string },
    origin: SignInOrigin,
  ): Promise<SignedIn | TenantChoice> {
    const account = lowerEmail(input.email);
    await this.#throttle.take(account, origin.ip);
    const password = normalPassword(input.password);
    const { users, others } = await this.#accounts(account, input.tenant);
    const matched: UserRow[] = [];
    // Asked for by every sign-in: while it is not made yet, waiting for it tells nothing either.
    const dummy = await this.#dummyHash();
    for (const user of users) {
      const fits = await this.#hasher.verify(user.passwordHash ?? dummy, password);
      if (fits && user.passwordHash !== null && user.status === 'active') matched.push(user);
    }
    if (users.length === 0) await this.#hasher.verify(dummy, password);
    const [first] = matched;
    if (first === undefined)
      throw new Problem(problems.signInFailed, { account: { email: account, tenantId: users[0]?.tenantId } });
    const guessable = users.filter((user) => user.passwordHash !== null && user.status === 'active');
    await this.#throttle.succeeded(account, origin.ip, !others && matched.length === guessable.length);
    const open = matched.filter(({ tenantId }) => this.#tenants.tenants.get(tenantId)?.status === 'active');
    if (open.length > 1)
      return {
        tenants: open
          .map(({ tenantId }) => this.#tenants.admit({ tenantId }))
          .map(({ slug, name }) => ({ slug, name })),
      };
    const chosen = open[0] ?? first;
    this.#tenants.admit(chosen);
    return this.#db.forTenant(chosen.tenantId, (tx) => this.begin(tx, chosen, 'password', origin));
  }

  /** Makes a one-time login link's token. Links made before for the same user end. `check` may refuse it, the user's row being locked. */
  async issueLoginLink(
    tenantId: string,
    userId: string,
    minutes: number,
    cause: Cause,
    check?: (tx: Tx, user: UserRow) => Promise<void>,
  ): Promise<{ token: string; expiresAt: string; user: UserRow }> {
    return this.#db.forTenant(tenantId, async (tx) => {
      const user = await readUser(tx, tenantId, userId, 'lock');
      if (user === undefined || user.status !== 'active') throw notFound('member');
      await check?.(tx, user);
      return this.issueIn(tx, user, minutes, cause);
    });
  }

  /** As {@link issueLoginLink}, in the transaction of a larger change. */
  async issueIn(
    tx: Tx,
    user: UserRow,
    minutes: number,
    cause: Cause,
  ): Promise<{ token: string; expiresAt: string; user: UserRow }> {
    const { tenantId } = user;
    const now = this.#clock.now();
    const token = this.#tokens.mint('login');
    const row = { tenantId, id: newId(), userId: user.id, hash: this.#tokens.hash('login', token) };
    const expiresAt = now.add({ minutes }).toString();
    await voidLoginTokens(tx, tenantId, user.id, now.toString());
    await insertLoginToken(tx, { ...row, createdAt: now.toString(), expiresAt });
    await insertCredential(tx, { hash: row.hash, tenantId, kind: 'login', refId: row.id });
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId,
        type: 'auth.login_link.issued',
        subject: { kind: 'user', id: user.id, name: user.name },
        data: { expiresAt },
      },
      now,
    );
    return { token, expiresAt, user };
  }

  /** The accounts a forgotten password's link can be made for. */
  async accountsOf(email: string): Promise<UserRow[]> {
    const { users } = await this.#accounts(lowerEmail(email), undefined);
    return users.filter((user) => user.status === 'active');
  }

  /** Signs in by a one-time link; of two at once one succeeds. */
  async useLoginLink(token: string, origin: SignInOrigin): Promise<SignedIn> {
    const invalid = (of?: string) => new Problem(problems.linkInvalid, { account: { tenantId: of } });
    if (!this.#tokens.isOurs('login', token)) throw invalid();
    const hash = this.#tokens.hash('login', token);
    const credential = await this.#db.forService('directory', (tx) => findCredential(tx, hash, 'login'));
    if (credential === undefined) throw invalid();
    const { tenantId, refId } = credential;
    this.#tenants.admit({ tenantId });
    return this.#db.forTenant(tenantId, async (tx) => {
      const userId = await useLoginToken(tx, tenantId, refId, this.#clock.now().toString());
      const user = userId === undefined ? undefined : await readUser(tx, tenantId, userId, 'lock');
      if (user === undefined || user.status !== 'active') throw invalid(tenantId);
      return this.begin(tx, user, 'link', origin);
    });
  }

  /**
   * Sets a new password: ends all sessions of the user and opens a new one. The present password is asked for, unless there is
   * none or the session itself was opened by a one-time link less than 15 minutes ago (a forgotten password).
   */
  async changePassword(
    who: { tenantId: string; id: string; sessionId: string },
    input: { currentPassword?: string; newPassword: string },
    origin: SignInOrigin,
  ): Promise<SignedIn> {
    const user = await this.#db.forTenant(who.tenantId, (tx) => readUser(tx, who.tenantId, who.id));
    if (user === undefined) throw notFound('member');
    const password = checkPassword(input.newPassword, user, '/newPassword');
    const session = this.#sessions.get(who.sessionId);
    const byLink =
      session?.method === 'link' && this.#clock.now().epochMilliseconds - Date.parse(session.createdAt) < 15 * 60_000;
    if (user.passwordHash !== null && !byLink) {
      const account = lowerEmail(user.email);
      await this.#throttle.take(account, origin.ip);
      if (!(await this.#hasher.verify(user.passwordHash, normalPassword(input.currentPassword ?? ''))))
        throw new Problem(problems.signInFailed, {
          detail: 'The present password is wrong.',
          account: { email: account, tenantId: who.tenantId },
        });
      const { users } = await this.#accounts(account, undefined);
      await this.#throttle.succeeded(account, origin.ip, users.length === 1);
    }
    const passwordHash = await this.#hasher.hash(password);
    return this.#db.forTenant(who.tenantId, async (tx) => {
      const present = await readUser(tx, who.tenantId, who.id, 'lock');
      if (present === undefined) throw notFound('member');
      if (present.passwordHash !== user.passwordHash)
        throw new Problem(kernelProblems.conflict, { detail: 'The password was changed at this moment.' });
      const changed = { ...present, passwordHash };
      await writeUser(tx, changed);
      const actor = userActor(changed, who.tenantId === platformTenantId ? 'operator' : 'user');
      const cause: Cause = { actor, origin: { ip: origin.ip, client: origin.client }, requestId: origin.requestId };
      await append(
        tx,
        {
          ...becauseOf(cause),
          tenantId: who.tenantId,
          type: 'auth.password.changed',
          subject: { kind: 'user', id: user.id, name: user.name },
        },
        this.#clock.now(),
      );
      await voidLoginTokens(tx, who.tenantId, user.id, this.#clock.now().toString());
      await this.#sessions.end(tx, changed, 'password changed', cause);
      return this.begin(tx, changed, 'password', origin);
    });
  }

  /** Opens a session and notes the sign-in, unless the user was changed since it was read (a new password, disabled, removed). */
  async begin(tx: Tx, user: UserRow, method: SignInMethod, origin: SignInOrigin): Promise<SignedIn> {
    const present = await readUser(tx, user.tenantId, user.id, 'lock');
    if (present === undefined || present.status !== 'active' || present.passwordHash !== user.passwordHash)
      throw new Problem(problems.signInFailed);
    const { requestId, ...from } = origin;
    const signedIn = { ...present, lastSignInAt: this.#clock.now().toString() };
    await writeUser(tx, signedIn);
    return { token: await this.#sessions.start(tx, signedIn, method, from, requestId), user: signedIn };
  }

  /** The accounts of an address, in one tenant or in all; `others`: there are more than these. */
  async #accounts(account: string, slug: string | undefined): Promise<{ users: UserRow[]; others: boolean }> {
    const found = await this.#db.forService('directory', (tx) => findEmail(tx, account));
    const wanted = found.filter(
      ({ tenantId }) => slug === undefined || this.#tenants.tenants.get(tenantId)?.slug === slug,
    );
    const users: UserRow[] = [];
    // An address that nobody has costs as many looks as one that somebody has.
    for (const { tenantId, userId } of wanted.length === 0 ? [nobody] : wanted.slice(0, mostAccounts)) {
      const user = await this.#db.forTenant(tenantId, (tx) => readUser(tx, tenantId, userId));
      if (user !== undefined) users.push(user);
    }
    return { users, others: users.length < found.length };
  }

  /** Whether somebody has a password; who signs in by link alone has none. */
  async hasPassword(tenantId: string, userId: string): Promise<boolean> {
    const user = await this.#db.forTenant(tenantId, (tx) => readUser(tx, tenantId, userId));
    return (user?.passwordHash ?? null) !== null;
  }

  /** Makes the hash that unknown addresses are checked against, before the first of them comes. */
  async warm(): Promise<void> {
    await this.#dummyHash();
  }

  #dummyHash(): Promise<string> {
    this.#dummy ??= this.#hasher.hash(newId()).catch((error: unknown) => {
      this.#dummy = undefined;
      throw error;
    });
    return this.#dummy;
  }
}
