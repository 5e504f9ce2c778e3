import type { Answer } from '@lintel/sdk';
import { Stack, Table, Text } from '@mantine/core';

import { UnitPrice } from '#features/billing/invoice-table.tsx';
import { useGet } from '#lib/api.ts';
import { subtractDecimals } from '#lib/decimal.ts';
import { Money, Num } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { Facts, Json, Panel } from '#ui/page.tsx';

type Line = Answer<'GET /v1/invoices/upcoming'>['lines'][number];

/** Why a line has its amount: quantity, what is included, how the rest falls into tiers, and how far the calls' list prices are off. */
export function LineReason({ line, currency }: { line: Line; currency: string }) {
  const t = useT();
  const difference = subtractDecimals(line.amount, line.listAmount);
  return (
    <Stack>
      <Facts
        rows={[
          [t('invoices.plan'), `${line.plan.name} · ${t('invoices.planVersion', { version: line.plan.version })}`],
          [t('invoices.quantity'), <Num key="q" value={line.quantity} />],
          [t('invoices.included'), <Num key="i" value={line.included} />],
          [t('invoices.billable'), <Num key="b" value={line.billable} />],
          ...(line.unitPrice === null
            ? []
            : ([
                [
                  t('invoices.unitPrice'),
                  <UnitPrice key="u" unit={line.unitPrice} per={line.per} currency={currency} />,
                ],
              ] as const)),
          [t('invoices.exact'), <bdi key="e" className="mono">{`${line.exactAmount} ${currency}`}</bdi>],
          [t('invoices.amount'), <Money key="a" amount={line.amount} currency={currency} />],
        ]}
      />
      {line.tiers.length > 0 && (
        <Panel flush title={t('invoices.tiers')}>
          <Tiers tiers={line.tiers} currency={currency} />
        </Panel>
      )}
      {line.before !== null && line.before !== undefined && (
        <Text size="sm">
          {t('invoices.before')} <Money amount={line.before.amount} currency={currency} />
        </Text>
      )}
      <Panel title={t('invoices.list')} about={t('invoices.listAbout')}>
        <Facts
          rows={[
            [t('invoices.listAmount'), <Money key="l" amount={line.listAmount} currency={currency} />],
            [t('invoices.difference'), <Money key="d" amount={difference} currency={currency} />],
          ]}
        />
      </Panel>
      <Panel title={t('invoices.data')}>
        <Json value={line} />
      </Panel>
    </Stack>
  );
}

function Tiers({ tiers, currency }: { tiers: Line['tiers']; currency: string }) {
  const t = useT();
  return (
    <Table aria-label={t('invoices.tiers')}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>{t('invoices.tierRange')}</Table.Th>
          <Table.Th ta="end">{t('invoices.quantity')}</Table.Th>
          <Table.Th ta="end">{t('invoices.unitPrice')}</Table.Th>
          <Table.Th ta="end">{t('invoices.amount')}</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {tiers.map((tier) => (
          <Table.Tr key={tier.from}>
            <Table.Td>
              <Num value={tier.from} /> {'–'} {tier.upTo === null ? '∞' : <Num value={tier.upTo} />}
            </Table.Td>
            <Table.Td ta="end">
              <Num value={tier.quantity} />
            </Table.Td>
            <Table.Td ta="end">
              <UnitPrice unit={tier.unit} per={tier.per} currency={currency} />
            </Table.Td>
            <Table.Td ta="end">
              <Money amount={tier.amount} currency={currency} />
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

/** Why the running month's total differs from the list prices on the calls, part by part. */
export function TotalReason() {
  const t = useT();
  const query = useGet('GET /v1/invoices/upcoming/explain', undefined, { every: 30_000 });
  if (query.data === undefined) return null;
  const { explained, currency, total } = query.data;
  const parts = (Object.entries(explained.parts) as [keyof typeof explained.parts, string][]).filter(
    ([, amount]) => !/^-?0(\.0*)?$/.test(amount),
  );
  return (
    <Panel title={t('invoices.whyTotal')} about={t('invoices.listAbout')}>
      <Facts
        rows={[
          [t('invoices.listTotal'), <Money key="list" amount={explained.listTotal} currency={currency} />],
          ...parts.map(
            ([name, amount]) =>
              [t(`invoices.part.${name}`), <Money key={name} amount={amount} currency={currency} />] as const,
          ),
          [t('invoices.total'), <Money key="total" amount={total} currency={currency} />],
        ]}
      />
    </Panel>
  );
}
