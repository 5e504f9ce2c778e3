import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { type Page, pageOf } from '#kernel/pages';
import { invalidInput, notFound, Problem } from '#kernel/problem';
import type { Cut, Judged, RBACManager } from '#security/rbac';
import { platformTenantId } from '#tenancy';

import { normalNetworks } from './allow-list.ts';
import type { KeyFormat } from './key-format.ts';
import { findCredential, insertKey, type KeyRow, readKey, readKeys, writeKey } from './key-store.ts';
import { problems } from './problems.ts';
import { requireWithinKey } from './within-key.ts';

/** What a key can be made of. Absent or null: no restriction. `agents` are UUIDs; `expiresAt` is ISO 8601. */
export type KeySettings = {
  name: string;
  role?: string;
  scopes?: string[] | null;
  agents?: string[] | null;
  allowedIps?: string[] | null;
  expiresAt?: string | null;
};

/** Takes what limits a key over to the one that takes its place: quota's, seen from here. */
export type CarryLimits = (tx: Tx, tenantId: string, keys: { from: string; to: string }, cause: Cause) => Promise<void>;

/** Who gives a key its rights; absent for Lintel itself (first start, demo). */
export type Giver = Judged | undefined;

/**
 * API keys. A key has a role of its own, at most its maker's rights when it is made or changed; it stays when its maker is
 * disabled or removed (a service must not stop because a person leaves), and lists and events go on to name the maker.
 */
export class KeyManager {
  readonly #db: Pick<Doors, 'forTenant' | 'forService'>;
  readonly #clock: Clock;
  readonly #format: KeyFormat;
  readonly #rbac: RBACManager;
  readonly #carryLimits: CarryLimits | undefined;

