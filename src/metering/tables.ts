import { table } from '#kernel/tables';

/** How long calls and usage are kept, by whole months. */
const kept = '400 days (LINTEL_USAGE_DAYS)';

/** The tables of metering. */
export const tables = [
  table(
    'calls',
    `tenant_id at id writer epoch writer_seq demo mode kind status http_status key_id agent_id run_id provider model stream
     estimated late cost cost_currency price currency input_tokens output_tokens requests ended_at detail`,
    {
      home: 'platform',
      tenantRows: true,
      kept,
      erased: 'deleted',
      data: { detail: 'personal' },
    },
  ),
  table(
    'usage',
    `tenant_id at id writer epoch writer_seq source type dimensions quantities demo mode estimated late recorded_at price currency
     cost cost_currency`,
    { home: 'platform', tenantRows: true, kept, erased: 'deleted' },
  ),
  table('metering_writers', 'writer epoch calls usage seen_at', {
    home: 'platform',
    tenantRows: false,
    kept,
    erased: "not a tenant's",
  }),
];
