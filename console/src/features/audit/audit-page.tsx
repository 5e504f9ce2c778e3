import type { Item } from '@lintel/sdk';
import { Drawer, Group, Stack, Switch, Table, Text } from '@mantine/core';

import { diffOf } from '#features/audit/diff.ts';
import { readAll, useList } from '#lib/api.ts';
import { Dash, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { type Column, DataTable, type Rows } from '#ui/data-table.tsx';
import { ExportButton, type ExportColumn, type ExportRows } from '#ui/export.tsx';
import { FilterText, FilterTime } from '#ui/filters.tsx';
import { Copyable, Empty, Facts, Json, Page, Panel, Word } from '#ui/page.tsx';
import { ServerWords } from '#ui/problem.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

type AuditEvent = Item<'GET /v1/platform/audit/events'>;

const names = ['type', 'actor', 'subject', 'from', 'to'];

/** Who did what in the tenant. */
export function AuditPage() {
  const [filters] = useFilters();
  const query = queryOf(filters, names);
  return (
    <AuditLog
      area="tenant"
      rows={useList('GET /v1/audit/events', { query })}
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
      readAll={() => readAll('GET /v1/platform/audit/events', { query })}
    />
  );
}

function AuditLog({
  rows,
  readAll,
  area,
}: {
  rows: Rows<AuditEvent>;
  /** Reads what the filters show to its end: for exports. */
  readAll: () => Promise<ExportRows<AuditEvent>>;
  area: 'tenant' | 'platform';
}) {
  const t = useT();
  const role = useWord('role');
  const thing = useWord('thing');
  const [filters, change] = useFilters();
  const opened = rows.items?.find(({ id }) => id === filters['event']);
  const columns: Column<AuditEvent>[] = [
    { key: 'at', header: t('audit.at'), cell: (event) => <When at={event.at} /> },
    {
      key: 'type',
      header: t('audit.type'),
      cell: (event) => (
        <Group gap={6} wrap="nowrap">
          <Word>{event.type}</Word>
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
            <Text size="xs" c="dimmed">
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
      <Group gap="xs">
        {(area === 'platform' ? ['type', 'actor', 'tenantId'] : ['type', 'actor']).map((name) => (
          <FilterText key={name} name={name} label={t(`audit.filter.${name}` as 'audit.filter.type')} />
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
          openLabel={(event) => event.type}
          empty={<Empty icon="audit" title={t('audit.empty')} about={t('audit.emptyAbout')} />}
        />
      </Panel>
      <Drawer
        opened={opened !== undefined}
        onClose={() => change({ event: undefined })}
        position="right"
        size="lg"
        title={opened?.type}
        closeButtonProps={{ 'aria-label': t('action.close') }}
      >
        {opened !== undefined && <EventView event={opened} />}
      </Drawer>
    </Page>
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
          [t('audit.at'), <When key="at" at={event.at} />],
          [t('audit.actor'), nameOf(event.actor, thing)],
          ...(event.onBehalfOf ? [[t('audit.onBehalfOf'), nameOf(event.onBehalfOf, thing)] as const] : []),
          [t('audit.subject'), nameOf(event.subject, thing)],
          [t('audit.from'), [event.origin?.ip, event.origin?.client].filter(Boolean).join(' · ')],
          ...(event.decision
            ? [[t('audit.decision'), <Decision key="decision" decision={event.decision} />] as const]
            : []),
          ...(event.requestId ? [[t('problem.request'), <Copyable key="req" value={event.requestId} />] as const] : []),
        ]}
      />
      {changes.length > 0 && (
        <Panel flush title={t('audit.changes')}>
          <Table aria-label={t('audit.changes')}>
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

function nameOf(who: Named, word: (kind: string) => string): string {
  if (who === null || who === undefined) return '';
  return who.name ? `${who.name} (${word(who.kind)})` : `${word(who.kind)} ${who.id}`;
}

function queryOf(filters: Record<string, string | undefined>, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(wanted.flatMap((name) => (filters[name] ? [[name, filters[name]]] : [])));
}