  constructor(deps: {
    db: Pick<Doors, 'forTenant' | 'forService'>;
    clock: Clock;
    format: KeyFormat;
    rbac: RBACManager;
    carryLimits?: CarryLimits | undefined;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#format = deps.format;
    this.#rbac = deps.rbac;
    this.#carryLimits = deps.carryLimits;
  }

  /** Makes a key; `secret` is shown this once and stored nowhere. */
  async createKey(
    tenantId: string,
    input: KeySettings & { mode?: 'live' | 'test' },
    cause: Cause,
    giver?: Giver,
  ): Promise<{ key: KeyRow; secret: string }> {
    return this.#db.forTenant(tenantId, (tx) => this.createIn(tx, tenantId, input, cause, giver));
  }

  /** As {@link createKey}, in the transaction of a larger change. */
  async createIn(
    tx: Tx,
    tenantId: string,
    input: KeySettings & { mode?: 'live' | 'test' },
    cause: Cause,
    giver?: Giver,
  ): Promise<{ key: KeyRow; secret: string }> {
    const role = input.role ?? (tenantId === platformTenantId ? 'platform_operator' : 'developer');
    await this.#check(tx, tenantId, input, role, giver);
    return this.#insert(tx, tenantId, input, role, null, cause);
  }

  /** One key; 404 when the tenant has none of this id. */
  async getKey(tenantId: string, id: string): Promise<KeyRow> {
    return found(await this.#db.forTenant(tenantId, (tx) => readKey(tx, tenantId, id)));
  }

  /** The key of a secret while it can be used. */
  async findLive(secret: string): Promise<KeyRow | undefined> {
    const hash = this.#format.hash(secret);
    const at = await this.#db.forService('directory', (tx) => findCredential(tx, hash, 'key'));
    const key = at && (await this.#db.forTenant(at.tenantId, (tx) => readKey(tx, at.tenantId, at.refId)));
    return key !== undefined && this.statusOf(key) === 'active' ? key : undefined;
  }

  /** A tenant's keys, newest first. */
  async listKeys(
    tenantId: string,
    options: { includeRevoked: boolean; before: string | undefined; limit: number },
  ): Promise<Page<KeyRow>> {
    const rows = await this.#db.forTenant(tenantId, (tx) => readKeys(tx, tenantId, options));
    return pageOf(rows, options.limit, (row) => [row.id]);
  }

  /** Changes a key's name, role and restrictions; the rights it has and those it ends with must be within the giver's. */
  updateKey(tenantId: string, id: string, change: Partial<KeySettings>, cause: Cause, giver: Giver): Promise<KeyRow> {
    return this.#change(tenantId, id, async (tx, before) => {
      const held = await this.#roleIn(tx, before);
      const role = change.role ?? held;
      const after = { ...before, ...settingsOf(change, before) };
      if (giver !== undefined) this.#rbac.requireWithin(giver, [held], cutOf(before));
      await this.#check(tx, tenantId, after, role, giver);
      await writeKey(tx, after);
      if (change.role !== undefined)
        await this.#rbac.assignRole(tx, { tenantId, kind: 'key', id, name: after.name }, [role], cause);
      await this.#tell(tx, 'updated', after, cause, { before: publicOf(before), after: publicOf(after) });
      return after;
    });
  }

  /** Makes a key that takes another's place, under the same limits; the old one ends after the overlap (0: at once). */
  async rotateKey(
    tenantId: string,
    id: string,
    overlapHours: number,
    cause: Cause,
    giver: Giver,
  ): Promise<{ key: KeyRow; secret: string; old: KeyRow }> {
    const now = this.#clock.now();
    return this.#db.forTenant(tenantId, async (tx) => {
      const before = this.#live(found(await readKey(tx, tenantId, id, 'lock')));
      if (before.overlapUntil !== null) throw new Problem(problems.keyEnded, { detail: 'The key was rotated before.' });
      const role = await this.#roleIn(tx, before);
      await this.#check(tx, tenantId, before, role, giver);
      const made = await this.#insert(tx, tenantId, before, role, id, cause);
      await this.#carryLimits?.(tx, tenantId, { from: id, to: made.key.id }, cause);
      const until = now.add({ hours: overlapHours }).toString();
      const old = { ...before, ...(overlapHours === 0 ? { revokedAt: until } : { overlapUntil: until }) };
      await writeKey(tx, old);
      await this.#tell(tx, 'rotated', old, cause, { newKeyId: made.key.id, overlapUntil: until });
      return { ...made, old };
    });
  }

  /** Ends a key: refused on this node at once, on every other within a second. Ending an ended one changes nothing. */
  revokeKey(tenantId: string, id: string, cause: Cause): Promise<KeyRow> {
    return this.#db.forTenant(tenantId, async (tx) => {
      const before = found(await readKey(tx, tenantId, id, 'lock'));
      if (before.revokedAt !== null) return before;
      const after = { ...before, revokedAt: this.#clock.now().toString() };
      await writeKey(tx, after);
      await this.#tell(tx, 'revoked', after, cause, {});
      return after;
    });
  }

  /** The role of a key, from memory. */
  roleOf(key: Pick<KeyRow, 'tenantId' | 'id'>): string {
    return this.#rbac.rolesOf(key.tenantId, 'key', key.id)[0] ?? '';
  }

  /** Whether a key can be used now. */
  statusOf(key: KeyRow): 'active' | 'expired' | 'revoked' {
    if (key.revokedAt !== null) return 'revoked';
    const now = this.#clock.now().epochMilliseconds;
    return [key.expiresAt, key.overlapUntil].some((end) => end !== null && Date.parse(end) <= now)
      ? 'expired'
      : 'active';
  }

  async #roleIn(tx: Tx, key: KeyRow): Promise<string> {
    const roles = await this.#rbac.rolesIn(tx, { tenantId: key.tenantId, kind: 'key', id: key.id });
    return roles[0] ?? '';
  }

  #live(key: KeyRow): KeyRow {
    const status = this.statusOf(key);
    if (status !== 'active') throw new Problem(problems.keyEnded, { detail: `The key is ${status}.` });
    return key;
  }

  async #check(
    tx: Tx,
    tenantId: string,
    settings: Partial<KeySettings> & { mode?: KeyRow['mode'] },
    role: string,
    giver: Giver,
  ): Promise<void> {
    this.#rbac.requireRoles(tenantId, [role], '/role');
    const { scopes, expiresAt } = settings;
    const known = new Set<string>(this.#rbac.vocabularyFor(tenantId).map((permission) => permission.name));
    const unknown = scopes?.findIndex((scope) => !known.has(scope)) ?? -1;
    if (unknown >= 0) throw invalidInput(`/scopes/${unknown}`, 'is not a permission that keys can have');
    if (expiresAt != null && Date.parse(expiresAt) <= this.#clock.now().epochMilliseconds)
      throw invalidInput('/expiresAt', 'is in the past');
    if (giver === undefined) return;
    this.#rbac.requireWithin(giver, [role], cutOf(settings));
    const allowedIps = settings.allowedIps && normalNetworks(settings.allowedIps);
    await requireWithinKey(tx, giver, { expiresAt, allowedIps });
  }

  async #insert(
    tx: Tx,
    tenantId: string,
    settings: KeySettings & { mode?: 'live' | 'test' },
    role: string,
    rotatedFrom: string | null,
    cause: Cause,
  ): Promise<{ key: KeyRow; secret: string }> {
    const mode = settings.mode ?? 'live';
    const secret = this.#format.mint(mode);
    const key: KeyRow = {
      tenantId,
      id: newId(),
      mode,
      shown: this.#format.shown(secret),
      ...settingsOf(settings, { name: settings.name, scopes: null, agents: null, allowedIps: null, expiresAt: null }),
      revokedAt: null,
      rotatedFrom,
      overlapUntil: null,
      lastUsedAt: null,
      createdAt: this.#clock.now().toString(),
      createdBy: cause.actor,
    };
    await insertKey(tx, key, this.#format.hash(secret));
    await this.#rbac.assignRole(tx, { tenantId, kind: 'key', id: key.id, name: key.name }, [role], cause);
    await this.#tell(tx, 'created', key, cause, { after: { ...publicOf(key), role } });
    return { key, secret };
  }

  #change(tenantId: string, id: string, work: (tx: Tx, before: KeyRow) => Promise<KeyRow>): Promise<KeyRow> {
    return this.#db.forTenant(tenantId, async (tx) =>
      work(tx, this.#live(found(await readKey(tx, tenantId, id, 'lock')))),
    );
  }

  async #tell(tx: Tx, verb: string, key: KeyRow, cause: Cause, data: Record<string, unknown>): Promise<void> {
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: key.tenantId,
        type: `auth.key.${verb}`,
        subject: { kind: 'key', id: key.id, name: key.name },
        data,
      },
      this.#clock.now(),
    );
  }
}

function found(row: KeyRow | undefined): KeyRow {
  if (row === undefined) throw notFound('key');
  return row;
}

type Settable = Pick<KeyRow, 'name' | 'scopes' | 'agents' | 'allowedIps' | 'expiresAt'>;

function settingsOf(given: Partial<KeySettings>, before: Settable): Settable {
  return {
    name: given.name ?? before.name,
    scopes: given.scopes === undefined ? before.scopes : given.scopes,
    agents: given.agents === undefined ? before.agents : given.agents,
    allowedIps:
      given.allowedIps == null
        ? given.allowedIps === null
          ? null
          : before.allowedIps
        : normalNetworks(given.allowedIps),
    expiresAt: given.expiresAt === undefined ? before.expiresAt : given.expiresAt,
  };
}

function cutOf({ scopes, agents, mode }: Partial<KeySettings> & { mode?: KeyRow['mode'] }): Cut {
  return { scopes: scopes ?? undefined, agents: agents ?? undefined, mode: mode ?? 'live' };
}

function publicOf({ name, mode, shown, scopes, agents, allowedIps, expiresAt }: KeyRow) {
  return { name, mode, shown, scopes, agents, allowedIps, expiresAt };
}
