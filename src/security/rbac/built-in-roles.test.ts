import { expect, test } from 'vitest';

import { systemClock } from '#kernel/clock';
import type { Permission } from '#kernel/module';
import { platformTenantId } from '#tenancy';

import { RBACManager } from './rbac-manager.ts';

const nouns = ['tenants', 'members', 'api-keys', 'providers', 'agents', 'limits', 'calls', 'invoices', 'audit-events'];
const vocabulary: Permission[] = [
  ...nouns.flatMap((noun) =>
    (['read', 'create', 'update', 'delete'] as const).map(
      (verb): Permission => ({ name: `${noun}:${verb}`, risk: 'low', area: 'tenant' }),
    ),
  ),
  { name: 'agents:invoke', risk: 'low', area: 'tenant' },
  { name: 'agents:approve', risk: 'high', area: 'tenant', named: true },
  { name: 'platform-nodes:read', risk: 'low', area: 'platform' },
  { name: 'platform-tenants:create', risk: 'high', area: 'platform' },
];
const held = { get: () => undefined, values: () => [].values(), size: 0, version: 0 };
const rbac = new RBACManager({
  db: { forTenant: () => Promise.reject(new Error('no database here')) },
  clock: systemClock,
  held,
  permissions: () => vocabulary,
});
const acme = '018f0000-0000-7000-8000-000000000001';
const may = (role: string, permission: string, tenantId = acme) =>
  rbac.checkPermission({ tenantId, roles: [role] }, permission, 'tenant').allowed;

test.each([
  ['owner', ['agents:delete', 'members:delete', 'invoices:read', 'audit-events:read'], ['platform-nodes:read']],
  ['admin', ['agents:delete', 'members:delete', 'limits:update'], ['platform-tenants:create']],
  [
    'developer',
    [
      'agents:create',
      'agents:invoke',
      'api-keys:create',
      'members:read',
      'limits:read',
      'providers:read',
      'calls:read',
    ],
    ['members:update', 'limits:update', 'providers:create', 'invoices:read', 'audit-events:read'],
  ],
  [
    'billing',
    ['invoices:read', 'limits:update', 'calls:read'],
    ['agents:create', 'api-keys:read', 'audit-events:read'],
  ],
  ['viewer', ['agents:read', 'calls:read', 'members:read'], ['agents:invoke', 'agents:update', 'invoices:read']],
  ['no-such-role', [], ['agents:read']],
])('%s', (role, yes, no) => {
  expect(yes.filter((permission) => !may(role, permission))).toEqual([]);
  expect(no.filter((permission) => may(role, permission))).toEqual([]);
});

test('platform roles rule the platform and its own house, nothing of tenants; and only in the platform tenant', () => {
  const operator = { tenantId: platformTenantId, roles: ['platform_operator'] };
  expect(rbac.checkPermission(operator, 'platform-tenants:create', 'platform').allowed).toBe(true);
  expect(rbac.checkPermission(operator, 'members:update', 'tenant').allowed).toBe(true);
  expect(rbac.checkPermission(operator, 'agents:create', 'tenant').allowed).toBe(false);
  const auditor = { tenantId: platformTenantId, roles: ['platform_auditor'] };
  expect(rbac.checkPermission(auditor, 'platform-nodes:read', 'platform').allowed).toBe(true);
  expect(rbac.checkPermission(auditor, 'platform-tenants:create', 'platform').allowed).toBe(false);
  // A role of the other house gives nothing, wherever it came from.
  expect(may('platform_operator', 'members:read')).toBe(false);
  expect(may('owner', 'agents:read', platformTenantId)).toBe(false);
  expect(rbac.checkPermission({ tenantId: acme, roles: ['owner'] }, null, 'platform').allowed).toBe(false);
});

test('a decision names the role that decided, a refusal says what is missing', () => {
  const both = { tenantId: acme, roles: ['viewer', 'developer'] };
  expect(rbac.checkPermission(both, 'agents:create', 'tenant')).toEqual({
    allowed: true,
    reason: 'The role developer gives agents:create.',
    role: 'developer',
  });
  expect(rbac.checkPermission(both, 'invoices:read', 'tenant').reason).toContain('viewer, developer');
  const key = { tenantId: acme, roles: ['developer'], scopes: ['agents:invoke'] };
  expect(rbac.checkPermission(key, 'agents:invoke', 'tenant').allowed).toBe(true);
  expect(rbac.checkPermission(key, 'agents:create', 'tenant')).toEqual({
    allowed: false,
    reason: "The key's scopes do not include agents:create.",
  });
  expect(rbac.checkPermission({ ...key, scopes: ['invoices:read'] }, 'invoices:read', 'tenant').allowed).toBe(false);
});

test('what a person is asked for a key says only where its scopes name it, and gives to no other key unless it has it', () => {
  const person = { kind: 'user', tenantId: acme, roles: ['developer'] } as const;
  const key = { ...person, kind: 'key' } as const;
  const may = (judged: Parameters<typeof rbac.checkPermission>[0]) =>
    rbac.checkPermission(judged, 'agents:approve', 'tenant');
  expect(may(person).allowed).toBe(true);
  expect(may(key)).toEqual({ allowed: false, reason: 'A key may do this only where its scopes name agents:approve.' });
  const named = { ...key, scopes: ['agents:approve'] };
  expect(may(named).allowed).toBe(true);
  expect(may({ ...named, roles: ['viewer'] }).allowed).toBe(false);
  expect(rbac.permissionsOf(key)).not.toContain('agents:approve');
  expect(() => rbac.requireWithin(key, ['developer'], { scopes: named.scopes })).toThrow('do not have agents:approve');
  expect(() => rbac.requireWithin(key, ['developer'], {})).not.toThrow();
  expect(() => rbac.requireWithin(named, ['developer'], { scopes: named.scopes })).not.toThrow();
  expect(() => rbac.requireWithin(person, ['developer'], { scopes: named.scopes })).not.toThrow();
  expect(() => rbac.requireWithin(key, ['developer'])).not.toThrow();
});

test('nobody gives rights beyond their own', () => {
  const developer = { tenantId: acme, roles: ['developer'] };
  expect(() => rbac.requireWithin(developer, ['developer'])).not.toThrow();
  expect(() => rbac.requireWithin(developer, ['viewer'])).not.toThrow();
  expect(() => rbac.requireWithin(developer, ['admin'])).toThrow('do not have');
  expect(() => rbac.requireWithin(developer, ['admin'], { scopes: ['agents:read'] })).not.toThrow();
  expect(() => rbac.requireWithin({ ...developer, scopes: ['agents:read'] }, ['developer'])).toThrow('do not have');
  expect(() => rbac.requireWithin({ tenantId: acme, roles: ['admin'] }, ['admin'])).not.toThrow();
  expect(() => rbac.requireWithin({ tenantId: acme, roles: ['admin'] }, ['owner'])).toThrow('owners');
  expect(() => rbac.requireRoles(acme, ['platform_operator'])).toThrow('no role here');
});
