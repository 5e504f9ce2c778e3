import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import type { Principal } from '#kernel/http';
import { append, type Decision } from '#kernel/log';
import type { Permission } from '#kernel/module';
import { invalidInput, Problem } from '#kernel/problem';
import type { Snapshot } from '#kernel/snapshot';
import { platformTenantId } from '#tenancy';

import { builtInRoles, type Role } from './built-in-roles.ts';
import { problems } from './problems.ts';
import { type HeldRoles, type Holder, lockRoles, lockUsersOf, readTenantRoles, writeRoles } from './store.ts';

/** What a principal is judged by. */
export type Judged = Pick<Principal, 'tenantId' | 'roles' | 'scopes'> &
  Partial<Pick<Principal, 'kind' | 'id' | 'agents' | 'mode'>>;

/** What rights are cut down to for who gets them; nothing for a person. */
export type Cut = {
  scopes?: readonly string[] | undefined;
  agents?: readonly string[] | undefined;
  mode?: Principal['mode'];
};

type Index = {
  roles: ReadonlyMap<string, Role>;
  vocabulary: ReadonlyMap<string, Permission>;
  /** What keys have only by name. */
  named: ReadonlySet<string>;
};

/** Role-based access control: decides from memory, naming the role that decided. */
export class RBACManager {
  readonly #db: Pick<Doors, 'forTenant'>;
  readonly #clock: Clock;
  readonly #held: Snapshot<HeldRoles>;
  readonly #permissions: () => readonly Permission[];
  readonly #decisions = new Map<string, Decision>();
  #index: Index | undefined;

