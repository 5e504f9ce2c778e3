import type { Clock } from '#kernel/clock';
import type { Doors } from '#kernel/database';
import type { Logger } from '#kernel/logger';
import type { Module } from '#kernel/module';
import { repeat } from '#kernel/repeat';
import type { Sealer } from '#kernel/seal';
import type { Snapshots } from '#kernel/snapshot';
import type { RBACManager } from '#security/rbac';

import { AuthenticationManager } from './authentication-manager.ts';
import { type AuthConfig, authSettings } from './config.ts';
import { events } from './events.ts';
import { createFirstOperator, type FirstOperator, renewFirstLink } from './first-operator.ts';
import { InvitationManager } from './invitation-manager.ts';
import { KeyFormat } from './key-format.ts';
import { type CarryLimits, KeyManager } from './key-manager.ts';
import { KeyRing } from './key-ring.ts';
import { writeKeyUses } from './key-store.ts';
import { LastUses } from './last-uses.ts';
import { purgeEnded } from './link-store.ts';
import { Links, type Mailer } from './links.ts';
import { MemberManager } from './member-manager.ts';
import { inProcessHasher, type PasswordHasher } from './password-hasher.ts';
import { problems } from './problems.ts';
import { keyRoutes } from './routes-keys.ts';
import { memberRoutes } from './routes-members.ts';
import { signInRoutes } from './routes-sign-in.ts';
import { SessionManager } from './session-manager.ts';
import { SignInManager, type Tenants } from './sign-in-manager.ts';
import { writeSessionUses } from './store.ts';
import { tables } from './tables.ts';
import { LoginThrottle } from './throttle-logins.ts';
import { Tokens } from './tokens.ts';

export type { AuthConfig, FirstOperator, Mailer, PasswordHasher };
export { authSettings, inProcessHasher };

/** Auth's module with its services. */
export type AuthModule = Module & {
  /** The front door's step. */
  readonly authenticate: AuthenticationManager['authenticate'];
  readonly manager: AuthenticationManager;
  readonly keys: KeyManager;
  readonly members: MemberManager;
  readonly invitations: InvitationManager;
  readonly signIn: SignInManager;
  /** Addresses of one-time links. */
  readonly links: Links;
  /** The first operator of an installation that has none, once `keep` has kept it; undefined when there is one. */
  firstOperator(email: string, keep?: (made: FirstOperator) => Promise<void>): Promise<FirstOperator | undefined>;
  /** The token of a login link that works, for a first operator without a password; the `kept` one while that is it. */
  renewFirstLink(email: string, kept: string): Promise<string | undefined>;
};

/**
 * Auth: who is calling. `hasher`: where passwords are hashed; `mailer`: how links reach people (absent: the inviter is shown
 * them once); `carryLimits`: limits of keys that are rotated (absent: there are none); `baseUrl`: where the console is reached, for links.
 */
export function createAuthModule(deps: {
  db: Doors;
  snapshots: Snapshots;
  clock: Clock;
  log: Logger;
  sealer: Sealer;
  config: AuthConfig;
  rbac: RBACManager;
  tenants: Tenants;
  hasher: PasswordHasher;
  mailer?: Mailer | undefined;
  carryLimits?: CarryLimits;
  baseUrl: () => string;
}): AuthModule {
  const { db, clock, log } = deps;
  const format = new KeyFormat(deps.sealer);
  const tokens = new Tokens(deps.sealer);
  const keyUses = new LastUses({ clock, log, write: (uses) => db.forPlatform((tx) => writeKeyUses(tx, uses)) });
  const sessionUses = new LastUses({ clock, log, write: (uses) => db.forPlatform((tx) => writeSessionUses(tx, uses)) });
  const sessions = new SessionManager({ ...deps, tokens, uses: sessionUses });
  const throttle = new LoginThrottle(deps);
  const manager = new AuthenticationManager({ ...deps, format, keys: new KeyRing(deps), uses: keyUses, sessions });
  const keys = new KeyManager({ ...deps, format });
  const members = new MemberManager({ ...deps, sessions });
  const signIn = new SignInManager({ ...deps, sessions, throttle, tokens });
  const invitations = new InvitationManager({ ...deps, tokens, members, signIn });
  const links = new Links(deps);
  return {
    name: 'auth',
    authenticate: (arrival) => manager.authenticate(arrival),
    manager,
    keys,
    members,
    invitations,
    signIn,
    links,
    firstOperator: (email, keep) => createFirstOperator({ db, members, signIn, keys }, email, keep),
    renewFirstLink: (email, kept) => renewFirstLink({ db, clock, tokens, signIn }, email, kept),
    routes: [
      ...signInRoutes({ ...deps, signIn, sessions, invitations, links, throttle }),
      ...keyRoutes({ keys }),
      ...memberRoutes({ members, invitations, signIn, links, tenants: deps.tenants }),
    ],
    tables,
    events,
    problems,
    permissions: [
      { name: 'members:read', risk: 'low', area: 'tenant' },
      { name: 'members:invite', risk: 'high', area: 'tenant' },
      { name: 'members:update', risk: 'high', area: 'tenant' },
      { name: 'members:delete', risk: 'high', area: 'tenant' },
      { name: 'api-keys:read', risk: 'low', area: 'tenant' },
      { name: 'api-keys:create', risk: 'high', area: 'tenant' },
      { name: 'api-keys:update', risk: 'high', area: 'tenant' },
      { name: 'api-keys:delete', risk: 'medium', area: 'tenant' },
      { name: 'platform-tenants:invite', risk: 'high', area: 'platform' },
    ],
    migrations: new URL('./migrations/', import.meta.url),
    start: async (role) => {
      if (role === 'front') signIn.warm().catch(() => undefined);
      const tidy = async () => {
        await sessions.forgetOver();
        if (role !== 'background') return;
        const now = clock.now();
        await db.forPlatform((tx) => purgeEnded(tx, now.toString(), now.subtract({ hours: 720 }).toString()));
        await db.forService('directory', (tx) => throttle.purge(tx));
      };
      const failed = (error: unknown) => log.debug({ err: error }, 'ended sessions were not purged');
      const stops = [keyUses.start(), sessionUses.start(), repeat(600_000, tidy, failed)];
      return async () => {
        await Promise.all(stops.map((stop) => stop()));
      };
    },
  };
}
