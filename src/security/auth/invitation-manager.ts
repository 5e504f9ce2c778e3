import { becauseOf, type Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Doors, Tx } from '#kernel/database';
import { newId } from '#kernel/ids';
import { append } from '#kernel/log';
import { notFound, Problem } from '#kernel/problem';
import type { Judged, RBACManager } from '#security/rbac';
import { platformTenantId, type TenantView } from '#tenancy';

import { checkPassword } from './check-password.ts';
import { findCredential, insertCredential } from './key-store.ts';
import {
  acceptInvitation,
  type InvitationRow,
  insertInvitation,
  readInvitation,
  readInvitations,
  revokeInvitations,
} from './link-store.ts';
import type { MemberManager } from './member-manager.ts';
import type { PasswordHasher } from './password-hasher.ts';
import { problems } from './problems.ts';
import type { SignedIn, SignInManager, SignInOrigin, Tenants } from './sign-in-manager.ts';
import { hasEmail } from './store.ts';
import type { Tokens } from './tokens.ts';
import { requireWithinKey } from './within-key.ts';

/** How long an invitation can be accepted. */
const openDays = 7;

/** Invitations: a one-time link that makes its holder a member. */
export class InvitationManager {
  readonly #db: Doors;
  readonly #clock: Clock;
  readonly #rbac: RBACManager;
  readonly #tokens: Tokens;
  readonly #hasher: PasswordHasher;
  readonly #members: MemberManager;
  readonly #signIn: SignInManager;
  readonly #tenants: Tenants;

  constructor(deps: {
    db: Doors;
    clock: Clock;
    rbac: RBACManager;
    tokens: Tokens;
    hasher: PasswordHasher;
    members: MemberManager;
    signIn: SignInManager;
    tenants: Tenants;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#rbac = deps.rbac;
    this.#tokens = deps.tokens;
    this.#hasher = deps.hasher;
    this.#members = deps.members;
    this.#signIn = deps.signIn;
    this.#tenants = deps.tenants;
  }

  /**
   * Invites somebody; the token is in the returned value alone. An open invitation to the same address ends. `giver`: the member
   * who invites, absent for operators; nobody gives roles mightier than their own.
   */
  async invite(
    tenantId: string,
    input: { email: string; roles: readonly string[] },
    cause: Cause,
    giver?: Judged,
  ): Promise<{ invitation: InvitationRow; token: string }> {
    this.#rbac.requireRoles(tenantId, input.roles);
    if (giver !== undefined) this.#rbac.requireWithin(giver, input.roles);
    const now = this.#clock.now();
    const token = this.#tokens.mint('invitation');
    const hash = this.#tokens.hash('invitation', token);
    const invitation: InvitationRow = {
      tenantId,
      id: newId(),
      email: input.email.trim(),
      roles: [...new Set(input.roles)],
      invitedBy: cause.actor,
      createdAt: now.toString(),
      expiresAt: now.add({ hours: 24 * openDays }).toString(),
    };
    await this.#db.forTenant(tenantId, async (tx) => {
      if (giver !== undefined) await requireWithinKey(tx, giver);
      if (await hasEmail(tx, tenantId, input.email))
        throw new Problem(problems.emailTaken, { errors: [{ pointer: '/email', detail: 'is a member already' }] });
      await revokeInvitations(tx, tenantId, { email: input.email }, now.toString());
      await insertInvitation(tx, invitation, hash);
      await insertCredential(tx, { hash, tenantId, kind: 'invitation', refId: invitation.id });
      const { email, roles, expiresAt } = invitation;
      await this.#tell(tx, 'created', invitation, cause, { email, roles, expiresAt });
    });
    return { invitation, token };
  }

  /** Open invitations of a tenant. */
  listInvitations(tenantId: string): Promise<InvitationRow[]> {
    return this.#db.forTenant(tenantId, (tx) => readInvitations(tx, tenantId, this.#clock.now().toString()));
  }

  /** Takes an invitation back; 404 when none of this id is open. */
  async revokeInvitation(tenantId: string, id: string, cause: Cause): Promise<void> {
    await this.#db.forTenant(tenantId, async (tx) => {
      const [revoked] = await revokeInvitations(tx, tenantId, { id }, this.#clock.now().toString());
      if (revoked === undefined) throw notFound('invitation');
      await this.#tell(tx, 'revoked', revoked, cause, { email: revoked.email });
    });
  }

  /** What an invitation offers, for the page behind its link; 401 when it is not open. */
  async show(token: string): Promise<{ invitation: InvitationRow; tenant: TenantView }> {
    const { tenantId, id } = await this.#find(token);
    const tenant = this.#tenants.admit({ tenantId });
    const now = this.#clock.now().toString();
    const invitation = await this.#db.forTenant(tenantId, (tx) => readInvitation(tx, tenantId, id, now));
    if (invitation === undefined) throw new Problem(problems.linkInvalid, { account: { tenantId } });
    return { invitation, tenant };
  }

  /** Makes the invited a member and signs them in; of two at once one succeeds. */
  async accept(
    input: { token: string; name: string; password: string; locale?: string },
    origin: SignInOrigin,
  ): Promise<SignedIn> {
    const { invitation } = await this.show(input.token);
    const { tenantId, id, email } = invitation;
    const password = checkPassword(input.password, { email, name: input.name });
    const passwordHash = await this.#hasher.hash(password);
    return this.#db.forTenant(tenantId, async (tx) => {
      const accepted = await acceptInvitation(tx, tenantId, id, this.#clock.now().toString());
      if (accepted === undefined) throw new Problem(problems.linkInvalid, { account: { tenantId } });
      const kind = tenantId === platformTenantId ? 'operator' : 'user';
      const { requestId, ...from } = origin;
      const user = await this.#members.createIn(
        tx,
        tenantId,
        {
          email,
          name: input.name,
          roles: accepted.roles,
          passwordHash,
          ...(input.locale === undefined ? {} : { locale: input.locale }),
        },
        { actor: { kind, id, name: input.name }, onBehalfOf: accepted.invitedBy, origin: from, requestId },
        { invitationId: id },
      );
      return this.#signIn.begin(tx, user, 'invitation', origin);
    });
  }

  async #find(token: string): Promise<{ tenantId: string; id: string }> {
    const invalid = new Problem(problems.linkInvalid, { account: {} });
    if (!this.#tokens.isOurs('invitation', token)) throw invalid;
    const hash = this.#tokens.hash('invitation', token);
    const credential = await this.#db.forService('directory', (tx) => findCredential(tx, hash, 'invitation'));
    if (credential === undefined) throw invalid;
    return { tenantId: credential.tenantId, id: credential.refId };
  }

  async #tell(
    tx: Tx,
    verb: string,
    invitation: InvitationRow,
    cause: Cause,
    data: Record<string, unknown>,
  ): Promise<void> {
    await append(
      tx,
      {
        ...becauseOf(cause),
        tenantId: invitation.tenantId,
        type: `auth.invitation.${verb}`,
        subject: { kind: 'invitation', id: invitation.id, name: invitation.email },
        data,
      },
      this.#clock.now(),
    );
  }
}
