import type { Answer } from '@lintel/sdk';
import { Group, SegmentedControl, Select, SimpleGrid } from '@mantine/core';

import { useGet } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { addDecimals } from '#lib/decimal.ts';
import { Dash, Money, Num, useFormat } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { Chart } from '#ui/chart.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { ExportButton, type ExportColumn } from '#ui/export.tsx';
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
  const exported: ExportColumn<UsageRow>[] = [
    { header: t(`usage.group.${group}` as 'usage.group.key'), value: (row) => names(row.group) },
    { header: t('calls.from'), value: () => range.from },
    { header: t('calls.to'), value: () => range.to },
    { header: t('usage.modelCalls'), value: (row) => row.quantities['requests'] },
    { header: t('usage.runs'), value: (row) => row.quantities['runs'] },
    { header: t('quantity.input_tokens'), value: (row) => row.quantities['input_tokens'] },
    { header: t('quantity.output_tokens'), value: (row) => row.quantities['output_tokens'] },
    {
      header: t('calls.price'),
      value: (row) => row.prices.map(({ amount, currency }) => `${amount} ${currency}`).join(' + '),
    },
  ];
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
      <Found query={series}>{(usage) => <UsageOverTime usage={usage} unit={unit} days={days} />}</Found>
      <Panel
        flush
        title={t('usage.by')}
        actions={
          <Group gap="xs">
            <ExportButton
              name="usage"
              columns={exported}
              read={() => ({ rows: groups.data?.data ?? [], more: false })}
            />
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
          </Group>
        }
      >
        <DataTable
          label={t('usage.by')}
          rows={{ items: groups.data?.data, error: groups.error, refetch: groups.refetch }}
          rowKey={(row) => row.group}
          columns={[
            { key: 'group', header: t(`usage.group.${group}` as 'usage.group.key'), cell: (row) => names(row.group) },
            {
              key: 'calls',
              header: t('usage.modelCalls'),
              align: 'end',
              cell: (row) => <Num value={quantity(row, 'requests')} />,
            },
            {
              key: 'runs',
              header: t('usage.runs'),
              align: 'end',
              cell: (row) => <Num value={quantity(row, 'runs')} />,
            },
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
    <Group gap="xs" display="inline-flex">
      {prices.map(({ currency, amount }) => (
        <Money key={currency} amount={amount} currency={currency} />
      ))}
    </Group>
  );
}

function UsageOverTime({ usage, unit, days }: { usage: Answer<'GET /v1/usage'>; unit: 'hour' | 'day'; days: number }) {
  const t = useT();
  const format = useFormat();
  const rows = new Map(usage.data.map((row) => [row.group, row]));
  const buckets = [...new Set([...bucketsOf(unit, days, usage.timeZone), ...rows.keys()])].sort();
  const sum = (name: string) => usage.data.reduce((total, row) => total + quantity(row, name), 0);
  const line = (name: string) => buckets.map((bucket) => Number(rows.get(bucket)?.quantities[name] ?? 0));
  const prices = new Map<string, string>();
  for (const { currency, amount } of usage.data.flatMap((row) => row.prices))
    prices.set(currency, addDecimals(prices.get(currency) ?? '0', amount));
  return (
    <>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        <Figure label={t('usage.modelCalls')}>
          <Num value={sum('requests')} />
        </Figure>
        <Figure label={t('usage.runs')}>
          <Num value={sum('runs')} />
        </Figure>
        <Figure
          label={t('usage.tokens')}
          hint={t('usage.tokensHint', {
            input: format.compact(sum('input_tokens')),
            output: format.compact(sum('output_tokens')),
          })}
        >
          <Num value={sum('input_tokens') + sum('output_tokens')} compact />
        </Figure>
        <Figure label={t('calls.price')}>
          {prices.size === 0 ? (
            <Num value={0} />
          ) : (
            <Prices prices={[...prices].map(([currency, amount]) => ({ currency, amount }))} />
          )}
        </Figure>
      </SimpleGrid>
      <Panel title={t('usage.overTime')}>
        <Chart
          bars
          label={t('usage.overTime')}
          t={buckets.map((bucket) => Date.parse(bucket) / 1000)}
          series={[{ label: t('usage.modelCalls'), color: 'accent', values: line('requests') }]}
          format={format.compact}
          // Days come as dates of the tenant's zone: read as UTC they stay the day they are.
          zone={unit === 'day' ? 'UTC' : usage.timeZone}
        />
      </Panel>
    </>
  );
}

/** The groups that the server would name for the last days: dates of the tenant's zone, or hours. */
function bucketsOf(unit: 'hour' | 'day', days: number, timeZone: string): string[] {
  const now = Date.now();
  if (unit === 'hour') {
    const last = Math.floor(now / 3_600_000);
    return Array.from({ length: days * 24 }, (_, index) =>
      new Date((last - index) * 3_600_000).toISOString().replace('.000', ''),
    );
  }
  const date = new Intl.DateTimeFormat('en-CA', { timeZone });
  return Array.from({ length: days }, (_, index) => date.format(now - index * dayMs));
}
