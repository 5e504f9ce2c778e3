import type { Permission } from '#kernel/module';

/** A role: a name and the part of the vocabulary it gives. */
export type Role = {
  readonly name: string;
  /** Whose people and keys can hold it: a tenant's or the platform tenant's. */
  readonly area: 'tenant' | 'platform';
  /** The permissions it gives, by name. */
  readonly permissions: ReadonlySet<string>;
};

/** Names of the roles of tenants, widest first. */
export const tenantRoles = ['owner', 'admin', 'developer', 'billing', 'viewer'] as const;

/** Names of the roles of the platform tenant, widest first. */
export const platformRoles = ['platform_operator', 'platform_auditor'] as const;

/** Things of the platform tenant itself that operators administer like any tenant does its own. */
const ownHouse = new Set(['tenants', 'members', 'api-keys', 'audit-events']);

/** Things that developers may look at, or not even that. */
const developerReads = new Set(['tenants', 'members', 'limits', 'providers']);
const developerNever = new Set(['invoices', 'audit-events']);

/** Things that viewers do not see: who did what, and what it cost. */
const viewerNever = new Set(['invoices', 'audit-events']);

type Rule = (permission: { noun: string; verb: string; area: 'tenant' | 'platform' }) => boolean;

// Rules over the vocabulary, not lists: a module that declares a new thing gets sensible roles without touching this file.
const rules: Record<(typeof tenantRoles)[number] | (typeof platformRoles)[number], Rule> = {
  owner: ({ area }) => area === 'tenant',
  // The same rights; what sets owners apart is that only they make and unmake owners, and that one must remain.
  admin: ({ area }) => area === 'tenant',
  developer: ({ area, noun, verb }) =>
    area === 'tenant' && !developerNever.has(noun) && (!developerReads.has(noun) || verb === 'read'),
  billing: ({ area, noun, verb }) =>
    area === 'tenant' &&
    (noun === 'limits' ||
      (verb === 'read' && ['tenants', 'members', 'invoices', 'usage', 'calls', 'agents', 'models'].includes(noun))),
  viewer: ({ area, noun, verb }) => area === 'tenant' && verb === 'read' && !viewerNever.has(noun),
  platform_operator: ({ area, noun }) => area === 'platform' || ownHouse.has(noun),
  platform_auditor: ({ area, noun, verb }) => verb === 'read' && (area === 'platform' || ownHouse.has(noun)),
};

/** The built-in roles over a vocabulary. */
export function builtInRoles(vocabulary: readonly Permission[]): ReadonlyMap<string, Role> {
  const roles = Object.entries(rules).map(([name, rule]): [string, Role] => {
    const given = vocabulary.filter((permission) => {
      const [noun = '', verb = ''] = permission.name.split(':');
      return rule({ noun, verb, area: permission.area });
    });
    const area = (platformRoles as readonly string[]).includes(name) ? 'platform' : 'tenant';
    return [name, { name, area, permissions: new Set(given.map((permission) => permission.name)) }];
  });
  return new Map(roles);
}
