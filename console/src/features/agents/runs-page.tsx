import type { Item } from '@lintel/sdk';
import { Select } from '@mantine/core';

import { useList } from '#lib/api.ts';
import { Money, Num, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useFilters, useGo } from '#lib/navigation.tsx';
import { DataTable, type Rows } from '#ui/data-table.tsx';
import { EmptyList } from '#ui/filters.tsx';
import { Empty, Page, Panel } from '#ui/page.tsx';
import { Status } from '#ui/status.tsx';

type Run = Item<'GET /v1/runs'>;

const states = ['queued', 'running', 'waiting', 'needs_review', 'finished', 'failed', 'cancelled'];

/** Runs of all agents. */
export function RunsPage() {
  const t = useT();
  const word = useWord('status');
  const [filters, change] = useFilters();
  const query = filters['status'] ? { status: filters['status'] as 'queued' } : {};
  const runs = useList('GET /v1/runs', { query }, { every: 5_000 });
  return (
    <Page title={t('nav.runs')} about={t('runs.about')}>
      <Select
        aria-label={t('label.status')}
        placeholder={t('label.status')}
        clearable
        w={180}
        data={states.map((value) => ({ value, label: word(value) }))}
        value={filters['status'] ?? null}
        onChange={(status) => change({ status: status ?? undefined })}
      />
      <Panel flush>
        <RunsTable rows={runs} />
      </Panel>
    </Page>
  );
}

/** Runs as a table. */
export function RunsTable({ rows }: { rows: Rows<Run> }) {
  const t = useT();
  const go = useGo();
  return (
    <DataTable
      label={t('nav.runs')}
      rows={rows}
      rowKey={(run) => run.id}
      onOpen={(run) => go(`/app/runs/${run.id}`)}
      openLabel={(run) => run.agent.name}
      columns={[
        { key: 'at', header: t('calls.at'), cell: (run) => <When at={run.createdAt} /> },
        { key: 'agent', header: t('runs.agent'), cell: (run) => `${run.agent.name}@${run.agent.version}` },
        { key: 'status', header: t('label.status'), cell: (run) => <Status value={run.status} /> },
        {
          key: 'steps',
          header: t('runs.modelSteps'),
          align: 'end',
          wide: true,
          cell: (run) => <Num value={run.modelSteps} />,
        },
        {
          key: 'tokens',
          header: t('calls.tokens'),
          align: 'end',
          wide: true,
          cell: (run) => <Num value={run.tokens} />,
        },
        {
          key: 'money',
          header: t('calls.price'),
          align: 'end',
          wide: true,
          cell: (run) => <Money amount={run.price} currency={run.currency} />,
        },
      ]}
      empty={
        <EmptyList names={['status']}>
          <Empty icon="runs" title={t('runs.empty')} about={t('runs.emptyAbout')} />
        </EmptyList>
      }
    />
  );
}
