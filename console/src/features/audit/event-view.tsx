import type { Item } from '@lintel/sdk';
import { Group, Stack, Table, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { diffOf } from '#features/audit/diff.ts';
import { clientName } from '#lib/client-name.ts';
import { Dash, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { Copyable, Facts, Json, Panel, Word } from '#ui/page.tsx';
import { ServerWords } from '#ui/problem.tsx';
import { Status } from '#ui/status.tsx';

/** An audit event as the API tells it. */
export type AuditEvent = Item<'GET /v1/platform/audit/events'>;

/** All that one audit event says. */
export function EventView({ event }: { event: AuditEvent }) {
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

/** Who or what an event names: its name, else its kind and id. */
export function nameOf(who: Named, word: (kind: string) => string): ReactNode {
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
