import { table } from '#kernel/tables';

/** The tables of audit. */
export const tables = [
  table(
    'audit_events',
    'tenant_id id at type actor actor_id on_behalf_of subject subject_id origin decision data request_id demo',
    {
      home: 'platform',
      tenantRows: true,
      kept: '400 days',
      erased: 'with retention',
      data: { actor: 'personal', on_behalf_of: 'personal', subject: 'personal', origin: 'personal', data: 'personal' },
    },
  ),
];
