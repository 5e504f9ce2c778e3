import type { Item } from '@lintel/sdk';
import { Button, Group, Modal, NumberInput, Stack, Switch, Text } from '@mantine/core';
import { useState } from 'react';

import { AgentNames } from '#features/auth/agent-names.tsx';
import { lintel, refreshRoutes, useGet, useList, useSend } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { TextLink, useFilters, useGo } from '#lib/navigation.tsx';
import { useArea, useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock, Empty, Facts, Page, Panel, Word } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { ShownOnce } from '#ui/secret.tsx';
import { Status, TestMark } from '#ui/status.tsx';

type Key = Item<'GET /v1/api-keys'>;

/** The tenant's API keys: who made them, what they may do, when they were last used, and how they end. */
export function KeysPage() {
  const t = useT();
  const role = useWord('role');
  const can = useCan();
  const go = useGo();
  const area = useArea();
  const [filters, change] = useFilters();
  const includeRevoked = filters['ended'] === 'yes';
  const keys = useList('GET /v1/api-keys', { query: includeRevoked ? { includeRevoked } : {} });
  const create = (
    <Button leftSection={<Icon name="plus" />} onClick={() => go(`${area}/keys/new`)}>
      {t('keys.create')}
    </Button>
  );
  const wanted = filters['key'];
  const listed = keys.items?.find(({ id }) => id === wanted);
  // A link may name a key that is further down, or revoked.
  const isElsewhere = wanted !== undefined && keys.items !== undefined && listed === undefined;
  const found = useGet('GET /v1/api-keys/{id}', { path: { id: wanted ?? '' } }, { enabled: isElsewhere });
  const opened = listed ?? (isElsewhere && found.data?.id === wanted ? found.data : undefined);
  return (
    <Page title={t('nav.keys')} about={t('keys.about')} actions={can('api-keys:create') && create}>
      <Group>
        <Switch
          label={t('keys.showEnded')}
          checked={includeRevoked}
          onChange={(event) => change({ ended: event.currentTarget.checked ? 'yes' : undefined })}
        />
      </Group>
      <Panel flush>
        <DataTable
          label={t('nav.keys')}
          rows={keys}
          rowKey={(key) => key.id}
          onOpen={(key) => change({ key: key.id })}
          openLabel={(key) => key.name}
          columns={[
            {
              key: 'name',
              header: t('label.name'),
              cell: (key) => (
                <Group gap={6} wrap="nowrap">
                  <bdi>{key.name}</bdi>
                  <TestMark mode={key.mode} />
                </Group>
              ),
            },
            { key: 'shown', header: t('keys.key'), cell: (key) => <bdi className="mono short">{key.shown}</bdi> },
            { key: 'status', header: t('label.status'), cell: (key) => <Status value={key.status} /> },
            {
              key: 'role',
              header: t('keys.role'),
              wide: true,
              cell: (key) => <span className="whole">{role(key.role)}</span>,
            },
            { key: 'used', header: t('keys.lastUsed'), wide: true, cell: (key) => <When at={key.lastUsedAt} /> },
            {
              key: 'expires',
              header: t('keys.expires'),
              align: 'end',
              wide: true,
              cell: (key) => <When at={key.expiresAt} />,
            },
          ]}
          empty={
            <Empty icon="keys" title={t('keys.empty')} about={t('keys.emptyAbout')}>
              <Stack align="center">
                {can('api-keys:create') && create}
                <CodeBlock wrap code={curlFor()} label={t('label.curl')} />
              </Stack>
            </Empty>
          }
        />
      </Panel>
      {opened !== undefined && <KeyDialog apiKey={opened} onClose={() => change({ key: undefined })} />}
    </Page>
  );
}

function KeyDialog({ apiKey, onClose }: { apiKey: Key; onClose: () => void }) {
  const t = useT();
  const role = useWord('role');
  const area = useArea();
  const can = useCan();
  const [overlap, setOverlap] = useState<number | string>(24);
  const rotate = useSend('POST /v1/api-keys/{id}/rotate', ['/v1/api-keys']);
  const path = { id: apiKey.id };
  return (
    <Modal
      opened
      onClose={onClose}
      title={apiKey.name}
      size="lg"
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Stack>
        {rotate.data !== undefined && (
          <ShownOnce title={t('keys.shownOnce')} about={t('keys.shownOnceAbout')} secret={rotate.data.key} />
        )}
        <Facts
          rows={[
            [t('label.status'), <Status key="s" value={apiKey.status} />],
            [t('keys.role'), role(apiKey.role)],
            [
              t('keys.scopes'),
              apiKey.scopes === null ? (
                t('keys.allOfRole')
              ) : (
                <Group key="sc" gap={4}>
                  {apiKey.scopes.map((scope) => (
                    <Word key={scope}>{scope}</Word>
                  ))}
                </Group>
              ),
            ],
            [
              t('keys.agents'),
              apiKey.agents === null ? t('keys.allAgents') : <AgentNames key="a" ids={apiKey.agents} />,
            ],
            [t('keys.ips'), apiKey.allowedIps === null ? t('keys.anywhere') : apiKey.allowedIps.join(', ')],
            [t('label.created'), <When key="c" at={apiKey.createdAt} />],
            [t('keys.createdBy'), apiKey.createdBy.name ?? apiKey.createdBy.id],
            [t('keys.lastUsed'), <When key="l" at={apiKey.lastUsedAt} />],
            [t('keys.expires'), <When key="e" at={apiKey.overlapUntil ?? apiKey.expiresAt} />],
            [
              t('keys.seen'),
              <TextLink key="calls" size="sm" to={`${area}/calls`} search={{ keyId: apiKey.id }}>
                {t('nav.calls')}
              </TextLink>,
            ],
          ]}
        />
        {apiKey.status === 'active' && rotate.data === undefined && (
          <Group align="flex-end" justify="space-between">
            {can('api-keys:update') && (
              <Group align="flex-end" gap="xs">
                <NumberInput
                  label={t('keys.overlap')}
                  description={t('keys.overlapAbout')}
                  min={0}
                  max={720}
                  value={overlap}
                  onChange={setOverlap}
                />
                <Button
                  variant="default"
                  loading={rotate.isPending}
                  onClick={() => rotate.mutate({ path, body: { overlapHours: Number(overlap) } })}
                >
                  {t('keys.rotate')}
                </Button>
              </Group>
            )}
            {can('api-keys:delete') && (
              <ConfirmButton
                label={t('keys.revoke')}
                color="red"
                variant="light"
                title={t('keys.revokeTitle', { name: apiKey.name })}
                about={t('keys.revokeAbout')}
                act={async () => {
                  await lintel.request('DELETE /v1/api-keys/{id}', { path });
                  await refreshRoutes(['/v1/api-keys']);
                  onClose();
                }}
              />
            )}
          </Group>
        )}
        {rotate.error !== null && <ProblemNotice error={rotate.error} />}
        {!can('api-keys:update') && (
          <Text size="xs" c="dimmed">
            {t('label.readOnly')}
          </Text>
        )}
      </Stack>
    </Modal>
  );
}
