import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { notFound, Problem } from '#kernel/problem';
import type { Judged, RBACManager } from '#security/rbac';
import { platformTenantId } from '#tenancy';

import { voidLoginTokens } from './link-store.ts';
import { problems } from './problems.ts';
import type { SessionManager } from './session-manager.ts';
import { deleteUser, insertUser, readActive, readUser, readUsers, type UserRow, writeUser } from './store.ts';
import { requireWithinKey } from './within-key.ts';

/** What a new user is made of; without a password hash it signs in by link. */
export type NewUser = {
  email: string;
  name: string;
  roles: readonly string[];
  passwordHash?: string;
  locale?: string;
};

/** What can be changed of a member. */
export type MemberChange = { name?: string; roles?: string[]; status?: 'active' | 'disabled'; locale?: string };

/** The people of a tenant and what they may. */
export class MemberManager {
  readonly #db: Pick<Doors, 'forTenant'>;
  readonly #clock: Clock;
  readonly #rbac: RBACManager;
  readonly #sessions: SessionManager;

  constructor(deps: { db: Pick<Doors, 'forTenant'>; clock: Clock; rbac: RBACManager; sessions: SessionManager }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#rbac = deps.rbac;
    this.#sessions = deps.sessions;
  }

  /** Creates a user with roles. 409 when the tenant has one with this address. */
  createUser(tenantId: string, input: NewUser, cause: Cause): Promise<UserRow> {
    this.#rbac.requireRoles(tenantId, input.roles);
    return this.#db.forTenant(tenantId, (tx) => this.createIn(tx, tenantId, input, cause));
  }

  /** As {@link createUser}, in the transaction of a larger change. */
  async createIn(tx: Tx, tenantId: string, input: NewUser, cause: Cause, data: Record<string, unknown> = {}) {
    const user: UserRow = {
      tenantId,
      id: newId(),
      email: input.email.trim(),
      name: input.name,
      passwordHash: input.passwordHash ?? null,
      status: 'active',
      locale: input.locale ?? null,
      createdAt: this.#clock.now().toString(),
      lastSignInAt: null,
    };
    try {
      await insertUser(tx, user);
    } catch (error) {
      if ((error as { code?: string }).code === '23505')
        throw new Problem(problems.emailTaken, { errors: [{ pointer: '/email', detail: 'is taken' }] });
      throw error;
    }
    await this.#rbac.assignRole(tx, holderOf(user), input.roles, cause);
    await this.#tell(tx, 'created', user, cause, { ...data, after: { email: user.email, name: user.name } });
    return user;
  }

  /** A tenant's members in the order they came. */
  async listMembers(tenantId: string, after: string | undefined, limit: number): Promise<Page<UserRow>> {
    const rows = await this.#db.forTenant(tenantId, (tx) => readUsers(tx, tenantId, after, limit));
    return pageOf(rows, limit, (row) => [row.id]);
  }

  /** One member; 404 when the tenant has none of this id. */
  async getMember(tenantId: string, id: string): Promise<UserRow> {
    return found(await this.#db.forTenant(tenantId, (tx) => readUser(tx, tenantId, id)));
  }

  /** Names of a member's roles, from memory. */
  rolesOf(user: Pick<UserRow, 'tenantId' | 'id'>): readonly string[] {
    return this.#rbac.rolesOf(user.tenantId, 'user', user.id);
  }

  /**
   * Changes a member. New roles or disabling end all sessions and login links of the member. 403 where member or new roles are mightier than
   * the giver; 409 for the last active owner.
   */
  updateMember(tenantId: string, id: string, change: MemberChange, cause: Cause, giver: Judged): Promise<UserRow> {
    const { roles, ...rest } = change;
    if (roles !== undefined) this.#rbac.requireRoles(tenantId, roles);
    return this.#db.forTenant(tenantId, async (tx) => {
      const before = found(await readUser(tx, tenantId, id, 'lock'));
      const held = await this.#rbac.rolesIn(tx, holderOf(before));
      const after: UserRow = { ...before, ...rest };
      this.#rbac.requireWithin(giver, held);
      if (roles !== undefined) this.#rbac.requireWithin(giver, roles);
      if (roles !== undefined || change.status === 'active') await requireWithinKey(tx, giver);
      const top = topRole(tenantId);
      const leaves = after.status === 'disabled' || (roles !== undefined && !roles.includes(top));
      if (held.includes(top) && before.status === 'active' && leaves) await this.#requireAnotherOwner(tx, tenantId, id);
      await writeUser(tx, after);
      const rolesChange = roles !== undefined && [...new Set(roles)].sort().join() !== [...held].sort().join();
      if (rolesChange) await this.#rbac.assignRole(tx, holderOf(after), roles, cause);
      const disabled = before.status === 'active' && after.status === 'disabled';
      if (disabled || rolesChange) {
        // Who made a link for what the member was must not sign in as what it is now.
        await voidLoginTokens(tx, tenantId, id, this.#clock.now().toString());
        await this.#sessions.end(tx, after, disabled ? 'disabled' : 'roles changed', cause);
      }
      if (Object.keys(rest).length > 0)
        await this.#tell(tx, 'updated', after, cause, { before: shownOf(before), after: shownOf(after) });
      return after;
    });
  }

  /** 403 when a member is mightier than the giver: who can sign in as somebody has their rights. */
  async requireWithin(tx: Tx, user: UserRow, giver: Judged): Promise<void> {
    this.#rbac.requireWithin(giver, await this.#rbac.rolesIn(tx, holderOf(user)));
    await requireWithinKey(tx, giver);
  }

  /** Removes a member with its sessions; the keys that they made stay. 403 and 409 as {@link updateMember}. */
  removeMember(tenantId: string, id: string, cause: Cause, giver: Judged): Promise<void> {
    return this.#db.forTenant(tenantId, async (tx) => {
      const user = found(await readUser(tx, tenantId, id, 'lock'));
      const held = await this.#rbac.rolesIn(tx, holderOf(user));
      this.#rbac.requireWithin(giver, held);
      if (held.includes(topRole(tenantId)) && user.status === 'active')
        await this.#requireAnotherOwner(tx, tenantId, id);
      await this.#sessions.end(tx, user, 'disabled', cause);
      await this.#rbac.assignRole(tx, holderOf(user), [], cause);
      await deleteUser(tx, tenantId, id);
      await this.#tell(tx, 'removed', user, cause, { before: shownOf(user) });
    });
  }

  // The grants of all owners are locked first: two owners who leave at once come one after the other.
  async #requireAnotherOwner(tx: Tx, tenantId: string, id: string): Promise<void> {
    const owners = await this.#rbac.usersHolding(tx, tenantId, topRole(tenantId));
    const active = await readActive(tx, tenantId, owners);
    if (!active.some((owner) => owner !== id)) throw new Problem(problems.lastOwner);
  }

  async #tell(tx: Tx, verb: string, user: UserRow, cause: Cause, data: Record<string, unknown>): Promise<void> {
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: user.tenantId,
        type: `auth.user.${verb}`,
        subject: { kind: 'user', id: user.id, name: user.name },
        data,
      },
      this.#clock.now(),
    );
  }
}

/** The role of which every tenant keeps at least one active holder. */
function topRole(tenantId: string): string {
  return tenantId === platformTenantId ? 'platform_operator' : 'owner';
}

function holderOf({ tenantId, id, name }: UserRow) {
  return { tenantId, kind: 'user', id, name } as const;
}

function found(user: UserRow | undefined): UserRow {
  if (user === undefined) throw notFound('member');
  return user;
}

function shownOf({ email, name, status, locale }: UserRow) {
  return { email, name, status, locale };
}
