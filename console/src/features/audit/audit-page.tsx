import { Drawer, Group, Select, Switch, Text } from '@mantine/core';

import { type AuditEvent, EventView, nameOf } from '#features/audit/event-view.tsx';
import { readAll, useGet, useList } from '#lib/api.ts';
import { Dash, When } from '#lib/format.tsx';
import { useT, useWord, useWords } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { type Column, DataTable, type Rows } from '#ui/data-table.tsx';
import { ExportButton, type ExportColumn, type ExportRows } from '#ui/export.tsx';
import { EmptyList, FilterText, FilterTime } from '#ui/filters.tsx';
import { Empty, Page, Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

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

function queryOf(filters: Record<string, string | undefined>, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(wanted.flatMap((name) => (filters[name] ? [[name, filters[name]]] : [])));
}
