import type { Permission } from '#kernel/module';

/** The rights over models and providers. */
export const permissions: readonly Permission[] = [
  { name: 'providers:read', risk: 'low', area: 'tenant' },
  { name: 'providers:create', risk: 'high', area: 'tenant' },
  { name: 'providers:update', risk: 'high', area: 'tenant' },
  { name: 'providers:delete', risk: 'high', area: 'tenant' },
  { name: 'models:read', risk: 'low', area: 'tenant' },
  { name: 'models:invoke', risk: 'medium', area: 'tenant' },
  { name: 'models:create', risk: 'medium', area: 'tenant' },
  { name: 'models:update', risk: 'medium', area: 'tenant' },
  { name: 'models:delete', risk: 'medium', area: 'tenant' },
  { name: 'platform-providers:read', risk: 'low', area: 'platform' },
  { name: 'platform-providers:create', risk: 'high', area: 'platform' },
  { name: 'platform-providers:update', risk: 'high', area: 'platform' },
  { name: 'platform-providers:delete', risk: 'high', area: 'platform' },
  { name: 'platform-egress-rules:read', risk: 'low', area: 'platform' },
  { name: 'platform-egress-rules:create', risk: 'high', area: 'platform' },
  { name: 'platform-egress-rules:delete', risk: 'high', area: 'platform' },
];
