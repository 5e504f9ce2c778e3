import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { ConnectDialog } from '#features/models/connect-dialog.tsx';
import { EgressPanel } from '#features/models/egress-panel.tsx';
import { ModelsPanel } from '#features/models/models-panel.tsx';
import { type Owner, type Provider, routesOf } from '#features/models/owner.ts';
import { codedError, lintel, refreshRoutes, useGet, useList } from '#lib/api.ts';
import { Duration } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { More, Waiting } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { Copyable, Empty, Page, Panel } from '#ui/page.tsx';
import { Found, notifyProblem, ProblemNotice } from '#ui/problem.tsx';
import { Status } from '#ui/status.tsx';

/** The tenant's own model providers, and all models it may call. */
export function ProvidersPage() {
  return <Providers owner="tenant" />;
}

/** The platform's model providers, shared with tenants, and which private addresses may be reached. */
export function PlatformProvidersPage() {
  return <Providers owner="platform" />;
}

function Providers({ owner }: { owner: Owner }) {
  const t = useT();
  const can = useCan();
  const [filters, change] = useFilters();
  const { noun, list } = routesOf(owner);
  const providers = useList(list);
  const connect = (
    <Button leftSection={<Icon name="plus" />} onClick={() => change({ connect: 'yes' })}>
      {t('providers.connect')}
    </Button>
  );
  return (
    <Page
      title={t(owner === 'platform' ? 'nav.providers' : 'nav.models')}
      about={t(owner === 'platform' ? 'providers.aboutPlatform' : 'providers.about')}
      actions={can(`${noun}:create`) && connect}
    >
      <Waiting rows={providers} />
      {providers.items?.length === 0 && (
        <Panel>
          <Empty icon="providers" title={t('providers.empty')} about={t('providers.emptyAbout')}>
            {can(`${noun}:create`) && connect}
          </Empty>
        </Panel>
      )}
      {providers.items?.map((provider) => (
        <ProviderPanel key={provider.id} provider={provider} owner={owner} />
      ))}
      <More rows={providers} />
      {owner === 'tenant' && can('models:read') && <CallableModels />}
      {owner === 'platform' && can('platform-egress-rules:read') && <EgressPanel />}
      <ConnectDialog owner={owner} wanted={filters['connect']} onClose={() => change({ connect: undefined })} />
    </Page>
  );
}

function ProviderPanel({ provider, owner }: { provider: Provider; owner: Owner }) {
  const t = useT();
  const can = useCan();
  const routes = routesOf(owner);
  const [result, setResult] = useState<Awaited<ReturnType<typeof runTest>>>();
  const [busy, setBusy] = useState(false);
  const runTest = () => lintel.request(routes.test, { path: { id: provider.id } });
  const test = async () => {
    setBusy(true);
    try {
      setResult(await runTest());
    } catch (error) {
      notifyProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const isActive = provider.status === 'active';
  const toggle = async () => {
    await lintel.request(routes.one.patch, {
      path: { id: provider.id },
      body: { status: isActive ? 'disabled' : 'active' },
    });
    await refreshRoutes([routes.path]);
  };
  return (
    <Panel
      title={provider.name}
      about={provider.baseUrl}
      actions={
        <Group gap="xs">
          <Status value={provider.status} />
          {can(`${routes.noun}:update`) && (
            <>
              <Button size="xs" variant="default" loading={busy} onClick={() => void test()}>
                {t('providers.test')}
              </Button>
              <ConfirmButton
                size="xs"
                label={t(isActive ? 'providers.disable' : 'providers.enable')}
                title={provider.name}
                about={t(isActive ? 'providers.disableAbout' : 'providers.enableAbout')}
                act={toggle}
              />
            </>
          )}
          {can(`${routes.noun}:delete`) && (
            <ConfirmButton
              size="xs"
              variant="light"
              color="red"
              label={t('action.delete')}
              title={t('providers.deleteTitle', { name: provider.name })}
              about={t('providers.deleteAbout')}
              act={async () => {
                await lintel.request(routes.one.remove, { path: { id: provider.id } });
                await refreshRoutes([routes.path]);
              }}
            />
          )}
        </Group>
      }
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {provider.keyHint === null
            ? t('providers.noKey')
            : provider.keyHint === ''
              ? t('providers.hasKey')
              : t('providers.keyHint', { end: provider.keyHint })}
        </Text>
        {result !== undefined &&
          (result.ok ? (
            <Group gap="xs" role="status">
              <Status value="ok" />
              <Duration ms={result.latencyMs} />
              <Text size="sm" c="dimmed">
                {t('providers.testModels', { count: result.models.length })}
              </Text>
            </Group>
          ) : (
            result.error && <ProblemNotice error={codedError(result.error)} />
          ))}
        <ModelsPanel provider={provider} owner={owner} found={result?.models ?? []} />
      </Stack>
    </Panel>
  );
}

function CallableModels() {
  const t = useT();
  const word = useWord('ownedBy');
  const models = useGet('GET /v1/models');
  return (
    <Panel title={t('models.callable')} about={t('models.callableAbout')}>
      <Found query={models}>
        {({ data }) => (
          <Stack gap={6}>
            {data.map((model) => (
              <Group key={model.id} gap="sm">
                <Copyable value={model.id} />
                <Text size="xs" c="dimmed">
                  {model.id === 'lintel/router' ? t('models.router') : word(model.owned_by)}
                </Text>
              </Group>
            ))}
          </Stack>
        )}
      </Found>
    </Panel>
  );
}
