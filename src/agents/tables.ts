import { table } from '#kernel/tables';

const home = { home: 'tenant', tenantRows: true, erased: 'deleted' } as const;

/** The tables of agents, tools and runs. */
export const agentTables = [
  table('agents', 'tenant_id id name description kind latest_version created_at updated_at deleted_at', {
    ...home,
    kept: 'until the tenant is erased; deleted agents stay for the runs they made',
    data: { description: 'content' },
  }),
  table('agent_versions', 'tenant_id agent_id version definition secret note created_by created_at', {
    ...home,
    kept: 'as long as the agent',
    data: { definition: 'content', secret: 'secret', note: 'content', created_by: 'personal' },
  }),
  table('agent_aliases', 'tenant_id agent_id alias version', { ...home, kept: 'as long as the agent' }),
  table('tools', 'tenant_id id name kind config secret trusted functions refreshed_at revision created_at updated_at', {
    ...home,
    kept: 'until deleted',
    data: { config: 'content', secret: 'secret', functions: 'content' },
  }),
  table(
    'runs',
    `tenant_id id fence status agent_id agent_version agent_name input mode demo principal call_id call guardrails foreground
     parent_id parent_seq path lease_node lease_expires_at available_at cancel_requested model_steps tokens money currency active_ms output
     error created_at finished_at`,
    {
      ...home,
      kept: 'until the tenant is erased',
      data: { input: 'content', output: 'content', error: 'content', principal: 'personal', call: 'personal' },
    },
  ),
  table(
    'steps',
    'tenant_id run_id seq kind status of_seq of_call tool arguments idempotency_key result usage reserved below started_at finished_at',
    { ...home, kept: 'as long as the run', data: { arguments: 'content', result: 'content' } },
  ),
  table(
    'approvals',
    `tenant_id id run_id seq agent_id agent_name tool arguments status requested_by created_at decided_at decided_by note`,
    {
      ...home,
      kept: 'as long as the run',
      data: { arguments: 'content', requested_by: 'personal', decided_by: 'personal', note: 'content' },
    },
  ),
];
