import { Group, Text } from '@mantine/core';

import { useGet } from '#lib/api.ts';
import { Num, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Copyable, Empty, Page, Panel } from '#ui/page.tsx';
import { Status } from '#ui/status.tsx';

/** The processes of this installation, on whatever machine, and how fresh their decisions are. */
export function NodesPage() {
  const t = useT();
  const role = useWord('nodeRole');
  const nodes = useGet('GET /v1/platform/nodes', undefined, { every: 2_000 });
  return (
    <Page title={t('nav.nodes')} about={t('nodes.about')}>
      <Panel flush>
        <DataTable
          label={t('nav.nodes')}
          rows={{ items: nodes.data?.data, error: nodes.error, refetch: nodes.refetch }}
          rowKey={(node) => node.id}
          columns={[
            { key: 'id', header: t('nodes.id'), wide: true, cell: (node) => <Copyable value={node.id} /> },
            {
              key: 'role',
              header: t('nodes.role'),
              cell: (node) => (
                <Group gap={6} wrap="nowrap">
                  <Text size="sm">{role(node.role)}</Text>
                  <Status value={node.state} />
                </Group>
              ),
            },
            {
              key: 'host',
              header: t('nodes.host'),
              cell: (node) => <bdi className="mono">{`${node.host} · ${node.pid}`}</bdi>,
            },
            { key: 'version', header: t('nodes.version'), wide: true, cell: (node) => node.version },
            { key: 'up', header: t('nodes.started'), wide: true, cell: (node) => <When at={node.startedAt} /> },
            {
              key: 'seq',
              header: t('nodes.seq'),
              align: 'end',
              wide: true,
              cell: (node) => <Num value={node.snapshotSeq} />,
            },
            {
              key: 'beat',
              header: t('nodes.heartbeat'),
              align: 'end',
              cell: (node) => <When at={node.heartbeatAt} short />,
            },
          ]}
          empty={<Empty icon="nodes" title={t('nodes.empty')} />}
        />
      </Panel>
    </Page>
  );
}
