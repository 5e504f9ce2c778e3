import type { MessageKey } from '#lib/i18n.tsx';
import type { IconName } from '#ui/icons.tsx';

/** A screen as navigation and palette name it. `needs`: the permission without which it would only be refused. */
export type NavigationItem = { to: string; title: MessageKey; icon: IconName; needs: string };

/** Screens that belong together. */
export type NavigationGroup = { title: MessageKey; items: NavigationItem[] };

const operatorScreens: NavigationGroup[] = [
  {
    title: 'nav.group.watch',
    items: [
      { to: '/operator', title: 'nav.overview', icon: 'overview', needs: 'platform-nodes:read' },
      { to: '/operator/calls', title: 'nav.calls', icon: 'calls', needs: 'platform-calls:read' },
      { to: '/operator/audit', title: 'nav.audit', icon: 'audit', needs: 'platform-audit-events:read' },
      { to: '/operator/nodes', title: 'nav.nodes', icon: 'nodes', needs: 'platform-nodes:read' },
    ],
  },
  {
    title: 'nav.group.run',
    items: [
      { to: '/operator/tenants', title: 'nav.tenants', icon: 'tenants', needs: 'platform-tenants:read' },
      { to: '/operator/providers', title: 'nav.providers', icon: 'providers', needs: 'platform-providers:read' },
      { to: '/operator/plans', title: 'nav.plans', icon: 'plans', needs: 'platform-plans:read' },
    ],
  },
  {
    title: 'nav.group.team',
    items: [
      { to: '/operator/members', title: 'nav.members', icon: 'members', needs: 'members:read' },
      { to: '/operator/keys', title: 'nav.keys', icon: 'keys', needs: 'api-keys:read' },
      { to: '/operator/settings', title: 'nav.settings', icon: 'settings', needs: 'tenants:read' },
    ],
  },
];

const tenantScreens: NavigationGroup[] = [
  {
    title: 'nav.group.build',
    items: [
      { to: '/app', title: 'nav.home', icon: 'home', needs: 'tenants:read' },
      { to: '/app/agents', title: 'nav.agents', icon: 'agents', needs: 'agents:read' },
      { to: '/app/tools', title: 'nav.tools', icon: 'tools', needs: 'tools:read' },
      { to: '/app/providers', title: 'nav.models', icon: 'providers', needs: 'providers:read' },
      { to: '/app/keys', title: 'nav.keys', icon: 'keys', needs: 'api-keys:read' },
    ],
  },
  {
    title: 'nav.group.watch',
    items: [
      { to: '/app/calls', title: 'nav.calls', icon: 'calls', needs: 'calls:read' },
      { to: '/app/runs', title: 'nav.runs', icon: 'runs', needs: 'runs:read' },
      { to: '/app/approvals', title: 'nav.approvals', icon: 'approvals', needs: 'approvals:read' },
      { to: '/app/usage', title: 'nav.usage', icon: 'usage', needs: 'usage:read' },
      { to: '/app/audit', title: 'nav.audit', icon: 'audit', needs: 'audit-events:read' },
    ],
  },
  {
    title: 'nav.group.account',
    items: [
      { to: '/app/limits', title: 'nav.limits', icon: 'limits', needs: 'limits:read' },
      { to: '/app/invoices', title: 'nav.invoices', icon: 'invoices', needs: 'invoices:read' },
      { to: '/app/members', title: 'nav.members', icon: 'members', needs: 'members:read' },
      { to: '/app/settings', title: 'nav.settings', icon: 'settings', needs: 'tenants:read' },
    ],
  },
];

/** The screens of an area that the signed-in principal may read. */
export function navigationFor(isOperator: boolean, can: (permission: string) => boolean): NavigationGroup[] {
  return (isOperator ? operatorScreens : tenantScreens)
    .map((group) => ({ ...group, items: group.items.filter((item) => can(item.needs)) }))
    .filter((group) => group.items.length > 0);
}
