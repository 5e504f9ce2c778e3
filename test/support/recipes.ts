import type { Household } from '#test/household';

/** What a request of a route is made of; ids are those of the household that sends it. */
export type Spec = {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
};

/** How a valid request of a route is made. Each call makes what the request needs anew. */
export type Recipe = {
  make: (house: Household) => Promise<Spec> | Spec;
  /** Who sends it: the tenant's (or, on operator routes, the operator's) API key when absent. */
  as?: 'session' | 'nobody';
  /** The answer is an event stream. */
  stream?: true;
  /** Sending the same again by its owner does not succeed twice though nothing is wrong. */
  once?: true;
};

const nothing: Recipe = { make: () => ({}) };
const byId = (id: (house: Household) => Promise<string>, body?: (house: Household) => unknown): Recipe => ({
  make: async (house) => ({
    params: { id: await id(house) },
    ...(body === undefined ? {} : { body: body(house) }),
  }),
});
const withBody = (body: (house: Household) => Promise<unknown> | unknown): Recipe => ({
  make: async (house) => ({ body: await body(house) }),
});

const key = (house: Household) => house.key();
const agent = async (house: Household) => (await house.agent()).id;
const tool = async (house: Household) => (await house.tool()).id;
const provider = async (house: Household) => (await house.provider()).id;
const model = async (house: Household) => {
  const { provider: id, id: modelId } = await house.ownModel();
  return { id, modelId };
};
const platformModel = async (house: Household) => {
  const { provider: id, id: modelId } = await house.platformModel();
  return { id, modelId };
};
const tenant = async (house: Household) => house.tenant.id;
/** A tenant of no one else's, for what ends or hinders a tenant. */
const spareTenant = async (house: Household) => {
  const made = await house.operator('POST', '/v1/platform/tenants', { name: house.name() });
  return String(made['id']);
};
/** An event of the audit log, where it arrives a moment after its change. */
const auditEvent = async (house: Household) => {
  const path = `/v1/audit/events?limit=1&subject=${await agent(house)}`;
  for (let turn = 0; turn < 200; turn++) {
    const [event] = (await house.api('GET', path))['data'] as unknown as { id: string }[];
    if (event !== undefined) return event.id;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('The audit log did not hear of a new agent.');
};
const price = { currency: 'USD', prices: { input_tokens: '0.000003' } };
const planPrices = [{ meter: 'agent.run.runs', price: { model: 'per_unit', unit: '0.01' } }];
const aRange = { from: '2026-01-01T00:00:00Z', to: '2027-01-01T00:00:00Z' };
const limitChange = { amount: '2000000' };

/** A recipe for every route: a route without one fails the tests that walk them. */
export const recipes: Readonly<Record<string, Recipe>> = {
  // Tenancy
  'tenancy.createTenant': withBody((house) => ({ name: house.name(), currency: 'EUR', timeZone: 'Europe/Berlin' })),
  'tenancy.listTenants': { make: (house) => ({ query: { search: house.marker } }) },
  'tenancy.getTenantInfo': byId(tenant),
  'tenancy.updateTenant': byId(spareTenant, (house) => ({ name: house.name() })),
  'tenancy.suspendTenant': byId(spareTenant, () => ({ reason: 'unpaid' })),
  'tenancy.reactivateTenant': byId(async (house) => {
    const id = await spareTenant(house);
    await house.operator('POST', `/v1/platform/tenants/${id}/suspend`, { reason: 'unpaid' });
    return id;
  }),
  'tenancy.deleteTenant': {
    make: async (house) => ({ params: { id: await spareTenant(house) }, query: { graceDays: '30' } }),
  },
  'tenancy.getOwnTenant': nothing,
  'tenancy.updateOwnTenant': withBody((house) => ({ name: house.name(), locale: 'en' })),

  // Limits
  'quota.getUsage': { make: async (house) => ({ query: { scope: 'key', scopeId: await house.key() } }) },
  'quota.setQuota': withBody(async (house) => ({
    scope: 'agent',
    scopeId: await agent(house),
    resource: 'tokens',
    window: 'month',
    amount: '5000000',
  })),
  'quota.updateQuota': byId(
    (house) => house.limit(),
    () => limitChange,
  ),
  'quota.deleteQuota': { ...byId((house) => house.limit()), once: true },
  'quota.getTenantUsage': byId(tenant),
  'quota.setTenantQuota': byId(spareTenant, () => ({
    scope: 'tenant',
    resource: 'requests',
    window: 'second',
    amount: '100',
    burst: 200,
  })),
  'quota.updateTenantQuota': {
    make: async (house) => ({ params: { id: house.tenant.id, limitId: await house.limit() }, body: limitChange }),
  },
  'quota.deleteTenantQuota': {
    make: async (house) => ({ params: { id: house.tenant.id, limitId: await house.limit() } }),
    once: true,
  },

  // Calls and usage
  'metering.listCalls': {
    make: async (house) => ({
      query: { keyId: await house.key(), agentId: await agent(house), model: 'double/double' },
    }),
  },
  'metering.getCall': byId((house) => house.chat()),
  'metering.sumUsage': { make: () => ({ query: { ...aRange, groupBy: 'key' } }) },
  'metering.listAllCalls': { make: (house) => ({ query: { tenantId: house.tenant.id } }) },
  'metering.getAnyCall': byId((house) => house.chat()),
  'metering.sumAllUsage': { make: (house) => ({ query: { ...aRange, tenantId: house.tenant.id, groupBy: 'tenant' } }) },

  // Rights and audit
  'rbac.listRoles': nothing,
  'rbac.listPermissions': nothing,
  'rbac.auditPermissions': { make: () => ({ query: { permission: 'agents:read' } }) },
  'audit.listEvents': { make: async (house) => ({ query: { subject: await agent(house), type: 'agents.' } }) },
  'audit.getEvent': byId((house) => auditEvent(house)),
  'audit.getAnyEvent': byId((house) => auditEvent(house)),
  'audit.listAllEvents': { make: (house) => ({ query: { tenantId: house.tenant.id } }) },

  // Signing in
  'auth.login': {
    as: 'nobody',
    make: async (house) => ({
      body: { email: (await house.member()).email, password: house.password, tenant: await house.slug() },
    }),
  },
  'auth.useLink': {
    as: 'nobody',
    once: true,
    make: async (house) => {
      const { link } = await house.api('POST', `/v1/members/${(await house.resident()).id}/login-link`);
      return { body: { token: String(link).split('token=')[1] ?? '' } };
    },
  },
  'auth.requestLink': { as: 'nobody', make: (house) => ({ body: { email: `${house.name()}@example.com` } }) },
  'auth.showInvitation': {
    as: 'nobody',
    make: async (house) => ({ body: { token: (await house.invitation()).token } }),
  },
  'auth.acceptInvitation': {
    as: 'nobody',
    once: true,
    make: async (house) => ({
      body: { token: (await house.invitation()).token, name: house.name(), password: house.password },
    }),
  },
  'auth.logout': { ...nothing, as: 'session', once: true },
  'auth.getSession': { ...nothing, as: 'session' },
  'auth.changePassword': {
    as: 'session',
    make: (house) => ({ body: { currentPassword: house.password, newPassword: house.password } }),
  },
  'auth.listSessions': { ...nothing, as: 'session' },
  'auth.endSession': { ...byId(async (house) => (await house.session()).id), as: 'session', once: true },

  // Keys and people
  'auth.listKeys': nothing,
  'auth.createKey': withBody(async (house) => ({
    name: house.name(),
    mode: 'live',
    role: 'developer',
    scopes: ['agents:read', 'agents:invoke'],
    agents: [await agent(house)],
    allowedIps: ['127.0.0.0/8'],
    expiresAt: '2030-01-01T00:00:00Z',
  })),
  'auth.getKey': byId(key),
  'auth.updateKey': {
    make: async (house) => ({
      params: { id: await house.key() },
      body: { name: house.name(), agents: [await agent(house)], allowedIps: null },
    }),
  },
  'auth.rotateKey': { ...byId(key, () => ({ overlapHours: 24 })), once: true },
  'auth.revokeKey': { ...byId(key), once: true },
  'auth.listMembers': nothing,
  'auth.inviteMember': withBody((house) => ({ email: `${house.name()}@example.com`, roles: ['viewer'], locale: 'en' })),
  'auth.inviteToTenant': byId(tenant, (house) => ({ email: `${house.name()}@example.com`, roles: ['admin'] })),
  'auth.listInvitations': nothing,
  'auth.revokeInvitation': { ...byId(async (house) => (await house.invitation()).id), once: true },
  'auth.getMember': byId(async (house) => (await house.resident()).id),
  'auth.updateMember': byId(
    async (house) => (await house.member()).id,
    (house) => ({ name: house.name(), roles: ['viewer'], status: 'active' }),
  ),
  'auth.removeMember': { ...byId(async (house) => (await house.member()).id), once: true },
  'auth.issueLoginLink': byId(async (house) => (await house.resident()).id),

  // Models
  'models.listPresets': nothing,
  'models.listProviders': nothing,
  'models.createProvider': withBody((house) => ({
    preset: 'openai-compatible',
    name: house.name(),
    baseUrl: house.model.url,
    apiKey: 'sk-double',
  })),
  'models.getProvider': byId(provider),
  'models.updateProvider': byId(provider, () => ({ status: 'active' })),
  'models.deleteProvider': { ...byId(provider), once: true },
  'models.testProvider': byId(provider),
  'models.listModels': byId(async (house) => {
    const { id } = await model(house);
    await house.api('POST', `/v1/providers/${id}/models`, { name: house.name() });
    return id;
  }),
  'models.createModel': {
    make: async (house) => ({
      params: { id: await provider(house) },
      body: { name: house.name(), kind: 'chat', fallbacks: [(await house.ownModel()).name] },
    }),
  },
  'models.updateModel': {
    make: async (house) => ({ params: await model(house), body: { fallbacks: [(await house.ownModel()).name] } }),
  },
  'models.deleteModel': { make: async (house) => ({ params: await model(house) }), once: true },
  'models.listModelPrices': { make: async (house) => ({ params: await model(house) }) },
  'models.setModelPrice': { make: async (house) => ({ params: await model(house), body: price }), once: true },
  'models.listProviderOffers': nothing,
  'models.listPlatformProviders': nothing,
  'models.createPlatformProvider': withBody((house) => ({
    preset: 'openai-compatible',
    name: house.name(),
    baseUrl: house.model.url,
    apiKey: 'sk-double',
    sharedWith: [house.tenant.id],
  })),
  'models.getPlatformProvider': byId((house) => house.platformProvider()),
  'models.updatePlatformProvider': byId(
    (house) => house.platformProvider(),
    () => ({ status: 'active' }),
  ),
  'models.deletePlatformProvider': { ...byId((house) => house.platformProvider()), once: true },
  'models.testPlatformProvider': byId((house) => house.platformProvider()),
  'models.listPlatformModels': byId((house) => house.platformProvider()),
  'models.createPlatformModel': byId(
    (house) => house.platformProvider(),
    (house) => ({ name: house.name(), kind: 'chat', cheap: true }),
  ),
  'models.updatePlatformModel': {
    make: async (house) => ({ params: await platformModel(house), body: { contextTokens: 8000 } }),
  },
  'models.deletePlatformModel': { make: async (house) => ({ params: await platformModel(house) }), once: true },
  'models.listPlatformModelPrices': { make: async (house) => ({ params: await platformModel(house) }) },
  'models.setPlatformModelPrice': {
    make: async (house) => ({ params: await platformModel(house), body: price }),
    once: true,
  },
  'models.listEgressRules': nothing,
  'models.createEgressRule': withBody((house) => ({
    tenantId: house.tenant.id,
    target: '10.250.0.1:443',
    note: 'one',
  })),
  'models.deleteEgressRule': { ...byId((house) => house.egressRule()), once: true },

  // Agents, tools, runs, approvals
  'agents.createAgent': withBody(async (house) => ({
    name: house.name(),
    definition: house.definition([
      { tool: await tool(house), approval: 'writes' },
      { tool: `agent/${(await house.agent()).name}` },
    ]),
  })),
  'agents.listAgents': nothing,
  'agents.getAgent': byId(agent),
  'agents.updateAgent': byId(agent, (house) => ({ description: house.name() })),
  'agents.deleteAgent': { ...byId(agent), once: true },
  'agents.publishVersion': {
    make: async (house) => ({
      params: { id: await agent(house) },
      body: { definition: house.definition([{ tool: await tool(house) }]), note: 'again' },
    }),
  },
  'agents.listVersions': byId(async (house) => {
    const id = await agent(house);
    await house.api('POST', `/v1/agents/${id}/versions`, { definition: house.definition() });
    return id;
  }),
  'agents.setAlias': {
    make: async (house) => ({ params: { id: await agent(house), alias: 'stable' }, body: { version: 1 } }),
  },
  'agents.deleteAlias': {
    once: true,
    make: async (house) => {
      const id = await agent(house);
      await house.api('PUT', `/v1/agents/${id}/aliases/stable`, { version: 1 });
      return { params: { id, alias: 'stable' } };
    },
  },
  'agents.createTool': withBody((house) => ({
    name: house.name(),
    config: { kind: 'openapi', document: house.tools.document },
    secrets: { 'x-key': 'secret' },
  })),
  'agents.listTools': nothing,
  'agents.getTool': byId(tool),
  'agents.updateTool': byId(tool, () => ({ secrets: { 'x-key': 'another' } })),
  'agents.refreshTool': byId(tool),
  'agents.deleteTool': { ...byId(tool), once: true },
  'agents.trustTool': {
    make: async (house) => ({ params: { id: house.tenant.id, toolId: await tool(house) }, body: { trusted: true } }),
  },
  'agents.startRun': byId(agent, (house) => ({ input: `say:${house.name()}`, version: 1, mode: 'wait' })),
  'agents.listRuns': { make: async (house) => ({ query: { agent: (await house.run()).agent } }) },
  'agents.getRun': byId(async (house) => (await house.run()).run),
  'agents.followRun': {
    stream: true,
    make: async (house) => ({ params: { id: (await house.run()).run }, headers: { 'last-event-id': '0' } }),
  },
  'agents.cancelRun': { ...byId(async (house) => (await house.run('approve')).run), once: true },
  'agents.reviewRun': {
    ...byId(
      async (house) => (await house.run('review')).run,
      () => ({ decision: 'result', result: 'it was done', note: 'looked' }),
    ),
    once: true,
  },
  'agents.listApprovals': nothing,
  'agents.approveCall': {
    ...byId(
      async (house) => (await house.run('approve')).approval,
      () => ({ note: 'yes' }),
    ),
    once: true,
  },
  'agents.approveRun': {
    ...byId(
      async (house) => (await house.run('approve')).run,
      () => ({ note: 'yes' }),
    ),
    once: true,
  },
  'agents.rejectCall': {
    ...byId(
      async (house) => (await house.run('approve')).approval,
      () => ({ note: 'no' }),
    ),
    once: true,
  },

  // Billing
  'billing.getPlan': nothing,
  'billing.generateBill': nothing,
  'billing.explainBill': nothing,
  'billing.listInvoices': nothing,
  'billing.getInvoice': byId(async (house) => (await house.invoices())[0] ?? 'none'),
  'billing.listPlans': nothing,
  'billing.createPlan': withBody((house) => ({ name: house.name(), currency: 'USD', prices: planPrices })),
  'billing.getPlanInfo': byId((house) => house.plan()),
  'billing.changePlan': byId(
    (house) => house.plan(),
    (house) => ({ name: house.name(), prices: planPrices }),
  ),
  'billing.getSubscription': { make: (house) => ({ params: { id: house.tenant.id } }) },
  'billing.manageSubscription': {
    make: async (house) => ({ params: { id: await spareTenant(house) }, body: { planId: await house.plan() } }),
  },
  'billing.listAllInvoices': { make: (house) => ({ query: { tenantId: house.tenant.id } }) },
  'billing.margins': { make: (house) => ({ query: { ...aRange, tenantId: house.tenant.id } }) },

  // Gateway
  'gateway.createChatCompletion': withBody(async (house) => ({
    model: (await house.ownModel()).name,
    messages: [{ role: 'user', content: `say:${house.name()}` }],
  })),
  'gateway.createEmbedding': withBody(() => ({ model: 'double/double-embedding', input: ['one', 'two'] })),
  'gateway.listModels': nothing,

  // Console
  'console.getPlatformStats': nothing,
  'console.monitorSystem': nothing,
  'console.stream': {
    stream: true,
    make: () => ({ query: { topics: 'calls,runs,approvals,audit' }, headers: { 'last-event-id': '1' } }),
  },

  // Kernel
  'kernel.getHealth': { ...nothing, as: 'nobody' },
  'kernel.getReadiness': { ...nothing, as: 'nobody' },
  'kernel.getMetrics': nothing,
};

/** More requests of a route whose one recipe leaves a way to other things' ids unused. */
export const moreRecipes: Readonly<Record<string, Recipe>> = {
  'gateway.createChatCompletion': withBody(async (house) => ({
    model: `agent/${(await house.agent()).name}`,
    messages: [{ role: 'user', content: 'say:hello' }],
  })),
  'gateway.createEmbedding': withBody(async (house) => {
    const own = await house.provider();
    await house.api('POST', `/v1/providers/${own.id}/models`, { name: 'double-embedding', kind: 'embedding' });
    return { model: `${own.name}/double-embedding`, input: 'one' };
  }),
  'quota.getUsage': { make: async (house) => ({ query: { scopeId: await agent(house) } }) },
  'quota.setQuota': withBody(async (house) => ({
    scope: 'key',
    scopeId: await house.key(),
    resource: 'money',
    window: 'day',
    amount: '5',
  })),
  'audit.listEvents': { make: async (house) => ({ query: { actor: (await house.resident()).id } }) },
};
