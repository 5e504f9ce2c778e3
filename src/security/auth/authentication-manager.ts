import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Arrival } from '#kernel/front-door';
import type { Principal } from '#kernel/http';
import { problems as kernelProblems, Problem } from '#kernel/problem';
import type { Snapshots } from '#kernel/snapshot';
import type { RBACManager } from '#security/rbac';

import { isAllowed } from './allow-list.ts';
import { readCookie, requireSafeTransport, requireSameOrigin } from './check-origin.ts';
import type { KeyFormat } from './key-format.ts';
import type { HeldKey, KeyRing } from './key-ring.ts';
import { findCredential } from './key-store.ts';
import type { LastUses } from './last-uses.ts';
import { problems } from './problems.ts';
import type { SessionManager } from './session-manager.ts';
import { readUser } from './store.ts';
import { touching } from './touching.ts';

/** Finds out who calls: API key or session. Answers from memory; only what was made a moment ago elsewhere costs a look-up. */
export class AuthenticationManager {
  readonly #db: Pick<Doors, 'forService' | 'forTenant'>;
  readonly #snapshots: Snapshots;
  readonly #clock: Clock;
  readonly #format: KeyFormat;
  readonly #keys: KeyRing;
  readonly #uses: LastUses;
  readonly #sessions: SessionManager;
  readonly #rbac: RBACManager;
  readonly #lookups = new Map<string, Promise<boolean>>();

  constructor(deps: {
    db: Pick<Doors, 'forService' | 'forTenant'>;
    snapshots: Snapshots;
    clock: Clock;
    format: KeyFormat;
    keys: KeyRing;
    uses: LastUses;
    sessions: SessionManager;
    rbac: RBACManager;
  }) {
    this.#db = deps.db;
    this.#snapshots = deps.snapshots;
    this.#clock = deps.clock;
    this.#format = deps.format;
    this.#keys = deps.keys;
    this.#uses = deps.uses;
    this.#sessions = deps.sessions;
    this.#rbac = deps.rbac;
  }

  /**
   * The principal of a request: undefined without a credential; throws 401 for a wrong one, 403 for one used from a forbidden
   * address or another site.
   */
  authenticate(arrival: Arrival): Principal | undefined | Promise<Principal | undefined> {
    const { authorization } = arrival.headers;
    if (typeof authorization === 'string') {
      const match = /^Bearer +(\S+)$/i.exec(authorization);
      if (match === null)
        throw new Problem(kernelProblems.unauthenticated, { detail: 'Authorization takes "Bearer <API key>".' });
      return this.verifyToken(match[1] as string, arrival.ip);
    }
    const cookie = readCookie(arrival);
    if (cookie === undefined) return undefined;
    requireSafeTransport(arrival);
    if (!['GET', 'HEAD', 'OPTIONS'].includes(arrival.method)) requireSameOrigin(arrival, 'needed');
    return this.#sessions.principalOf(cookie);
  }

  /** The principal of an API key used from an address. A made-up key is refused without any SQL. */
  verifyToken(key: string, ip: string): Principal | Promise<Principal> {
    const hash = this.#format.hash(key);
    const held = this.#keys.find(hash);
    if (held !== undefined) return this.#principalOf(held, ip);
    // The MAC first: only who once had a key from here can make this process ask the database.
    if (!this.#format.isOurs(key)) throw new Problem(problems.invalidKey);
    return this.#lookUp(hash).then(() => {
      const found = this.#keys.find(hash);
      if (found === undefined) throw new Problem(problems.invalidKey);
      return this.#principalOf(found, ip);
    });
  }

  /**
   * Whether the credential that let a principal in is still good, a key's rights the same: for connections that stay open. From memory.
   * (Sessions end when their user's roles change.)
   */
  stillValid(principal: Principal): boolean {
    if (principal.kind !== 'key') return principal.sessionId !== undefined && this.#sessions.holds(principal.sessionId);
    const key = this.#live(principal.id);
    if (key === undefined) return false;
    const { roles, scopes, agents } = this.#asPrincipal(key);
    return sameList(roles, principal.roles) && sameList(scopes, principal.scopes) && sameList(agents, principal.agents);
  }

  /**
   * Who let something in earlier, with the rights of now: for what goes on acting for them, with or without their session. Undefined
   * when the key has ended or the person was disabled or removed.
   */
  async present(principal: Principal): Promise<Principal | undefined> {
    const { kind, id, tenantId } = principal;
    if (kind === 'key') {
      const key = this.#live(id);
      return key === undefined ? undefined : this.#asPrincipal(key);
    }
    const user = await this.#db.forTenant(tenantId, (tx) => readUser(tx, tenantId, id));
    return user?.status === 'active'
      ? { ...principal, roles: this.#rbac.rolesOf(tenantId, 'user', id), name: user.name }
      : undefined;
  }

  #live(id: string): HeldKey | undefined {
    const key = this.#keys.get(id);
    return key !== undefined && !key.revoked && key.endsAtMs > this.#clock.now().epochMilliseconds ? key : undefined;
  }

  #principalOf(key: HeldKey, ip: string): Principal {
    const now = this.#clock.now().epochMilliseconds;
    if (key.revoked) throw new Problem(problems.keyRevoked);
    if (key.endsAtMs <= now) throw new Problem(problems.keyExpired);
    if (key.allowList !== undefined && !isAllowed(key.allowList, ip))
      throw new Problem(problems.addressNotAllowed, { detail: `This key may not be used from ${ip}.` });
    this.#uses.touch(key.id, now);
    return this.#asPrincipal(key);
  }

  #asPrincipal(key: HeldKey): Principal {
    return {
      kind: 'key',
      id: key.id,
      tenantId: key.tenantId,
      name: key.name,
      roles: this.#rbac.rolesOf(key.tenantId, 'key', key.id),
      mode: key.mode,
      onBehalfOf: key.createdBy,
      ...(key.scopes === undefined ? {} : { scopes: key.scopes }),
      ...(key.agents === undefined ? {} : { agents: key.agents }),
    };
  }

  /** Rereads what a key made on another node a moment ago needs: itself, its role, its tenant. One at a time per key. */
  #lookUp(hash: string): Promise<boolean> {
    const running = this.#lookups.get(hash);
    if (running !== undefined) return running;
    const lookup = (async () => {
      const credential = await this.#db.forService('directory', (tx) => findCredential(tx, hash, 'key'));
      if (credential === undefined) return false;
      const { tenantId, refId } = credential;
      await this.#snapshots.apply([
        touching('tenancy.tenant.created', tenantId, tenantId),
        touching('rbac.roles.assigned', tenantId, refId),
        touching('auth.key.created', tenantId, refId),
      ]);
      return true;
    })().finally(() => this.#lookups.delete(hash));
    this.#lookups.set(hash, lookup);
    return lookup;
  }
}

function sameList(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  if (one === other) return true;
  return one?.length === other?.length && one?.every((item, i) => item === other?.[i]) === true;
}
