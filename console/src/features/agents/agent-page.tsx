import type { Answer } from '@lintel/sdk';
import { Badge, Button, Checkbox, Group, PasswordInput, Stack, Table, Tabs, Text, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';

import { type Definition, trimDefinition } from '#features/agents/definition.ts';
import { DefinitionForm } from '#features/agents/definition-form.tsx';
import { Playground } from '#features/agents/playground.tsx';
import { RunsTable } from '#features/agents/runs-page.tsx';
import { lintel, refreshRoutes, useGet, useList, useSend } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { When } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { useFilters, useGo, useParam } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { CodeBlock, Page, Panel } from '#ui/page.tsx';
import { Found, notifyDone, notifyProblem, ProblemNotice } from '#ui/problem.tsx';

type Agent = Answer<'GET /v1/agents/{id}'>;

/** One agent: try it, change it, see its versions, aliases and runs. */
export function AgentPage() {
  const id = useParam('agentId');
  const query = useGet('GET /v1/agents/{id}', { path: { id } });
  return <Found query={query}>{(agent) => <AgentView key={agent.id} agent={agent} />}</Found>;
}

function AgentView({ agent }: { agent: Agent }) {
  const t = useT();
  const can = useCan();
  const go = useGo();
  const [filters, change] = useFilters();
  const tab = filters['tab'] ?? 'try';
  // A talk or a change that was begun goes on behind another tab, its stream too; what was never opened costs nothing.
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => setKept((now) => new Set([...now, tab])), [tab]);
  return (
    <Page
      title={agent.name}
      about={agent.description}
      badge={
        <Badge color="gray" tt="none">
          {t('agents.versionOf', { version: agent.latestVersion })}
        </Badge>
      }
      actions={
        can('agents:delete') && (
          <ConfirmButton
            size="xs"
            variant="light"
            color="red"
            label={t('action.delete')}
            title={t('agents.deleteTitle', { name: agent.name })}
            about={t('agents.deleteAbout')}
            act={async () => {
              await lintel.request('DELETE /v1/agents/{id}', { path: { id: agent.id } });
              // Away first: this screen would ask for an agent that is no more.
              go('/app/agents');
              await refreshRoutes(['/v1/agents', '/v1/models']);
            }}
          />
        )
      }
    >
      <Tabs
        value={tab}
        onChange={(tab) => change({ tab: tab ?? undefined })}
        keepMounted={false}
        keepMountedMode="display-none"
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="try">{t('agents.tab.try')}</Tabs.Tab>
          <Tabs.Tab value="edit">{t('agents.tab.edit')}</Tabs.Tab>
          <Tabs.Tab value="versions">{t('agents.tab.versions')}</Tabs.Tab>
          <Tabs.Tab value="runs">{t('nav.runs')}</Tabs.Tab>
          <Tabs.Tab value="call">{t('agents.call')}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="try" keepMounted={kept.has('try')}>
          <Playground agent={agent} />
        </Tabs.Panel>
        <Tabs.Panel value="edit" keepMounted={kept.has('edit')}>
          <LatestEditor agent={agent} />
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <VersionsPanel agent={agent} />
        </Tabs.Panel>
        <Tabs.Panel value="runs">
          <AgentRuns id={agent.id} />
        </Tabs.Panel>
        <Tabs.Panel value="call">
          <Panel title={t('agents.call')} about={t('agents.callAbout')}>
            <CodeBlock wrap code={curlFor(`agent/${agent.name}`)} label={t('label.curl')} />
          </Panel>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function AgentRuns({ id }: { id: string }) {
  const runs = useList('GET /v1/runs', { query: { agent: id } }, { every: 5_000 });
  return (
    <Panel flush>
      <RunsTable rows={runs} />
    </Panel>
  );
}

function LatestEditor({ agent }: { agent: Agent }) {
  const versions = useGet('GET /v1/agents/{id}/versions', { path: { id: agent.id } });
  return (
    <Found query={versions}>
      {({ data }) => {
        const latest = data.find(({ version }) => version === agent.latestVersion);
        return latest === undefined ? null : (
          <EditPanel
            key={agent.latestVersion}
            agent={agent}
            latest={latest.definition as Definition}
            hadHeaders={latest.hasHeaders}
          />
        );
      }}
    </Found>
  );
}

function EditPanel({ agent, latest, hadHeaders }: { agent: Agent; latest: Definition; hadHeaders: boolean }) {
  const t = useT();
  const can = useCan();
  const [definition, setDefinition] = useState(latest);
  const [live, setLive] = useState(true);
  const [authorization, setAuthorization] = useState('');
  const [note, setNote] = useState('');
  const save = useSend('POST /v1/agents/{id}/versions', ['/v1/agents']);
  return (
    <Panel title={t('agents.tab.edit')} about={t('agents.editAbout')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate(
            {
              path: { id: agent.id },
              body: {
                definition: trimDefinition(definition),
                live,
                ...(note !== '' && { note }),
                ...(authorization !== '' && { headers: { Authorization: authorization } }),
              },
            },
            { onSuccess: ({ latestVersion }) => notifyDone(t('agents.savedVersion', { version: latestVersion })) },
          );
        }}
      >
        <Stack gap="md">
          <DefinitionForm value={definition} onChange={setDefinition} isNew={false} />
          {definition.kind === 'external' && (
            <PasswordInput
              label={t('agents.authorization')}
              description={t(hadHeaders ? 'agents.authorizationAgain' : 'agents.authorizationAbout')}
              autoComplete="off"
              value={authorization}
              onChange={(event) => setAuthorization(event.currentTarget.value)}
            />
          )}
          <TextInput
            label={t('agents.note')}
            placeholder={t('agents.notePlaceholder')}
            value={note}
            onChange={(event) => setNote(event.currentTarget.value)}
          />
          <Checkbox
            label={t('agents.liveAtOnce')}
            checked={live}
            onChange={(event) => setLive(event.currentTarget.checked)}
          />
          {save.error !== null && <ProblemNotice error={save.error} />}
          <Group>
            <Button type="submit" loading={save.isPending} disabled={!can('agents:update')}>
              {t('agents.saveVersion')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function VersionsPanel({ agent }: { agent: Agent }) {
  const t = useT();
  const can = useCan();
  const versions = useGet('GET /v1/agents/{id}/versions', { path: { id: agent.id } });
  const alias = useSend('PUT /v1/agents/{id}/aliases/{alias}', ['/v1/agents']);
  const setLive = (version: number) =>
    alias.mutate({ path: { id: agent.id, alias: 'live' }, body: { version } }, { onError: notifyProblem });
  return (
    <Panel flush title={t('agents.tab.versions')} about={t('agents.versionsAbout', { name: agent.name })}>
      <Found query={versions}>
        {({ data }) => (
          <Table aria-label={t('agents.tab.versions')}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('agents.version')}</Table.Th>
                <Table.Th>{t('agents.note')}</Table.Th>
                <Table.Th className="hide-on-phone">{t('label.created')}</Table.Th>
                <Table.Th ta="end">{t('label.actions')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {data.map((version) => {
                const aliases = Object.entries(agent.aliases).filter(([, number]) => number === version.version);
                return (
                  <Table.Tr key={version.version}>
                    <Table.Td>
                      <Group gap={6}>
                        <Text size="sm" className="numbers">
                          {version.version}
                        </Text>
                        {aliases.map(([name]) => (
                          <Badge key={name} tt="none">
                            {`@${name}`}
                          </Badge>
                        ))}
                      </Group>
                    </Table.Td>
                    <Table.Td>{version.note}</Table.Td>
                    <Table.Td className="hide-on-phone">
                      <When at={version.createdAt} />
                    </Table.Td>
                    <Table.Td ta="end">
                      {can('agents:update') && !aliases.some(([name]) => name === 'live') && (
                        <Button size="compact-xs" variant="subtle" onClick={() => setLive(version.version)}>
                          {t('agents.makeLive')}
                        </Button>
                      )}
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        )}
      </Found>
    </Panel>
  );
}
