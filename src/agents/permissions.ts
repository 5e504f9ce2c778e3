import type { Permission } from '#kernel/module';

/** The rights that routes of this module ask for. */
export const permissions: readonly Permission[] = [
  { name: 'agents:read', risk: 'low', area: 'tenant' },
  { name: 'agents:create', risk: 'medium', area: 'tenant' },
  { name: 'agents:update', risk: 'medium', area: 'tenant' },
  { name: 'agents:delete', risk: 'high', area: 'tenant' },
  { name: 'agents:invoke', risk: 'medium', area: 'tenant' },
  { name: 'tools:read', risk: 'low', area: 'tenant' },
  { name: 'tools:create', risk: 'high', area: 'tenant' },
  { name: 'tools:update', risk: 'high', area: 'tenant' },
  { name: 'tools:delete', risk: 'high', area: 'tenant' },
  { name: 'runs:read', risk: 'medium', area: 'tenant' },
  { name: 'runs:cancel', risk: 'medium', area: 'tenant' },
  { name: 'approvals:read', risk: 'medium', area: 'tenant' },
  // Else the key that started a run could say the yes that the run waits for.
  { name: 'approvals:approve', risk: 'high', area: 'tenant', named: true },
  { name: 'platform-tools:update', risk: 'high', area: 'platform' },
];
