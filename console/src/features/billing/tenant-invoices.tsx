import { Text } from '@mantine/core';

import { useList } from '#lib/api.ts';
import { Money, Num, useFormat } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Empty, Panel } from '#ui/page.tsx';
import { Status } from '#ui/status.tsx';

/** The finished invoices of one tenant, for operators. */
export function TenantInvoices({ tenantId }: { tenantId: string }) {
  const t = useT();
  const invoices = useList('GET /v1/platform/invoices', { query: { tenantId, includeDemo: true } });
  return (
    <Panel flush title={t('nav.invoices')}>
      <DataTable
        label={t('nav.invoices')}
        rows={invoices}
        rowKey={(invoice) => invoice.id}
        columns={[
          { key: 'number', header: t('invoices.number'), cell: (invoice) => <Num value={invoice.number} /> },
          {
            key: 'period',
            header: t('invoices.period'),
            cell: (invoice) => <Period from={invoice.periodStart} to={invoice.periodEnd} />,
          },
          { key: 'status', header: t('label.status'), cell: (invoice) => <Status value={invoice.status} /> },
          {
            key: 'total',
            header: t('invoices.total'),
            align: 'end',
            cell: (invoice) => <Money amount={invoice.total} currency={invoice.currency} />,
          },
        ]}
        empty={<Empty icon="invoices" title={t('invoices.empty')} about={t('invoices.tenantEmpty')} />}
      />
    </Panel>
  );
}

/** The days of a period, the last one included. */
export function Period({ from, to }: { from: string; to: string }) {
  const format = useFormat();
  // The end is not part of the period: its last moment is.
  const last = new Date(new Date(to).getTime() - 1).toISOString();
  return <Text span inherit>{`${format.date(from)} – ${format.date(last)}`}</Text>;
}
