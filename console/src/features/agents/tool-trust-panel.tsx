import type { Item } from '@lintel/sdk';
import { Group, Switch, Text } from '@mantine/core';

import { refreshRoutes, useGet, useSend } from '#lib/api.ts';
import { Num } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Empty, Panel } from '#ui/page.tsx';
import { notifyProblem } from '#ui/problem.tsx';

/** A tool server as the newest event of it tells. */
export type ToolServer = {
  id: string;
  name: string;
  kind: string;
  place: string | null;
  trusted: boolean;
  functions: number;
};

/**
 * Which of a tenant's MCP servers are believed in what they say of their functions. Operators have no list of a tenant's tools;
 * the audit log tells them what there is.
 */
export function ToolTrustPanel({ tenantId }: { tenantId: string }) {
  const t = useT();
  const word = useWord('toolKind');
  const events = useGet(
    'GET /v1/platform/audit/events',
    { query: { tenantId, type: 'agents.tool.', includeDemo: true, limit: 200 } },
    { every: 15_000 },
  );
  const trust = useSend('PUT /v1/platform/tenants/{id}/tools/{toolId}/trust');
  // The log follows within a second; the answer to the switch is there at once.
  const said = trust.data;
  const servers = serversOf(events.data?.data ?? []).map((server) =>
    said?.id === server.id ? { ...server, trusted: said.trusted } : server,
  );
  return (
    <Panel flush title={t('toolTrust.title')} about={t('toolTrust.about')}>
      <DataTable
        label={t('toolTrust.title')}
        rows={{ items: events.data && servers, error: events.error, refetch: events.refetch }}
        rowKey={(server) => server.id}
        columns={[
          {
            key: 'name',
            header: t('label.name'),
            cell: (server) => (
              <div>
                <Text size="sm" fw={500}>
                  {server.name}
                </Text>
                <Text size="xs" c="dimmed">
                  {word(server.kind)}
                </Text>
              </div>
            ),
          },
          {
            key: 'place',
            header: t('toolTrust.place'),
            wide: true,
            cell: (server) => <bdi className="mono">{server.place}</bdi>,
          },
          {
            key: 'functions',
            header: t('toolTrust.functions'),
            align: 'end',
            cell: (server) => <Num value={server.functions} />,
          },
          {
            key: 'trust',
            header: t('toolTrust.trust'),
            align: 'end',
            cell: (server) => (
              <Group justify="flex-end">
                <Switch
                  aria-label={t('toolTrust.switch', { name: server.name })}
                  checked={server.trusted}
                  disabled={trust.isPending}
                  onChange={(event) =>
                    trust.mutate(
                      { path: { id: tenantId, toolId: server.id }, body: { trusted: event.currentTarget.checked } },
                      {
                        onError: (error) => {
                          notifyProblem(error);
                          void refreshRoutes(['/v1/platform/audit/events']);
                        },
                      },
                    )
                  }
                />
              </Group>
            ),
          },
        ]}
        empty={<Empty icon="tools" title={t('toolTrust.empty')} about={t('toolTrust.emptyAbout')} />}
      />
    </Panel>
  );
}

/** The MCP servers that are still there, of events newest first. */
export function serversOf(
  events: readonly Pick<Item<'GET /v1/platform/audit/events'>, 'type' | 'subject' | 'data'>[],
): ToolServer[] {
  const newest = new Map<string, ToolServer | undefined>();
  for (const { type, subject, data } of events) {
    if (newest.has(subject.id)) continue;
    const after = data['after'] as Omit<ToolServer, 'id' | 'name'> | undefined;
    const isServer = after !== undefined && type !== 'agents.tool.deleted' && after.kind !== 'openapi';
    newest.set(subject.id, isServer ? { ...after, id: subject.id, name: subject.name ?? subject.id } : undefined);
  }
  return [...newest.values()].filter((server) => server !== undefined).sort((a, b) => a.name.localeCompare(b.name));
}
