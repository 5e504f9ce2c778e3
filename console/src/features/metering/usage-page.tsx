import type { Answer } from '@lintel/sdk';
import { Group, SegmentedControl, Select, SimpleGrid } from '@mantine/core';

import { useGet } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { Dash, Money, Num, useFormat } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { Chart } from '#ui/chart.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { CodeBlock, Empty, Figure, Page, Panel } from '#ui/page.tsx';
import { Found } from '#ui/problem.tsx';

const dayMs = 86_400_000;
const spans: Record<string, { days: number; unit: 'hour' | 'day' }> = {
  day: { days: 1, unit: 'hour' },
  week: { days: 7, unit: 'day' },
  month: { days: 31, unit: 'day' },
};

/** What was used: over time, and by model, key, agent or type. */
export function UsagePage() {
  const t = useT();
  const [filters, change] = useFilters();
  const span = filters['span'] ?? 'week';
  const group = filters['group'] ?? 'model';
  const { days, unit } = spans[span] ?? { days: 7, unit: 'day' };
  // Rounded to the hour: the same question for an hour, so that its answer is kept.
  const to = new Date(Math.ceil(Date.now() / 3_600_000) * 3_600_000);
  const range = { from: new Date(to.getTime() - days * dayMs).toISOString(), to: to.toISOString() };
  const series = useGet('GET /v1/usage', { query: { ...range, groupBy: unit } }, { every: 15_000 });
  const groups = useGet('GET /v1/usage', { query: { ...range, groupBy: group as 'model' } }, { every: 15_000 });
  const keys = useGet('GET /v1/api-keys', { query: { limit: 200 } }, { enabled: group === 'key' });
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } }, { enabled: group === 'agent' });
  const names = (id: string) =>
    [...(keys.data?.data ?? []), ...(agents.data?.data ?? [])].find((thing) => thing.id === id)?.name ??
    (id || t('usage.none'));
  return (
    <Page
      title={t('nav.usage')}
      about={t('usage.about')}
      actions={
        <SegmentedControl
          size="xs"
          value={span}
          onChange={(value) => change({ span: value })}
          data={Object.keys(spans).map((value) => ({ value, label: t(`usage.span.${value}` as 'usage.span.day') }))}
          aria-label={t('usage.span')}
        />
      }
    >
      <Found query={series}>{(usage) => <UsageOverTime rows={usage.data} />}</Found>
      <Panel
        flush
        title={t('usage.by')}
        actions={
          <Select
            size="xs"
            w={140}
            aria-label={t('usage.by')}
            allowDeselect={false}
            value={group}
            onChange={(value) => change({ group: value ?? undefined })}
            data={['model', 'key', 'agent', 'type'].map((value) => ({
              value,
              label: t(`usage.group.${value}` as 'usage.group.key'),
            }))}
          />
        }
      >
        <DataTable
          label={t('usage.by')}
          rows={{ items: groups.data?.data, error: groups.error, refetch: groups.refetch }}
          rowKey={(row) => row.group}
          columns={[
            { key: 'group', header: t(`usage.group.${group}` as 'usage.group.key'), cell: (row) => names(row.group) },
            { key: 'events', header: t('usage.requests'), align: 'end', cell: (row) => <Num value={row.events} /> },
            {
              key: 'in',
              header: t('quantity.input_tokens'),
              align: 'end',
              cell: (row) => <Num value={quantity(row, 'input_tokens')} />,
            },
            {
              key: 'out',
              header: t('quantity.output_tokens'),
              align: 'end',
              cell: (row) => <Num value={quantity(row, 'output_tokens')} />,
            },
            { key: 'price', header: t('calls.price'), align: 'end', cell: (row) => <Prices prices={row.prices} /> },
          ]}
          empty={
            <Empty icon="usage" title={t('usage.empty')} about={t('usage.emptyAbout')}>
              <CodeBlock wrap code={curlFor()} label={t('label.curl')} />
            </Empty>
          }
        />
      </Panel>
    </Page>
  );
}

type UsageRow = Answer<'GET /v1/usage'>['data'][number];

function quantity(row: UsageRow, name: string): number {
  return Number(row.quantities[name] ?? 0);
}

function Prices({ prices }: { prices: UsageRow['prices'] }) {
  if (prices.length === 0) return <Dash />;
  return (
    <Group gap="xs" justify="flex-end">
      {prices.map(({ currency, amount }) => (
        <Money key={currency} amount={amount} currency={currency} />
      ))}
    </Group>
  );
}

function UsageOverTime({ rows }: { rows: UsageRow[] }) {
  const t = useT();
  const format = useFormat();
  const sorted = [...rows].sort((a, b) => (a.group < b.group ? -1 : 1));
  const sum = (name: string) => sorted.reduce((total, row) => total + quantity(row, name), 0);
  const prices = new Map<string, number>();
  for (const { currency, amount } of sorted.flatMap((row) => row.prices))
    prices.set(currency, (prices.get(currency) ?? 0) + Number(amount));
  return (
    <>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        <Figure label={t('usage.requests')}>
          <Num value={sorted.reduce((total, row) => total + row.events, 0)} />
        </Figure>
        <Figure label={t('quantity.input_tokens')}>
          <Num value={sum('input_tokens')} compact />
        </Figure>
        <Figure label={t('quantity.output_tokens')}>
          <Num value={sum('output_tokens')} compact />
        </Figure>
        <Figure label={t('calls.price')}>
          {prices.size === 0 ? (
            <Num value={0} />
          ) : (
            <Prices prices={[...prices].map(([currency, amount]) => ({ currency, amount: amount.toFixed(6) }))} />
          )}
        </Figure>
      </SimpleGrid>
      <Panel title={t('usage.overTime')}>
        <Chart
          bars
          label={t('usage.overTime')}
          t={sorted.map((row) => Date.parse(row.group) / 1000)}
          series={[{ label: t('usage.requests'), color: 'accent', values: sorted.map((row) => row.events) }]}
          format={format.compact}
          zone={format.zone}
        />
      </Panel>
    </>
  );
}
