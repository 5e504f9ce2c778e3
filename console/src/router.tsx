import {
  type AnyRoute,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';

import { part } from '#lib/missing-part.ts';
import { homeOf, loadSession } from '#lib/session.ts';
import { NotFoundPage, RouteError, ScreenError } from '#ui/problem.tsx';
import { Shell } from '#ui/shell.tsx';

/** What a URL's query may hold: every filter is a plain string, so that links stay readable. */
export type Filters = Record<string, string | undefined>;

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFoundPage, errorComponent: RouteError });

const open = (path: string, load: () => Promise<Record<string, unknown>>, name: string) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(part(load) as never, name) as never });

const home = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: async () => {
    const session = await loadSession();
    throw redirect({ href: session === undefined ? '/login' : homeOf(session) });
  },
});

const area = (path: '/operator' | '/app'): AnyRoute =>
  createRoute({
    getParentRoute: () => root,
    path,
    beforeLoad: async ({ location }) => {
      const session = await loadSession();
      if (session === undefined) throw redirect({ href: `/login?next=${encodeURIComponent(location.href)}` });
      if (homeOf(session) !== path) throw redirect({ href: homeOf(session) });
    },
    component: Shell,
    errorComponent: RouteError,
    notFoundComponent: NotFoundPage,
  }) as unknown as AnyRoute;

const operator = area('/operator');
const app = area('/app');

const screen = (parent: AnyRoute, path: string, load: () => Promise<Record<string, unknown>>, name: string) =>
  createRoute({
    getParentRoute: () => parent as never,
    path,
    component: lazyRouteComponent(part(load) as never, name) as never,
    errorComponent: ScreenError,
  }) as unknown as AnyRoute;

const calls = () => import('#features/metering/calls-page.tsx');
const audit = () => import('#features/audit/audit-page.tsx');
const providers = () => import('#features/models/providers-page.tsx');
const billing = () => import('#features/billing/invoices-page.tsx');
const plans = () => import('#features/billing/plans-page.tsx');
const agents = () => import('#features/agents/agents-page.tsx');
const agent = () => import('#features/agents/agent-page.tsx');
const keys = () => import('#features/auth/keys-page.tsx');
const keyWizard = () => import('#features/auth/key-wizard.tsx');
const members = () => import('#features/members/members-page.tsx');
const settings = () => import('#features/tenancy/settings-page.tsx');
const runs = () => import('#features/agents/runs-page.tsx');

const operatorScreens = [
  screen(operator, '/', () => import('#features/console/overview-page.tsx'), 'OverviewPage'),
  screen(operator, '/tenants', () => import('#features/tenancy/tenants-page.tsx'), 'TenantsPage'),
  screen(operator, '/tenants/$tenantId', () => import('#features/tenancy/tenant-page.tsx'), 'TenantPage'),
  screen(operator, '/calls', calls, 'PlatformCallsPage'),
  screen(operator, '/audit', audit, 'PlatformAuditPage'),
  screen(operator, '/providers', providers, 'PlatformProvidersPage'),
  screen(operator, '/plans', plans, 'PlansPage'),
  screen(operator, '/keys', keys, 'KeysPage'),
  screen(operator, '/keys/new', keyWizard, 'KeyWizard'),
  screen(operator, '/members', members, 'MembersPage'),
  screen(operator, '/settings', settings, 'SettingsPage'),
  screen(operator, '/nodes', () => import('#features/console/nodes-page.tsx'), 'NodesPage'),
];

const appScreens = [
  screen(app, '/', () => import('#features/console/tenant-home-page.tsx'), 'TenantHomePage'),
  screen(app, '/agents', agents, 'AgentsPage'),
  screen(app, '/agents/new', () => import('#features/agents/new-agent-page.tsx'), 'NewAgentPage'),
  screen(app, '/agents/$agentId', agent, 'AgentPage'),
  screen(app, '/tools', () => import('#features/agents/tools-page.tsx'), 'ToolsPage'),
  screen(app, '/runs', runs, 'RunsPage'),
  screen(app, '/runs/$runId', () => import('#features/agents/run-page.tsx'), 'RunPage'),
  screen(app, '/approvals', () => import('#features/agents/approvals-page.tsx'), 'ApprovalsPage'),
  screen(app, '/keys', keys, 'KeysPage'),
  screen(app, '/keys/new', keyWizard, 'KeyWizard'),
  screen(app, '/calls', calls, 'CallsPage'),
  screen(app, '/usage', () => import('#features/metering/usage-page.tsx'), 'UsagePage'),
  screen(app, '/limits', () => import('#features/quota/limits-page.tsx'), 'LimitsPage'),
  screen(app, '/invoices', billing, 'InvoicesPage'),
  screen(app, '/invoices/$invoiceId', billing, 'InvoicePage'),
  screen(app, '/providers', providers, 'ProvidersPage'),
  screen(app, '/members', members, 'MembersPage'),
  screen(app, '/audit', audit, 'AuditPage'),
  screen(app, '/settings', settings, 'SettingsPage'),
];

const signIn = () => import('#features/auth/sign-in-pages.tsx');

const tree = root.addChildren([
  home,
  open('/login', signIn, 'LoginPage'),
  open('/link', signIn, 'LinkPage'),
  open('/invite', signIn, 'InvitePage'),
  operator.addChildren(operatorScreens),
  app.addChildren(appScreens),
]);

/** The app's screens. Every filter lives in the URL, so every view is a link. */
export const router = createRouter({
  routeTree: tree,
  defaultPreload: 'intent',
  scrollRestoration: true,
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const filled = Object.entries(search as Filters).filter(([, value]) => value !== undefined && value !== '');
    return filled.length === 0 ? '' : `?${new URLSearchParams(filled as [string, string][]).toString()}`;
  },
});
