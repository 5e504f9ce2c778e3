import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Context, type Route, route } from '#kernel/http';
import { type IdKind, parseId } from '#kernel/ids';
import { pageQuery, pageSchema, readCursor, uuidPart } from '#kernel/pages';
import { notFound } from '#kernel/problem';
import { platformTenantId, tenantIdOf } from '#tenancy';

import type { InvitationManager } from './invitation-manager.ts';
import type { InvitationRow } from './link-store.ts';
import type { Links } from './links.ts';
import type { MemberManager } from './member-manager.ts';
import {
  deliverySchema,
  email,
  invitationSchema,
  memberSchema,
  name,
  roles,
  shownInvitation,
  shownMember,
} from './schemas.ts';
import type { SignInManager, Tenants } from './sign-in-manager.ts';

const params = Type.Object({ id: Type.String() });
const nothing = Type.Null();
const invitee = Type.Object(
  { email, roles, locale: Type.Optional(Type.String({ maxLength: 20 })) },
  { additionalProperties: false },
);
const invited = Type.Object({ ...invitationSchema.properties, ...deliverySchema });
const loginMinutes = 60;

/** Routes of members and invitations. */
export function memberRoutes(deps: {
  members: MemberManager;
  invitations: InvitationManager;
  signIn: SignInManager;
  links: Links;
  tenants: Tenants;
}): readonly Route[] {
  const { members, invitations, signIn, links, tenants } = deps;
  const send = async (made: { invitation: InvitationRow; token: string }, context: Context, locale?: string) => {
    const tenant = tenants.tenants.get(made.invitation.tenantId);
    const delivered = await links.invitation(made.token, {
      to: made.invitation.email,
      locale: locale ?? tenant?.locale ?? context.locale,
      tenant: tenant?.name ?? '',
      inviter: context.principal.name,
    });
    context.reply.code(201);
    return { ...shownInvitation(made.invitation), ...delivered };
  };
  return [
    route({
      method: 'GET',
      path: '/v1/members',
      operationId: 'auth.listMembers',
      summary: 'List the people of one’s tenant.',
      area: 'tenant',
      permission: 'members:read',
      schema: { query: Type.Object(pageQuery), response: { 200: pageSchema(memberSchema) } },
      handle: async ({ tenantId, query: { limit = 50, cursor } }) => {
        const page = await members.listMembers(tenantId, readCursor(cursor, [uuidPart])?.[0], limit);
        return { ...page, data: page.data.map((user) => shownMember(user, members.rolesOf(user))) };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/members',
      operationId: 'auth.inviteMember',
      summary: 'Invite somebody; without mail the link is shown this once.',
      area: 'tenant',
      permission: 'members:invite',
      schema: { body: invitee, response: { 201: invited } },
      handle: async (context) => {
        const { tenantId, body, principal } = context;
        const made = await invitations.invite(tenantId, body, causeOf(context), principal);
        return send(made, context as Context, body.locale);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/platform/tenants/:id/invitations',
      operationId: 'auth.inviteToTenant',
      summary: 'Invite somebody to a tenant: its first owner.',
      area: 'platform',
      permission: 'platform-tenants:invite',
      schema: { params, body: invitee, response: { 201: invited } },
      handle: async (context) => {
        const tenantId = tenantIdOf(context.params.id);
        // Operators are invited as members of the platform, where nobody gives more rights than they have.
        if (tenantId === platformTenantId || tenants.tenants.get(tenantId) === undefined) throw notFound('tenant');
        tenants.admit({ tenantId });
        const made = await invitations.invite(tenantId, context.body, causeOf(context));
        return send(made, context as Context, context.body.locale);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/members/invitations',
      operationId: 'auth.listInvitations',
      summary: 'List open invitations.',
      area: 'tenant',
      permission: 'members:read',
      schema: { response: { 200: Type.Object({ data: Type.Array(invitationSchema) }) } },
      handle: async ({ tenantId }) => ({ data: (await invitations.listInvitations(tenantId)).map(shownInvitation) }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/members/invitations/:id',
      operationId: 'auth.revokeInvitation',
      summary: 'Take an invitation back.',
      area: 'tenant',
      permission: 'members:invite',
      schema: { params, response: { 204: nothing } },
      handle: async (context) => {
        await invitations.revokeInvitation(context.tenantId, idOf('invitation', context.params.id), causeOf(context));
        return context.reply.code(204).send();
      },
    }),
    route({
      method: 'GET',
      path: '/v1/members/:id',
      operationId: 'auth.getMember',
      summary: 'Read a member.',
      area: 'tenant',
      permission: 'members:read',
      schema: { params, response: { 200: memberSchema } },
      handle: async ({ tenantId, params: { id } }) => {
        const user = await members.getMember(tenantId, idOf('user', id));
        return shownMember(user, members.rolesOf(user));
      },
    }),
    route({
      method: 'PATCH',
      path: '/v1/members/:id',
      operationId: 'auth.updateMember',
      summary: 'Change a member’s name, roles or status.',
      area: 'tenant',
      permission: 'members:update',
      schema: {
        params,
        body: Type.Object(
          {
            name: Type.Optional(name),
            roles: Type.Optional(roles),
            status: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('disabled')])),
            locale: Type.Optional(Type.String({ maxLength: 20 })),
          },
          { additionalProperties: false },
        ),
        response: { 200: memberSchema },
      },
      handle: async (context) => {
        const id = idOf('user', context.params.id);
        const user = await members.updateMember(
          context.tenantId,
          id,
          context.body,
          causeOf(context),
          context.principal,
        );
        return shownMember(user, context.body.roles ?? members.rolesOf(user));
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/members/:id',
      operationId: 'auth.removeMember',
      summary: 'Remove a member; keys that they made stay.',
      area: 'tenant',
      permission: 'members:delete',
      schema: { params, response: { 204: nothing } },
      handle: async (context) => {
        const id = idOf('user', context.params.id);
        await members.removeMember(context.tenantId, id, causeOf(context), context.principal);
        return context.reply.code(204).send();
      },
    }),
    route({
      method: 'POST',
      path: '/v1/members/:id/login-link',
      operationId: 'auth.issueLoginLink',
      summary: 'Send a member a one-time login link; without mail it is shown this once.',
      area: 'tenant',
      permission: 'members:update',
      schema: { params, response: { 201: Type.Object({ expiresAt: Type.String(), ...deliverySchema }) } },
      handle: async (context) => {
        const { tenantId, principal } = context;
        const id = idOf('user', context.params.id);
        const issued = await signIn.issueLoginLink(tenantId, id, loginMinutes, causeOf(context), (tx, user) =>
          members.requireWithin(tx, user, principal),
        );
        const { email: to, name, locale } = issued.user;
        const mail = { to, name, locale: locale ?? context.locale, minutes: loginMinutes };
        context.reply.code(201);
        return { expiresAt: issued.expiresAt, ...(await links.loginLink(issued.token, mail)) };
      },
    }),
  ];
}

function idOf(kind: IdKind & ('user' | 'invitation'), text: string): string {
  const id = parseId(kind, text);
  if (id === undefined) throw notFound(kind === 'user' ? 'member' : kind);
  return id;
}
