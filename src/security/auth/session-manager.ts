import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import type { Principal } from '#kernel/http';
import { newId } from '#kernel/ids';
import { append, type Event } from '#kernel/log';
import { notFound } from '#kernel/problem';
import type { Snapshot, Snapshots } from '#kernel/snapshot';
import type { RBACManager } from '#security/rbac';
import { platformTenantId } from '#tenancy';

import type { AuthConfig } from './config.ts';
import { findCredential, insertCredential } from './key-store.ts';
import type { LastUses } from './last-uses.ts';
import {
  endSessions,
  insertSession,
  readAllSessions,
  readSessions,
  type SessionRow,
  type SignInMethod,
  type UserRow,
  userActor,
} from './store.ts';
import type { Tokens } from './tokens.ts';
import { touching } from './touching.ts';

/** Why sessions end. */
export type EndReason = 'signed out' | 'ended by the user' | 'password changed' | 'roles changed' | 'disabled';

/** Server-side sessions of people: answered from memory, ended everywhere within a second. */
export class SessionManager {
  readonly #db: Doors;
  readonly #snapshots: Snapshots;
  readonly #clock: Clock;
  readonly #config: AuthConfig;
  readonly #tokens: Tokens;
  readonly #uses: LastUses;
  readonly #rbac: RBACManager;
  readonly #open: Snapshot<SessionRow>;
  #ids = new Map<string, string>();

