import type { Item } from '@lintel/sdk';
import { Drawer, Group, Select, Stack, Switch, Table, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { diffOf } from '#features/audit/diff.ts';
import { readAll, useGet, useList } from '#lib/api.ts';
import { clientName } from '#lib/client-name.ts';
import { Dash, When } from '#lib/format.tsx';
import { useT, useWord, useWords } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { type Column, DataTable, type Rows } from '#ui/data-table.tsx';
import { ExportButton, type ExportColumn, type ExportRows } from '#ui/export.tsx';
import { EmptyList, FilterText, FilterTime } from '#ui/filters.tsx';
import { Copyable, Empty, Facts, Json, Page, Panel, Word } from '#ui/page.tsx';
import { ProblemNotice, ServerWords } from '#ui/problem.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

type AuditEvent = Item<'GET /v1/platform/audit/events'>;

/** What runs do by themselves stands in the list of runs, not in the audit log. */
const unaudited = /^agents\.(step|run\.(?!reviewed|cancelled))/;

const names = ['type', 'actor', 'subject', 'from', 'to'];

/** Who did what in the tenant. */
export function AuditPage() {
  const [filters] = useFilters();
  const query = queryOf(filters, names);
  return (
    <AuditLog
      area="tenant"
      rows={useList('GET /v1/audit/events', { query })}
      one="GET /v1/audit/events/{id}"
      readAll={() => readAll('GET /v1/audit/events', { query })}
    />
  );
}

/** Who did what, in every tenant. */
export function PlatformAuditPage() {
  const [filters] = useFilters();
  const query = { ...queryOf(filters, [...names, 'tenantId']), includeDemo: filters['demo'] === 'yes' };
  return (
    <AuditLog
      area="platform"
      rows={useList('GET /v1/platform/audit/events', { query })}
      one="GET /v1/platform/audit/events/{id}"
      readAll={() => readAll('GET /v1/platform/audit/events', { query })}
    />
  );
}

function AuditLog({
  rows,
  readAll,
  area,
  one,
}: {
  rows: Rows<AuditEvent>;
  /** Reads one event: a link may name one that is further down. */
  one: 'GET /v1/audit/events/{id}' | 'GET /v1/platform/audit/events/{id}';
  /** Reads what the filters show to its end: for exports. */
  readAll: () => Promise<ExportRows<AuditEvent>>;
  area: 'tenant' | 'platform';
}) {
  const t = useT();
  const role = useWord('role');
  const thing = useWord('thing');
  const label = useWord('event');
  const [filters, change] = useFilters();
  const wanted = filters['event'];
  const listed = rows.items?.find(({ id }) => id === wanted);
  const found = useGet(
    one,
    { path: { id: wanted ?? '' } },
    { enabled: wanted !== undefined && rows.items !== undefined && listed === undefined },
  );
  const opened = listed ?? (wanted === undefined ? undefined : found.data);
  const columns: Column<AuditEvent>[] = [
    { key: 'at', header: t('audit.at'), cell: (event) => <When at={event.at} /> },
    {
      key: 'type',
      header: t('audit.type'),
      cell: (event) => (
        <Group gap={6} wrap="nowrap">
          <Text size="sm" fw={500} title={event.type} className="whole">
            {label(event.type)}
          </Text>
          <DemoMark when={event.demo} />
        </Group>
      ),
    },
    { key: 'actor', header: t('audit.actor'), cell: (event) => nameOf(event.actor, thing) },
    { key: 'subject', header: t('audit.subject'), cell: (event) => nameOf(event.subject, thing) },
    { key: 'ip', header: t('audit.from'), wide: true, cell: (event) => event.origin?.ip ?? <Dash /> },
    {
      key: 'decision',
      header: t('audit.decision'),
      wide: true,
      cell: (event) =>
        event.decision === null || event.decision === undefined ? (
          <Dash />
        ) : (
          <Group gap={6} wrap="nowrap">
            <Status value={event.decision.allowed ? 'ok' : 'refused'} />
            <Text size="xs" c="dimmed" className="whole">
              {event.decision.role && role(event.decision.role)}
            </Text>
          </Group>
        ),
    },
  ];
  const exported: ExportColumn<AuditEvent>[] = [
    { header: t('label.id'), value: (event) => event.id },
    { header: t('audit.at'), value: (event) => event.at },
    ...(area === 'platform'
      ? [
          { header: t('audit.filter.tenantId'), value: (event: AuditEvent) => event.tenantId },
          { header: t('label.demo'), value: (event: AuditEvent) => event.demo },
        ]
      : []),
    { header: t('audit.type'), value: (event) => event.type },
    { header: t('audit.filter.actor'), value: (event) => event.actor.id },
    { header: t('audit.actor'), value: (event) => event.actor.name },
    { header: t('audit.subjectId'), value: (event) => event.subject.id },
    { header: t('audit.subject'), value: (event) => event.subject.name },
    { header: t('audit.from'), value: (event) => event.origin?.ip },
    { header: t('audit.decision'), value: (event) => event.decision?.reason },
    { header: t('problem.request'), value: (event) => event.requestId },
    { header: t('audit.data'), value: (event) => JSON.stringify(event.data) },
  ];
  return (
    <Page
      title={t('nav.audit')}
      about={t('audit.about')}
      actions={<ExportButton name="audit" columns={exported} read={readAll} />}
    >
      <Group gap="xs" className="filters">
        <FilterType />
        {(area === 'platform' ? ['actor', 'tenantId'] : ['actor']).map((name) => (
          <FilterText key={name} name={name} label={t(`audit.filter.${name}` as 'audit.filter.actor')} />
        ))}
        <FilterTime name="from" label={t('calls.from')} />
        <FilterTime name="to" label={t('calls.to')} />
        {area === 'platform' && (
          <Switch
            label={t('label.showDemo')}
            checked={filters['demo'] === 'yes'}
            onChange={(event) => change({ demo: event.currentTarget.checked ? 'yes' : undefined })}
          />
        )}
      </Group>
      <Panel flush>
        <DataTable
          label={t('nav.audit')}
          rows={rows}
          columns={columns}
          rowKey={(event) => event.id}
          onOpen={(event) => change({ event: event.id })}
          openLabel={(event) => label(event.type)}
          empty={
            <EmptyList names={[...names, 'tenantId']}>
              <Empty icon="audit" title={t('audit.empty')} about={t('audit.emptyAbout')} />
            </EmptyList>
          }
        />
      </Panel>
      <Drawer
        opened={opened !== undefined || (wanted !== undefined && found.isError)}
        onClose={() => change({ event: undefined })}
        position="right"
        size="lg"
        title={opened && label(opened.type)}
        closeButtonProps={{ 'aria-label': t('action.close') }}
      >
        {opened === undefined ? found.error && <ProblemNotice error={found.error} /> : <EventView event={opened} />}
      </Drawer>
    </Page>
  );
}

/** Chooses one type of event; a link may also hold the beginning of some (`auth.`). */
function FilterType() {
  const t = useT();
  const [filters, change] = useFilters();
  const words = useWords('event').filter(({ value }) => !unaudited.test(value));
  const type = filters['type'];
  const isBeginning = type !== undefined && !words.some(({ value }) => value === type);
  return (
    <Select
      w={240}
      aria-label={t('audit.type')}
      placeholder={t('audit.type')}
      searchable
      clearable
      nothingFoundMessage={t('palette.nothing')}
      data={isBeginning ? [{ value: type, label: type }, ...words] : words}
      value={type ?? null}
      onChange={(chosen) => change({ type: chosen ?? undefined })}
    />
  );
}

function EventView({ event }: { event: AuditEvent }) {
  const t = useT();
  const thing = useWord('thing');
  const { before, after, ...rest } = event.data ?? {};
  const changes = diffOf(before, after);
  return (
    <Stack>
      <Facts
        rows={[
          [t('label.id'), <Copyable key="id" value={event.id} />],
          [t('audit.type'), <Word key="type">{event.type}</Word>],
          [t('audit.at'), <When key="at" at={event.at} />],
          [t('audit.actor'), nameOf(event.actor, thing)],
          ...(event.onBehalfOf ? [[t('audit.onBehalfOf'), nameOf(event.onBehalfOf, thing)] as const] : []),
          [t('audit.subject'), nameOf(event.subject, thing)],
          [t('audit.from'), <From key="from" origin={event.origin} />],
          ...(event.decision
            ? [[t('audit.decision'), <Decision key="decision" decision={event.decision} />] as const]
            : []),
          ...(event.requestId ? [[t('problem.request'), <Copyable key="req" value={event.requestId} />] as const] : []),
        ]}
      />
      {changes.length > 0 && (
        <Panel flush title={t('audit.changes')}>
          <Table className="breaks" aria-label={t('audit.changes')}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('audit.field')}</Table.Th>
                <Table.Th>{t('audit.before')}</Table.Th>
                <Table.Th>{t('audit.after')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {changes.map((change) => (
                <Table.Tr key={change.field}>
                  <Table.Td>
                    <bdi className="mono">{change.field}</bdi>
                  </Table.Td>
                  <Table.Td className={change.before === undefined ? undefined : 'diff-removed'}>
                    <bdi className="mono">{change.before ?? ''}</bdi>
                  </Table.Td>
                  <Table.Td className={change.after === undefined ? undefined : 'diff-added'}>
                    <bdi className="mono">{change.after ?? ''}</bdi>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Panel>
      )}
      {Object.keys(rest).length > 0 && (
        <Panel title={t('audit.data')}>
          <Json value={rest} />
        </Panel>
      )}
    </Stack>
  );
}

function From({ origin }: { origin: AuditEvent['origin'] }) {
  if (!origin?.ip && !origin?.client) return <Dash />;
  return (
    <span title={origin.client}>
      {[origin.ip, origin.client && clientName(origin.client)].filter(Boolean).join(' · ')}
    </span>
  );
}

function Decision({ decision: { allowed, role, reason } }: { decision: NonNullable<AuditEvent['decision']> }) {
  const word = useWord('role');
  return (
    <Stack gap={2}>
      <Group gap={6}>
        <Status value={allowed ? 'ok' : 'refused'} />
        {role !== undefined && <Text size="sm">{word(role)}</Text>}
      </Group>
      <ServerWords>{reason}</ServerWords>
    </Stack>
  );
}

type Named = { kind: string; id: string; name?: string | null } | null | undefined;

function nameOf(who: Named, word: (kind: string) => string): ReactNode {
  if (who === null || who === undefined) return '';
  return (
    <div style={{ minInlineSize: 150, overflowWrap: 'anywhere' }}>
      <bdi>{who.name || who.id}</bdi>{' '}
      <Text span size="xs" c="dimmed" className="whole">
        {word(who.kind)}
      </Text>
    </div>
  );
}

function queryOf(filters: Record<string, string | undefined>, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(wanted.flatMap((name) => (filters[name] ? [[name, filters[name]]] : [])));
}
