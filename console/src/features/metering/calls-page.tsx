import type { Input } from '@lintel/sdk';
import { Button, Group, Select, Switch, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';

import { CallDrawer } from '#features/metering/call-drawer.tsx';
import { type CallRow, targetOf } from '#features/metering/call-row.ts';
import { useTenantNames } from '#features/tenancy/tenant-names.ts';
import { readAll, useGet, useList } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { Duration, Money, Num, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useLive } from '#lib/live.ts';
import { useFilters } from '#lib/navigation.tsx';
import { type Column, DataTable, type Rows } from '#ui/data-table.tsx';
import { ExportButton, type ExportColumn, type ExportRows } from '#ui/export.tsx';
import { EmptyList, FilterText, FilterTime } from '#ui/filters.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock, Empty, Page, Panel } from '#ui/page.tsx';
import { DemoMark, Status, TestMark } from '#ui/status.tsx';

const pageSize = 50;
const filterNames = ['status', 'model', 'keyId', 'agentId', 'from', 'to'];
const statuses = ['ok', 'refused', 'failed', 'cancelled'];

/** A tenant's request log. */
export function CallsPage() {
  const [filters] = useFilters();
  const query = queryOf(filters);
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } });
  const names = new Map(agents.data?.data.map(({ id, name }) => [id, name]));
  return (
    <CallLog
      area="tenant"
      rows={useList('GET /v1/calls', { query })}
      readAll={() => readAll('GET /v1/calls', { query })}
      agentNames={names}
    />
  );
}

/** The request log of all tenants. */
export function PlatformCallsPage() {
  const [filters] = useFilters();
  const includeDemo = filters['demo'] !== 'no';
  const query = { ...queryOf(filters), ...(filters['tenantId'] && { tenantId: filters['tenantId'] }), includeDemo };
  const rows = useList('GET /v1/platform/calls', { query });
  return (
    <CallLog
      area="platform"
      rows={rows}
      readAll={() => readAll('GET /v1/platform/calls', { query })}
      tenantNames={useTenantNames(rows.items?.map(({ tenantId }) => tenantId))}
    />
  );
}