  constructor(deps: {
    db: Pick<Doors, 'forTenant'>;
    clock: Clock;
    held: Snapshot<HeldRoles>;
    permissions: () => readonly Permission[];
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#held = deps.held;
    this.#permissions = deps.permissions;
  }

  /**
   * Whether a principal may do something: its roles ∩ its scopes. `permission: null` asks only that it is signed in (and, for
   * `area: 'platform'`, that it is the platform's). What is a person's to use a key has only where its scopes name it. Default deny.
   */
  checkPermission(principal: Judged, permission: string | null, area: 'tenant' | 'platform'): Decision {
    if (permission !== null && isUncut(principal) && this.#vocabulary().named.has(permission))
      return { allowed: false, reason: `A key may do this only where its scopes name ${permission}.` };
    return this.#byRole(principal, permission, area);
  }

  #byRole(principal: Judged, permission: string | null, area: 'tenant' | 'platform'): Decision {
    if (area === 'platform' && principal.tenantId !== platformTenantId)
      return { allowed: false, reason: 'This is for the operators of the platform.' };
    if (permission === null) return { allowed: true, reason: 'Any signed-in principal may.' };
    if (principal.scopes !== undefined && !principal.scopes.includes(permission))
      return { allowed: false, reason: `The key's scopes do not include ${permission}.` };
    const { roles } = this.#vocabulary();
    const own = principal.tenantId === platformTenantId ? 'platform' : 'tenant';
    for (const name of principal.roles) {
      const role = roles.get(name);
      if (role?.area === own && role.permissions.has(permission)) return this.#granted(name, permission);
    }
    return {
      allowed: false,
      reason: `${principal.roles.length === 0 ? 'No role is held' : `None of the roles held (${principal.roles.join(', ')}) gives ${permission}`}.`,
    };
  }

  /** Names of the roles a principal holds, from memory. */
  rolesOf(tenantId: string, kind: 'user' | 'key', id: string): readonly string[] {
    const held = this.#held.get(id);
    return held !== undefined && held.tenantId === tenantId && held.kind === kind ? held.roles : [];
  }

  /** All permissions that a principal has: those of its roles, cut down to its scopes. */
  permissionsOf(principal: Judged): string[] {
    return [...this.#vocabulary().vocabulary.keys()].filter(
      (name) => this.checkPermission(principal, name, 'tenant').allowed,
    );
  }

  /** The built-in roles of a tenant (or of the platform tenant), with the permissions they give. */
  rolesFor(tenantId: string): Role[] {
    const area = tenantId === platformTenantId ? 'platform' : 'tenant';
    return [...this.#vocabulary().roles.values()].filter((role) => role.area === area);
  }

  /** The permissions that roles of this tenant can give, with their risk. */
  vocabularyFor(tenantId: string): Permission[] {
    const given = new Set(this.rolesFor(tenantId).flatMap((role) => [...role.permissions]));
    return [...this.#vocabulary().vocabulary.values()].filter((permission) => given.has(permission.name));
  }

  /** 400 unless every name is a role of this tenant. */
  requireRoles(tenantId: string, names: readonly string[], pointer = '/roles'): void {
    const known = this.rolesFor(tenantId).map((role) => role.name);
    const wrong = names.find((name) => !known.includes(name));
    if (wrong !== undefined) throw invalidInput(pointer, `"${wrong}" is no role here; roles are ${known.join(', ')}`);
    if (names.length === 0) throw invalidInput(pointer, `takes at least one of ${known.join(', ')}`);
  }

  /**
   * 403 unless `giver` itself has every permission that `roles` cut down by `cut` would give, and, for the role owner, is one:
   * nobody makes somebody (or a key: it has a `cut`) mightier than themselves. A test key gives test keys alone, one for some agents keys
   * for these.
   */
  requireWithin(giver: Judged, roles: readonly string[], cut?: Cut): void {
    const beyond = (detail: string) => new Problem(problems.beyondOwnRights, { detail });
    const { scopes, agents, mode = 'live' } = cut ?? {};
    if (roles.includes('owner') && !giver.roles.includes('owner')) throw beyond('Only owners give the role owner.');
    if (giver.mode === 'test' && mode !== 'test') throw beyond('A test key gives rights to test keys alone.');
    if (giver.agents !== undefined && !(agents?.every((id) => giver.agents?.includes(id)) ?? false))
      throw beyond('Your key may call some agents alone: it gives rights to keys for these alone.');
    const tenantId = giver.tenantId;
    const given: Judged = { kind: 'key', tenantId, roles, ...(scopes === undefined ? {} : { scopes }) };
    // People get by role what keys get by name.
    const has = (judged: Judged, name: string) =>
      (cut === undefined ? this.#byRole(judged, name, 'tenant') : this.checkPermission(judged, name, 'tenant')).allowed;
    const missing = [...this.#vocabulary().vocabulary.keys()].filter((name) => has(given, name) && !has(giver, name));
    if (missing.length > 0)
      throw new Problem(problems.beyondOwnRights, {
        detail: `You do not have ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ' …' : ''} yourself.`,
        extra: { missing },
      });
  }

  /** Sets a principal's roles in the transaction of a larger change (a user or key made, changed, removed). */
  async assignRole(tx: Tx, holder: Holder & { name: string }, roles: readonly string[], cause: Cause): Promise<void> {
    const now = this.#clock.now();
    const before = await lockRoles(tx, holder);
    const after = [...new Set(roles)].sort();
    if (before.join() === after.join()) return;
    await writeRoles(tx, holder, after, now.toString());
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: holder.tenantId,
        type: 'rbac.roles.assigned',
        subject: { kind: holder.kind, id: holder.id, name: holder.name },
        data: { before, after },
      },
      now,
    );
  }

  /** A principal's roles as they stand in the database, locked until the transaction ends. */
  rolesIn(tx: Tx, holder: Holder): Promise<string[]> {
    return lockRoles(tx, holder);
  }

  /** Ids of the users that hold a role, locked until the transaction ends. */
  usersHolding(tx: Tx, tenantId: string, role: string): Promise<string[]> {
    return lockUsersOf(tx, tenantId, role);
  }

  /** Who can do what in a tenant: every holder of roles, those that have `permission` when one is named. Keys: before their scopes. */
  async auditPermissions(tenantId: string, permission?: string): Promise<(HeldRoles & { permissions: string[] })[]> {
    const held = await this.#db.forTenant(tenantId, (tx) => readTenantRoles(tx, tenantId));
    return held
      .map((holder) => ({ ...holder, permissions: this.permissionsOf({ tenantId, roles: holder.roles }) }))
      .filter((holder) => permission === undefined || holder.permissions.includes(permission));
  }

  #granted(role: string, permission: string): Decision {
    const key = `${role} ${permission}`;
    let decision = this.#decisions.get(key);
    if (decision === undefined) {
      decision = { allowed: true, reason: `The role ${role} gives ${permission}.`, role };
      this.#decisions.set(key, decision);
    }
    return decision;
  }

  #vocabulary(): Index {
    this.#index ??= {
      roles: builtInRoles(this.#permissions()),
      vocabulary: new Map(this.#permissions().map((permission) => [permission.name, permission])),
      named: new Set(this.#permissions().flatMap(({ name, named }) => (named === true ? [name] : []))),
    };
    return this.#index;
  }
}

/** A key that has all its role gives. */
function isUncut({ kind, scopes }: Judged): boolean {
  return kind === 'key' && scopes === undefined;
}
