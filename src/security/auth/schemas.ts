import Type, { type Static } from 'typebox';

import { formatId } from '#kernel/ids';
import type { Actor } from '#kernel/log';

import { keyPattern } from './key-format.ts';
import type { KeyManager } from './key-manager.ts';
import type { KeyRow } from './key-store.ts';
import type { InvitationRow } from './link-store.ts';
import type { SessionRow, UserRow } from './store.ts';

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

/** An e-mail address as input. */
export const email = Type.String({ format: 'email', maxLength: 254 });
/** A person's or key's name as input. */
export const name = Type.String({ minLength: 1, maxLength: 120, pattern: '\\S' });
/** A password as input: what it must be is checked with its own words. */
export const password = Type.String({ maxLength: 1024 });
/** The token of a one-time link. */
export const token = Type.String({ maxLength: 200 });
/** Names of roles as input. */
export const roles = Type.Array(Type.String({ maxLength: 60 }), { minItems: 1, maxItems: 8 });

const actor = Type.Object({ kind: Type.String(), id: Type.String(), name: Type.Optional(Type.String()) });

/** An API key as lists show it. */
export const keySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  mode: Type.Union([Type.Literal('live'), Type.Literal('test')]),
  shown: Type.String({ description: 'Beginning and end of the key.' }),
  status: Type.Union([Type.Literal('active'), Type.Literal('expired'), Type.Literal('revoked')]),
  role: Type.String(),
  scopes: nullable(Type.Array(Type.String())),
  agents: nullable(Type.Array(Type.String())),
  allowedIps: nullable(Type.Array(Type.String())),
  expiresAt: nullable(Type.String()),
  revokedAt: nullable(Type.String()),
  rotatedFrom: nullable(Type.String()),
  overlapUntil: nullable(Type.String()),
  lastUsedAt: nullable(Type.String()),
  createdAt: Type.String(),
  createdBy: actor,
});

/** A key with its secret: shown once. */
export const newKeySchema = Type.Object({
  ...keySchema.properties,
  key: Type.String({ description: 'Shown this once.', pattern: keyPattern }),
});

/** What a key can be made of. */
export const keyInput = {
  role: Type.Optional(Type.String({ maxLength: 60, description: 'developer when absent.' })),
  scopes: Type.Optional(
    nullable(
      Type.Array(Type.String({ maxLength: 100 }), {
        maxItems: 200,
        description: 'Permissions; null: all of the role.',
      }),
    ),
  ),
  agents: Type.Optional(
    nullable(
      Type.Array(Type.String({ maxLength: 60 }), { maxItems: 500, description: 'Agents it may call; null: all.' }),
    ),
  ),
  allowedIps: Type.Optional(
    nullable(
      Type.Array(Type.String({ maxLength: 60 }), {
        minItems: 1,
        maxItems: 100,
        description: 'Addresses and networks it may be used from; null: any.',
      }),
    ),
  ),
  expiresAt: Type.Optional(nullable(Type.String({ format: 'date-time' }))),
};

/** A member as lists show it. */
export const memberSchema = Type.Object({
  id: Type.String(),
  email: Type.String(),
  name: Type.String(),
  status: Type.Union([Type.Literal('active'), Type.Literal('disabled')]),
  roles: Type.Array(Type.String()),
  locale: nullable(Type.String()),
  createdAt: Type.String(),
  lastSignInAt: nullable(Type.String()),
});

/** An open invitation as lists show it. */
export const invitationSchema = Type.Object({
  id: Type.String(),
  email: Type.String(),
  roles: Type.Array(Type.String()),
  invitedBy: actor,
  createdAt: Type.String(),
  expiresAt: Type.String(),
});

/** How a link went out. */
export const deliverySchema = {
  delivery: Type.Union([Type.Literal('mail'), Type.Literal('link')]),
  link: nullable(Type.String({ description: 'Shown this once, where no mail was sent.' })),
};

/** A session as its owner sees it. */
export const sessionSchema = Type.Object({
  id: Type.String(),
  current: Type.Boolean(),
  method: Type.String(),
  ip: Type.String(),
  client: Type.String(),
  createdAt: Type.String(),
  lastSeenAt: Type.String(),
  expiresAt: Type.String(),
});

/** A key in its outside form. */
export function shownKey(keys: KeyManager, row: KeyRow): Static<typeof keySchema> {
  const { tenantId: _, ...key } = row;
  return {
    ...key,
    id: formatId('key', row.id),
    status: keys.statusOf(row),
    role: keys.roleOf(row),
    agents: row.agents?.map((id) => formatId('agent', id)) ?? null,
    rotatedFrom: row.rotatedFrom === null ? null : formatId('key', row.rotatedFrom),
    createdBy: shownActor(row.createdBy),
  };
}

/** A member in its outside form. */
export function shownMember(user: UserRow, roles: readonly string[]): Static<typeof memberSchema> {
  const { id, email, name, status, locale, createdAt, lastSignInAt } = user;
  return { id: formatId('user', id), email, name, status, roles: [...roles], locale, createdAt, lastSignInAt };
}

/** An invitation in its outside form. */
export function shownInvitation(row: InvitationRow): Static<typeof invitationSchema> {
  const { id, email, roles, invitedBy, createdAt, expiresAt } = row;
  return { id: formatId('invitation', id), email, roles, invitedBy: shownActor(invitedBy), createdAt, expiresAt };
}

/** A session in its outside form. */
export function shownSession(row: SessionRow, current: string | undefined): Static<typeof sessionSchema> {
  const { id, method, ip, client, createdAt, lastSeenAt, expiresAt } = row;
  return { id: formatId('session', id), current: id === current, method, ip, client, createdAt, lastSeenAt, expiresAt };
}

function shownActor(actor: Actor): Actor {
  if (actor.kind === 'user' || actor.kind === 'operator') return { ...actor, id: formatId('user', actor.id) };
  return actor.kind === 'key' || actor.kind === 'run' ? { ...actor, id: formatId(actor.kind, actor.id) } : actor;
}
