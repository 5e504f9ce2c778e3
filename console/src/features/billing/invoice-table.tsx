import type { Item } from '@lintel/sdk';
import { Text } from '@mantine/core';

import { Money, Num, useFormat } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { DataTable, type Rows } from '#ui/data-table.tsx';
import { Empty, Panel } from '#ui/page.tsx';
import { Status } from '#ui/status.tsx';

type Invoice = Item<'GET /v1/invoices'>;

/** Finished invoices, newest first: a tenant's own, or one tenant's for operators. */
export function InvoiceTable({
  title,
  rows,
  onOpen,
  emptyAbout,
}: {
  title: string;
  rows: Rows<Invoice>;
  onOpen?: ((invoice: Invoice) => void) | undefined;
  emptyAbout: string;
}) {
  const t = useT();
  return (
    <Panel flush title={title}>
      <DataTable
        label={title}
        rows={rows}
        rowKey={(invoice) => invoice.id}
        onOpen={onOpen}
        openLabel={(invoice) => t('invoices.numbered', { number: invoice.number })}
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
        empty={<Empty icon="invoices" title={t('invoices.empty')} about={emptyAbout} />}
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

/** What units cost: an amount for one, or for as many as `per` says. */
export function UnitPrice({ unit, per, currency }: { unit: string; per: string | null | undefined; currency: string }) {
  const t = useT();
  return (
    <>
      <Money amount={unit} currency={currency} />
      {Number(per ?? 1) !== 1 && (
        <>
          {' '}
          {t('invoices.per')} <Num value={per ?? 1} />
        </>
      )}
    </>
  );
}
