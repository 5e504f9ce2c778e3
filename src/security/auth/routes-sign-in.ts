import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';

import { causeOf } from '#kernel/cause';
import { type Context, type Route, route } from '#kernel/http';
import { formatId, parseId } from '#kernel/ids';
import { invalidInput, problems as kernelProblems, notFound, Problem } from '#kernel/problem';
import type { RBACManager } from '#security/rbac';

import { requireSafeTransport, requireSameOrigin, sessionCookie } from './check-origin.ts';
import type { InvitationManager } from './invitation-manager.ts';
import type { Links } from './links.ts';
import { email, name, password, sessionSchema, shownSession, token } from './schemas.ts';
import type { SessionManager } from './session-manager.ts';
import type { SignedIn, SignInManager, SignInOrigin, Tenants } from './sign-in-manager.ts';
import { lowerEmail } from './store.ts';
import type { LoginThrottle } from './throttle-logins.ts';

const signedInSchema = Type.Object({
  signedIn: Type.Boolean({ description: 'False: the password fits accounts in several tenants; send one as tenant.' }),
  tenants: Type.Optional(Type.Array(Type.Object({ slug: Type.String(), name: Type.String() }))),
});
const strict = { additionalProperties: false } as const;
const linkMinutes = 15;

/** Routes of signing in and out, and of one's own session. */
export function signInRoutes(deps: {
  signIn: SignInManager;
  sessions: SessionManager;
  invitations: InvitationManager;
  links: Links;
  throttle: LoginThrottle;
  rbac: RBACManager;
  tenants: Tenants;
  log: { warn(data: object, text: string): void };
}): readonly Route[] {
  const { signIn, sessions, invitations, links, throttle, rbac, tenants } = deps;
  const done = (context: Context, result: SignedIn) => {
    giveCookie(context.request, context.reply, result.token, sessions.maxAgeSeconds);
    return { signedIn: true };
  };
  return [
    route({
      method: 'POST',
      path: '/v1/auth/login',
      operationId: 'auth.login',
      summary: 'Sign in by e-mail and password.',
      area: 'public',
      permission: null,
      schema: {
        body: Type.Object({ email, password, tenant: Type.Optional(Type.String({ maxLength: 63 })) }, strict),
        response: { 200: signedInSchema },
      },
      handle: async (context) => {
        const result = await signIn.signIn(context.body, arriving(context as Context));
        return 'token' in result ? done(context as Context, result) : { signedIn: false, tenants: result.tenants };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/auth/link',
      operationId: 'auth.useLink',
      summary: 'Sign in by the token of a one-time link.',
      area: 'public',
      permission: null,
      schema: { body: Type.Object({ token }, strict), response: { 200: signedInSchema } },
      handle: async (context) =>
        done(context as Context, await signIn.useLoginLink(context.body.token, arriving(context as Context))),
    }),
    route({
      method: 'POST',
      path: '/v1/auth/links',
      operationId: 'auth.requestLink',
      summary: 'Ask for a one-time link by mail. The answer is the same whether the address is known or not.',
      area: 'public',
      permission: null,
      schema: {
        body: Type.Object({ email }, strict),
        response: {
          202: Type.Object({ mail: Type.Boolean({ description: 'Whether this installation sends mail.' }) }),
        },
      },
      handle: async (context) => {
        const origin = arriving(context as Context);
        const account = lowerEmail(context.body.email);
        await throttle.take(`link ${account}`, origin.ip, account);
        context.reply.code(202);
        if (links.canMail) {
          // After the answer: how long it takes would tell whether the address is known.
          const { email } = context.body;
          const cause = { actor: context.actor, origin: context.origin, requestId: context.requestId };
          setImmediate(() => {
            sendLinks(email, context.locale, cause).catch((error: unknown) =>
              deps.log.warn({ err: error }, 'a login link could not be sent'),
            );
          });
        }
        return { mail: links.canMail };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/auth/invitations/show',
      operationId: 'auth.showInvitation',
      summary: 'What an invitation offers.',
      area: 'public',
      permission: null,
      schema: {
        body: Type.Object({ token }, strict),
        response: {
          200: Type.Object({
            email: Type.String(),
            roles: Type.Array(Type.String()),
            tenant: Type.String(),
            expiresAt: Type.String(),
          }),
        },
      },
      handle: async ({ body }) => {
        const { invitation, tenant } = await invitations.show(body.token);
        const { email, roles, expiresAt } = invitation;
        return { email, roles, tenant: tenant.name, expiresAt };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/auth/invitations/accept',
      operationId: 'auth.acceptInvitation',
      summary: 'Become a member by an invitation’s token, and sign in.',
      area: 'public',
      permission: null,
      schema: {
        body: Type.Object({ token, name, password, locale: Type.Optional(Type.String({ maxLength: 20 })) }, strict),
        response: { 200: signedInSchema },
      },
      handle: async (context) =>
        done(context as Context, await invitations.accept(context.body, arriving(context as Context))),
    }),
    route({
      method: 'POST',
      path: '/v1/auth/logout',
      operationId: 'auth.logout',
      summary: 'End one’s own session.',
      area: 'tenant',
      permission: null,
      schema: { response: { 204: Type.Null() } },
      handle: async (context) => {
        const { tenantId, id, sessionId } = requireSession(context as Context);
        await sessions.endOne(tenantId, id, sessionId, 'signed out', causeOf(context));
        giveCookie(context.request, context.reply, undefined, 0);
        // Not sent from here: with an Idempotency-Key the session ends when its transaction does.
        context.reply.code(204);
        return null;
      },
    }),
    route({
      method: 'GET',
      path: '/v1/auth/session',
      operationId: 'auth.getSession',
      summary: 'Who one is, in which tenant, with which rights.',
      area: 'tenant',
      permission: null,
      schema: {
        response: {
          200: Type.Object({
            principal: Type.Object({
              kind: Type.String(),
              id: Type.String(),
              name: Type.String(),
              mode: Type.String(),
            }),
            tenant: Type.Object({
              id: Type.String(),
              slug: Type.String(),
              name: Type.String(),
              locale: Type.String(),
              timeZone: Type.String(),
              currency: Type.String(),
              demo: Type.Boolean(),
            }),
            roles: Type.Array(Type.String()),
            permissions: Type.Array(Type.String()),
            passwordSet: Type.Boolean(),
          }),
        },
      },
      handle: async ({ principal }) => {
        const { id, slug, name, locale, timeZone, currency, demo } = tenants.admit(principal);
        return {
          principal: {
            kind: principal.kind,
            id: formatId(principal.kind === 'key' ? 'key' : 'user', principal.id),
            name: principal.name,
            mode: principal.mode,
          },
          tenant: { id: formatId('tenant', id), slug, name, locale, timeZone, currency, demo },
          roles: [...principal.roles],
          permissions: rbac.permissionsOf(principal),
          passwordSet: principal.kind !== 'key' && (await signIn.hasPassword(principal.tenantId, principal.id)),
        };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/auth/password',
      operationId: 'auth.changePassword',
      summary: 'Set a new password; every other session ends.',
      area: 'tenant',
      permission: null,
      schema: {
        body: Type.Object({ currentPassword: Type.Optional(password), newPassword: password }, strict),
        response: { 200: signedInSchema },
      },
      handle: async (context) => {
        const who = requireSession(context as Context);
        // Kept with the answer in one transaction, a failed guess would be forgotten with it.
        if (context.request.headers['idempotency-key'] !== undefined)
          throw invalidInput('/headers/idempotency-key', 'is not taken here');
        return done(context as Context, await signIn.changePassword(who, context.body, arriving(context as Context)));
      },
    }),
    route({
      method: 'GET',
      path: '/v1/auth/sessions',
      operationId: 'auth.listSessions',
      summary: 'List one’s own open sessions.',
      area: 'tenant',
      permission: null,
      schema: { response: { 200: Type.Object({ data: Type.Array(sessionSchema) }) } },
      handle: async (context) => {
        const { tenantId, id, sessionId } = requireSession(context as Context);
        return { data: (await sessions.list(tenantId, id)).map((row) => shownSession(row, sessionId)) };
      },
    }),
    route({
      method: 'DELETE',
      path: '/v1/auth/sessions/:id',
      operationId: 'auth.endSession',
      summary: 'End one of one’s own sessions.',
      area: 'tenant',
      permission: null,
      schema: { params: Type.Object({ id: Type.String() }), response: { 204: Type.Null() } },
      handle: async (context) => {
        const { tenantId, id } = requireSession(context as Context);
        const ended = parseId('session', context.params.id);
        if (ended === undefined) throw notFound('session');
        await sessions.endOne(tenantId, id, ended, 'ended by the user', causeOf(context));
        return context.reply.code(204).send();
      },
    }),
  ];

  async function sendLinks(to: string, locale: string, cause: Parameters<SignInManager['issueLoginLink']>[3]) {
    for (const user of await signIn.accountsOf(to)) {
      const { token } = await signIn.issueLoginLink(user.tenantId, user.id, linkMinutes, cause);
      const mail = { to: user.email, locale: user.locale ?? locale, name: user.name, minutes: linkMinutes };
      await links.loginLink(token, mail);
    }
  }
}

/** Where a sign-in comes from; 403 when it comes over plain http from elsewhere, or from another site. */
function arriving(context: Context): SignInOrigin {
  const { arrival } = context.request;
  requireSafeTransport(arrival);
  requireSameOrigin(arrival, 'if sent');
  return { ...context.origin, requestId: context.requestId };
}

function giveCookie(request: FastifyRequest, reply: FastifyReply, token: string | undefined, maxAge: number): void {
  reply.header('set-cookie', sessionCookie(request.arrival.secure, token, maxAge)).header('cache-control', 'no-store');
}

function requireSession({ principal }: Context): { tenantId: string; id: string; sessionId: string } {
  const { tenantId, id, sessionId } = principal;
  if (sessionId === undefined)
    throw new Problem(kernelProblems.conflict, { detail: 'This is for people who signed in, not for API keys.' });
  return { tenantId, id, sessionId };
}
