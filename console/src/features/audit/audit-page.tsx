import type { Item } from '@lintel/sdk';
import { Drawer, Group, Stack, Switch, Table, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { diffOf } from '#features/audit/diff.ts';
import { useList } from '#lib/api.ts';
import { Dash, When } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { type Column, DataTable, type Rows } from '#ui/data-table.tsx';
import { Copyable, Empty, Facts, Json, Page, Panel, Word } from '#ui/page.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

type AuditEvent = Item<'GET /v1/platform/audit/events'>;

const names = ['type', 'actor', 'subject', 'from', 'to'];

/** Who did what in the tenant. */
export function AuditPage() {
  const [filters] = useFilters();
  return <AuditLog area="tenant" rows={useList('GET /v1/audit/events', { query: queryOf(filters, names) })} />;
}

/** Who did what, in every tenant. */
export function PlatformAuditPage() {
  const [filters] = useFilters();
  const query = { ...queryOf(filters, [...names, 'tenantId']), includeDemo: filters['demo'] === 'yes' };
  return <AuditLog area="platform" rows={useList('GET /v1/platform/audit/events', { query })} />;
}

function AuditLog({ rows, area }: { rows: Rows<AuditEvent>; area: 'tenant' | 'platform' }) {
  const t = useT();
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
    { key: 'actor', header: t('audit.actor'), cell: (event) => nameOf(event.actor) },
    { key: 'subject', header: t('audit.subject'), cell: (event) => nameOf(event.subject) },
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
              {event.decision.role}
            </Text>
          </Group>
        ),
    },
  ];
  return (
    <Page title={t('nav.audit')} about={t('audit.about')}>
      <Group gap="xs">
        {(area === 'platform' ? ['type', 'actor', 'tenantId'] : ['type', 'actor']).map((name) => (
          <TextFilter key={name} name={name} label={t(`audit.filter.${name}` as 'audit.filter.type')} />
        ))}
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
  const { before, after, ...rest } = event.data ?? {};
  const changes = diffOf(before, after);
  return (
    <Stack>
      <Facts
        rows={[
          [t('label.id'), <Copyable key="id" value={event.id} />],
          [t('audit.at'), <When key="at" at={event.at} />],
          [t('audit.actor'), nameOf(event.actor)],
          ...(event.onBehalfOf ? [[t('audit.onBehalfOf'), nameOf(event.onBehalfOf)] as const] : []),
          [t('audit.subject'), nameOf(event.subject)],
          [t('audit.from'), [event.origin?.ip, event.origin?.client].filter(Boolean).join(' · ')],
          ...(event.decision
            ? [[t('audit.decision'), [event.decision.role, event.decision.reason].filter(Boolean).join(' · ')] as const]
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

function TextFilter({ name, label }: { name: string; label: string }) {
  const [filters, change] = useFilters();
  const [text, setText] = useState(filters[name] ?? '');
  const apply = () => change({ [name]: text.trim() || undefined });
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      w={210}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => (filters[name] ?? '') !== text.trim() && apply()}
      onKeyDown={(event) => event.key === 'Enter' && apply()}
    />
  );
}

type Named = { kind: string; id: string; name?: string | null } | null | undefined;

function nameOf(thing: Named): string {
  if (thing === null || thing === undefined) return '';
  return thing.name ? `${thing.name} (${thing.kind})` : `${thing.kind} ${thing.id}`;
}

function queryOf(filters: Record<string, string | undefined>, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(wanted.flatMap((name) => (filters[name] ? [[name, filters[name]]] : [])));
}