  constructor(deps: {
    db: Doors;
    snapshots: Snapshots;
    clock: Clock;
    config: AuthConfig;
    tokens: Tokens;
    uses: LastUses;
    rbac: RBACManager;
  }) {
    this.#db = deps.db;
    this.#snapshots = deps.snapshots;
    this.#clock = deps.clock;
    this.#config = deps.config;
    this.#tokens = deps.tokens;
    this.#uses = deps.uses;
    this.#rbac = deps.rbac;
    this.#open = deps.snapshots.define<SessionRow>({
      name: 'sessions',
      on: ['auth.session.', 'tenancy.tenant.deleted'],
      touched: sessionsOf,
      load: async (tx, ids) => {
        const rows = await readAllSessions(tx, ids, this.#clock.now().toString());
        if (ids === undefined) this.#ids = new Map();
        for (const id of ids ?? []) this.#ids.delete(this.#open.get(id)?.hash ?? '');
        for (const row of rows) this.#ids.set(row.hash, row.id);
        return rows.map((row) => [row.id, row] as const);
      },
    });
  }

  /** Seconds that the browser keeps the cookie. */
  get maxAgeSeconds(): number {
    return this.#config.LINTEL_SESSION_HOURS * 3600;
  }

  /** Opens a session in the transaction of the sign-in; every sign-in has a new one. The token goes into the cookie alone. */
  async start(
    tx: Tx,
    user: UserRow,
    method: SignInMethod,
    origin: { ip: string; client: string },
    requestId: string,
  ): Promise<string> {
    const now = this.#clock.now();
    const token = this.#tokens.mint('session');
    const session = {
      tenantId: user.tenantId,
      id: newId(),
      userId: user.id,
      hash: this.#tokens.hash('session', token),
      createdAt: now.toString(),
      lastSeenAt: now.toString(),
      expiresAt: now.add({ hours: this.#config.LINTEL_SESSION_HOURS }).toString(),
      method,
      ...origin,
    };
    await insertSession(tx, session);
    await insertCredential(tx, {
      hash: session.hash,
      tenantId: user.tenantId,
      kind: 'session',
      refId: session.id,
    });
    await append(
      tx,
      {
        tenantId: user.tenantId,
        type: 'auth.session.started',
        actor: userActor(user, user.tenantId === platformTenantId ? 'operator' : 'user'),
        subject: { kind: 'user', id: user.id, name: user.name },
        origin,
        requestId,
        data: { method, sessionId: session.id },
      },
      now,
    );
    return token;
  }

  /** The person behind a session cookie, or undefined when the session is over: the request goes on as one without a credential. */
  principalOf(token: string): Principal | undefined | Promise<Principal | undefined> {
    if (!this.#tokens.isOurs('session', token)) return undefined;
    const hash = this.#tokens.hash('session', token);
    const id = this.#ids.get(hash);
    const session = id === undefined ? undefined : this.#open.get(id);
    if (session !== undefined && this.#isOpen(session)) return this.#principal(session);
    if (session !== undefined && this.#isOver(session)) return undefined;
    // Not known here, or idle by what this node saw: another node may know better.
    return this.#reread(hash);
  }

  /** An open session's row, from memory. */
  get(id: string): SessionRow | undefined {
    return this.#open.get(id);
  }

  /** Whether a session is open, from memory. */
  holds(id: string): boolean {
    const session = this.#open.get(id);
    return session !== undefined && this.#isOpen(session);
  }

  /** A user's open sessions, newest first. */
  async list(tenantId: string, userId: string): Promise<SessionRow[]> {
    const rows = await this.#db.forTenant(tenantId, (tx) => readSessions(tx, tenantId, userId));
    return rows.filter((row) => this.#isOpen(row));
  }

  /** Ends one session of a user; 404 when there is none open. */
  async endOne(tenantId: string, userId: string, sessionId: string, reason: EndReason, cause: Cause): Promise<void> {
    const ended = await this.#db.forTenant(tenantId, (tx) =>
      this.end(tx, { tenantId, id: userId }, reason, cause, sessionId),
    );
    if (ended === 0) throw notFound('session');
  }

  /** Ends a user's sessions, or one of them, in the transaction of what ends them. Returns how many. */
  async end(
    tx: Tx,
    user: { tenantId: string; id: string; name?: string },
    reason: EndReason,
    cause: Cause,
    sessionId?: string,
  ): Promise<number> {
    const now = this.#clock.now();
    const sessionIds = await endSessions(tx, user.tenantId, user.id, sessionId, now.toString());
    if (sessionIds.length === 0) return 0;
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: user.tenantId,
        type: 'auth.session.ended',
        subject: { kind: 'user', id: user.id, ...(user.name === undefined ? {} : { name: user.name }) },
        data: { sessionIds, reason },
      },
      now,
    );
    return sessionIds.length;
  }

  /** Lets go of what this process holds of sessions that are over by their time: no event tells of those. Returns how many. */
  async forgetOver(): Promise<number> {
    const over = [...this.#open.values()].filter((session) => this.#isOver(session));
    const [first] = over;
    if (first !== undefined) {
      const sessionIds = over.map(({ id }) => id);
      await this.#snapshots.apply([
        { ...touching('auth.session.ended', first.tenantId, first.id), data: { sessionIds } },
      ]);
    }
    return over.length;
  }

  async #reread(hash: string): Promise<Principal | undefined> {
    const credential = await this.#db.forService('directory', (tx) => findCredential(tx, hash, 'session'));
    if (credential === undefined) return undefined;
    const { tenantId, refId } = credential;
    await this.#snapshots.apply([
      touching('tenancy.tenant.created', tenantId, tenantId),
      { ...touching('auth.session.started', tenantId, refId), data: { sessionId: refId } },
    ]);
    const session = this.#open.get(refId);
    return session !== undefined && this.#isOpen(session) ? this.#principal(session) : undefined;
  }

  #isOver(session: SessionRow): boolean {
    return Date.parse(session.expiresAt) <= this.#clock.now().epochMilliseconds;
  }

  #isOpen(session: SessionRow): boolean {
    const seen = Math.max(Date.parse(session.lastSeenAt), this.#uses.lastOf(session.id) ?? 0);
    const idleMs = this.#config.LINTEL_SESSION_IDLE_MINUTES * 60_000;
    return !this.#isOver(session) && this.#clock.now().epochMilliseconds - seen < idleMs;
  }

  #principal(session: SessionRow): Principal {
    this.#uses.touch(session.id, this.#clock.now().epochMilliseconds);
    return {
      kind: session.tenantId === platformTenantId ? 'operator' : 'user',
      id: session.userId,
      tenantId: session.tenantId,
      name: session.userName,
      roles: this.#rbac.rolesOf(session.tenantId, 'user', session.userId),
      mode: 'live',
      sessionId: session.id,
    };
  }
}

function sessionsOf(event: Event): readonly string[] | 'all' {
  const { sessionId, sessionIds } = event.data ?? {};
  if (typeof sessionId === 'string') return [sessionId];
  return Array.isArray(sessionIds) ? (sessionIds as string[]) : 'all';
}
