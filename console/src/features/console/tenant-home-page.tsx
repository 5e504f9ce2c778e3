import { Box, Button, Group, SimpleGrid, Stack, Text, ThemeIcon } from '@mantine/core';

import { useGet } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { Dash, Money, Num } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { TextLink, useGo } from '#lib/navigation.tsx';
import { useCan, useSession } from '#lib/session.ts';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock, Figure, Loading, Page, Panel } from '#ui/page.tsx';

type Task = { key: 'model' | 'key' | 'call' | 'invoice'; done: boolean; to: string };

/** The tenant's first screen: what is still to do before the first invoice, and how things stand. */
export function TenantHomePage() {
  const t = useT();
  const can = useCan();
  const session = useSession();
  const providers = useGet('GET /v1/providers', { query: { limit: 1 } }, { enabled: can('providers:read') });
  const models = useGet('GET /v1/models', undefined, { enabled: can('models:read') });
  const keys = useGet('GET /v1/api-keys', { query: { limit: 50 } }, { enabled: can('api-keys:read') });
  const calls = useGet(
    'GET /v1/calls',
    { query: { limit: 1, status: 'ok' } },
    { enabled: can('calls:read'), every: 3_000, until: ({ data }) => data.length > 0 },
  );
  const bill = useGet('GET /v1/invoices/upcoming', undefined, { enabled: can('invoices:read'), every: 15_000 });
  const hasModel =
    (providers.data?.data.length ?? 0) > 0 ||
    (models.data?.data ?? []).some((model) => !model.id.startsWith('lintel/') && !model.id.startsWith('agent/'));
  const hasKey = (keys.data?.data.length ?? 0) > 0;
  const hasCall = (calls.data?.data.length ?? 0) > 0;
  const hasLine = (bill.data?.lines.length ?? 0) > 0;
  const tasks: Task[] = [
    { key: 'model', done: hasModel, to: '/app/providers' },
    { key: 'key', done: hasKey, to: '/app/keys/new' },
    { key: 'call', done: hasCall, to: '/app/calls' },
    { key: 'invoice', done: hasLine, to: '/app/invoices' },
  ];
  const next = tasks.find((task) => !task.done);
  // What is not read yet is not to be called undone.
  const isKnown = [providers, models, keys, calls, bill].every(({ isLoading }) => !isLoading);
  return (
    <Page title={t('home.title', { name: session?.tenant.name ?? '' })} about={t('home.about')}>
      {isKnown ? (
        <Panel title={t(next === undefined ? 'home.allDone' : 'home.checklist')}>
          <Stack gap="sm">
            {tasks.map((task) => (
              <TaskRow key={task.key} task={task} isNext={task === next} />
            ))}
          </Stack>
        </Panel>
      ) : (
        <Panel>
          <Loading />
        </Panel>
      )}
      <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="sm">
        {bill.data !== undefined && (
          <Figure
            label={t('home.bill')}
            hint={
              <TextLink to="/app/invoices" size="xs">
                {t('home.why')}
              </TextLink>
            }
          >
            <Money amount={bill.data.total} currency={bill.data.currency} />
          </Figure>
        )}
        <Figure
          label={t('home.keys')}
          hint={
            <TextLink to="/app/keys" size="xs">
              {t('nav.keys')}
            </TextLink>
          }
        >
          {keys.data === undefined ? <Dash /> : <Num value={keys.data.data.length} />}
          {(keys.data?.nextCursor ?? null) !== null && '+'}
        </Figure>
        <Figure
          label={t('home.models')}
          hint={
            <TextLink to="/app/providers" size="xs">
              {t('nav.models')}
            </TextLink>
          }
        >
          {models.data === undefined ? <Dash /> : <Num value={models.data.data.length} />}
        </Figure>
      </SimpleGrid>
      <Panel title={t('home.curl')} about={t('home.curlAbout')}>
        <CodeBlock wrap code={curlFor()} label={t('label.curl')} />
      </Panel>
    </Page>
  );
}

function TaskRow({ task, isNext }: { task: Task; isNext: boolean }) {
  const t = useT();
  const go = useGo();
  return (
    <Group wrap="nowrap" align="flex-start" gap="sm">
      <ThemeIcon
        size={24}
        radius="xl"
        variant={task.done ? 'filled' : 'default'}
        color={task.done ? 'teal' : 'gray'}
        role="img"
        aria-label={t(task.done ? 'home.done' : 'home.open')}
      >
        {task.done && <Icon name="check" size={14} />}
      </ThemeIcon>
      <Box flex={1} miw={0}>
        <Text size="sm" fw={600} {...(task.done && { c: 'dimmed' })}>
          {t(`home.task.${task.key}`)}
        </Text>
        {!task.done && (
          <Text size="sm" c="dimmed">
            {t(`home.task.${task.key}About`)}
          </Text>
        )}
      </Box>
      {!task.done && (
        <Button size="xs" variant={isNext ? 'filled' : 'default'} onClick={() => go(task.to)}>
          {t(`home.task.${task.key}Go`)}
        </Button>
      )}
    </Group>
  );
}
