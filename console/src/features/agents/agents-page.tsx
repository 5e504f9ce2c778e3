import { Badge, Button, Group, Text } from '@mantine/core';

import { useList } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useGo } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { DataTable } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock, Copyable, Empty, Page, Panel } from '#ui/page.tsx';

/** The tenant's agents: defined here, or running elsewhere behind Lintel. */
export function AgentsPage() {
  const t = useT();
  const word = useWord('agentKind');
  const can = useCan();
  const go = useGo();
  const agents = useList('GET /v1/agents');
  const create = (
    <Button leftSection={<Icon name="plus" />} onClick={() => go('/app/agents/new')}>
      {t('agents.create')}
    </Button>
  );
  return (
    <Page title={t('nav.agents')} about={t('agents.about')} actions={can('agents:create') && create}>
      <Panel flush>
        <DataTable
          label={t('nav.agents')}
          rows={agents}
          rowKey={(agent) => agent.id}
          onOpen={(agent) => go(`/app/agents/${agent.id}`)}
          openLabel={(agent) => agent.name}
          columns={[
            {
              key: 'name',
              header: t('label.name'),
              cell: (agent) => (
                <div>
                  <Text size="sm" fw={500}>
                    {agent.name}
                  </Text>
                  <Text size="xs" c="dimmed" lineClamp={1}>
                    {agent.description}
                  </Text>
                </div>
              ),
            },
            { key: 'kind', header: t('agents.kind'), cell: (agent) => <Badge color="gray">{word(agent.kind)}</Badge> },
            {
              key: 'model',
              header: t('agents.callAs'),
              wide: true,
              cell: (agent) => <Copyable value={`agent/${agent.name}`} />,
            },
            {
              key: 'version',
              header: t('agents.version'),
              wide: true,
              cell: (agent) => (
                <Group gap={4}>
                  <Text size="sm">{agent.latestVersion}</Text>
                  {Object.entries(agent.aliases).map(([alias, version]) => (
                    <Badge key={alias} variant="outline" color="gray" tt="none">
                      {`@${alias} → ${version}`}
                    </Badge>
                  ))}
                </Group>
              ),
            },
            {
              key: 'updated',
              header: t('label.updated'),
              align: 'end',
              wide: true,
              cell: (agent) => <When at={agent.updatedAt} />,
            },
          ]}
          empty={
            <Empty icon="agents" title={t('agents.empty')} about={t('agents.emptyAbout')}>
              {can('agents:create') && create}
            </Empty>
          }
        />
      </Panel>
      {(agents.items?.length ?? 0) > 0 && (
        <Panel title={t('agents.call')} about={t('agents.callAbout')}>
          <CodeBlock wrap code={curlFor(`agent/${agents.items?.[0]?.name}`)} label={t('label.curl')} />
        </Panel>
      )}
    </Page>
  );
}