function CallLog({
  rows,
  readAll,
  area,
  tenantNames,
  agentNames,
}: {
  rows: Rows<CallRow>;
  /** Reads what the filters show to its end: for exports. */
  readAll: () => Promise<ExportRows<CallRow>>;
  area: 'tenant' | 'platform';
  tenantNames?: ReadonlyMap<string, string>;
  agentNames?: ReadonlyMap<string, string>;
}) {
  const t = useT();
  const word = useWord('status');
  const [filters, change] = useFilters();
  const [paused, setPaused] = useState(false);
  const newest = useRef(rows);
  newest.current = rows;
  const [readAgain] = useState(() =>
    atMostEvery(
      // All pages that are open are read again: the more there are, the more seldom.
      () => 1_000 * Math.max(1, Math.ceil((newest.current.items?.length ?? 0) / pageSize)),
      // What nobody looks at is read when they come back. A page that is being read is not broken off.
      () => document.hidden || void newest.current.refetch?.({ cancelRefetch: false }),
    ),
  );
  const state = useLive(['calls'], readAgain, { paused });
  useEffect(() => {
    if (state !== 'polling') return;
    const timer = setInterval(readAgain, 3_000);
    return () => clearInterval(timer);
  }, [state, readAgain]);
  const columns: Column<CallRow>[] = [
    { key: 'at', header: t('calls.at'), cell: (call) => <When at={call.at} short /> },
    {
      key: 'status',
      header: t('label.status'),
      cell: (call) => (
        <Group gap={4} wrap="nowrap">
          <Status value={call.status} />
          {call.status !== 'ok' && call.httpStatus > 0 && (
            <Text size="xs" c="dimmed" className="numbers">
              {call.httpStatus}
            </Text>
          )}
          {call.requests > 1 && (
            <Text size="xs" c="dimmed" className="numbers">
              {t('calls.times', { count: call.requests })}
            </Text>
          )}
        </Group>
      ),
    },
    ...(area === 'platform'
      ? [
          {
            key: 'tenant',
            header: t('label.tenant'),
            cell: (call: CallRow) => (
              <Group gap={6} wrap="nowrap">
                <Text size="sm" truncate miw={60} maw={160}>
                  <bdi>{tenantNames?.get(call.tenantId) ?? call.tenantId}</bdi>
                </Text>
                <DemoMark when={call.demo} />
              </Group>
            ),
          },
        ]
      : []),
    {
      key: 'what',
      header: t('calls.target'),
      cell: (call) => {
        const target = targetOf(call, agentNames);
        return (
          <Text size="sm" truncate maw={240}>
            {target}
            {call.kind === 'run' && call.model !== null && !target.startsWith('agent/') && (
              <Text span size="xs" c="dimmed" ms={6}>
                {t('calls.byAgent')}
              </Text>
            )}
          </Text>
        );
      },
    },
    {
      key: 'who',
      header: t('calls.caller'),
      wide: true,
      cell: (call) => (
        <Group gap={6} wrap="nowrap">
          <Text size="sm" truncate maw={180}>
            <bdi>{call.principal.name}</bdi>
          </Text>
          <TestMark mode={call.mode} />
        </Group>
      ),
    },
    {
      key: 'ms',
      header: t('calls.duration'),
      align: 'end',
      wide: true,
      cell: (call) => <Duration ms={call.durationMs} />,
    },
    {
      key: 'tokens',
      header: t('calls.tokens'),
      align: 'end',
      wide: true,
      cell: (call) => <Num value={call.inputTokens + call.outputTokens} />,
    },
    {
      key: 'price',
      header: t('calls.price'),
      align: 'end',
      cell: (call) => <Money amount={call.price} currency={call.currency} />,
    },
  ];
  const exported: ExportColumn<CallRow>[] = [
    { header: t('call.id'), value: (call) => call.id },
    { header: t('calls.at'), value: (call) => call.at },
    { header: t('label.status'), value: (call) => call.status },
    { header: t('export.httpStatus'), value: (call) => call.httpStatus },
    { header: t('export.requests'), value: (call) => call.requests },
    ...(area === 'platform'
      ? [
          { header: t('calls.tenantId'), value: (call: CallRow) => call.tenantId },
          { header: t('label.tenant'), value: (call: CallRow) => tenantNames?.get(call.tenantId) ?? '' },
          { header: t('label.demo'), value: (call: CallRow) => call.demo },
        ]
      : []),
    { header: t('calls.target'), value: (call) => targetOf(call, agentNames) },
    { header: t('calls.caller'), value: (call) => call.principal.name },
    { header: t('keys.mode'), value: (call) => call.mode },
    { header: t('export.durationMs'), value: (call) => call.durationMs },
    { header: t('quantity.input_tokens'), value: (call) => call.inputTokens },
    { header: t('quantity.output_tokens'), value: (call) => call.outputTokens },
    { header: t('calls.price'), value: (call) => call.price },
    { header: t('field.currency'), value: (call) => call.currency },
  ];
  return (
    <Page
      title={t('nav.calls')}
      about={t(area === 'platform' ? 'calls.aboutPlatform' : 'calls.about')}
      actions={
        <>
          <ExportButton name="calls" columns={exported} read={readAll} />
          <Button
            variant="default"
            size="xs"
            onClick={() => setPaused(!paused)}
            leftSection={<Icon name={paused ? 'runs' : 'pause'} size={13} />}
          >
            {paused ? t('live.resume') : t('live.pause')}
          </Button>
        </>
      }
      badge={<Status value={state} />}
    >
      <Group gap="xs" className="filters">
        <Select
          aria-label={t('label.status')}
          placeholder={t('label.status')}
          clearable
          w={150}
          data={statuses.map((value) => ({ value, label: word(value) }))}
          value={filters['status'] ?? null}
          onChange={(status) => change({ status: status ?? undefined })}
        />
        <FilterText name="model" label={t('calls.model')} />
        <FilterTime name="from" label={t('calls.from')} />
        <FilterTime name="to" label={t('calls.to')} />
        {area === 'platform' && <FilterText name="tenantId" label={t('calls.tenantId')} />}
        {area === 'tenant' && <FilterText name="keyId" label={t('calls.keyId')} />}
        {area === 'platform' && (
          <Switch
            label={t('label.showDemo')}
            checked={filters['demo'] !== 'no'}
            onChange={(event) => change({ demo: event.currentTarget.checked ? undefined : 'no' })}
          />
        )}
      </Group>
      <Panel flush>
        <DataTable
          label={t('nav.calls')}
          rows={rows}
          columns={columns}
          rowKey={(call) => call.id}
          onOpen={(call) => change({ call: call.id })}
          openLabel={(call) => t('calls.open', { what: targetOf(call, agentNames) })}
          empty={
            <EmptyList names={[...filterNames, 'tenantId']}>
              <Empty icon="calls" title={t('calls.empty')} about={t('calls.emptyAbout')}>
                <CodeBlock wrap code={curlFor()} label={t('label.curl')} />
              </Empty>
            </EmptyList>
          }
        />
      </Panel>
      <CallDrawer
        id={filters['call']}
        known={rows.items?.find(({ id }) => id === filters['call'])}
        area={area}
        agentNames={agentNames}
        onClose={() => change({ call: undefined })}
      />
    </Page>
  );
}

type CallQuery = NonNullable<Input<'GET /v1/calls'>['query']>;

function queryOf(filters: Record<string, string | undefined>): CallQuery {
  return Object.fromEntries(filterNames.flatMap((name) => (filters[name] ? [[name, filters[name]]] : []))) as CallQuery;
}

/** Acts at once and then at most once in `everyMs()`, however often it is called; what came in between is acted on at its end. */
function atMostEvery(everyMs: () => number, act: () => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  let isWaiting = false;
  const now = () => {
    isWaiting = false;
    last = performance.now();
    act();
  };
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(now, Math.max(0, last + everyMs() - performance.now()));
  };
}
