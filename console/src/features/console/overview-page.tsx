import type { Answer } from '@lintel/sdk';
import { Alert, Button, Group, SimpleGrid, Stack, Switch, Text } from '@mantine/core';
import { useState } from 'react';

import { useGet } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { Duration, Money, Num, useFormat, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useLive } from '#lib/live.ts';
import { TextLink, useFilters, useGo } from '#lib/navigation.tsx';
import { Chart } from '#ui/chart.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock, Empty, Figure, Page, Panel } from '#ui/page.tsx';
import { Found } from '#ui/problem.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

type Overview = Answer<'GET /v1/platform/overview'>;

/** The operator's first screen: the system as it runs, and the next thing to do. */
export function OverviewPage() {
  const t = useT();
  const [paused, setPaused] = useState(false);
  const [pushed, setPushed] = useState<Overview>();
  const [filters, change] = useFilters();
  const tenants = useGet('GET /v1/platform/tenants', { query: { limit: 200 } });
  // Shown by itself only while there is nothing else to see.
  const onlyDemo = tenants.data?.data.every(({ demo }) => demo) ?? true;
  const includeDemo = filters['demo'] === undefined ? onlyDemo : filters['demo'] === 'yes';
  const isKnown = filters['demo'] !== undefined || !tenants.isLoading;
  // What is pushed counts the demo in; without it the screen asks by itself.
  const state = useLive(
    isKnown && includeDemo ? ['overview'] : [],
    (event, data) => event === 'overview' && setPushed(data as Overview),
    { paused, eventsWithinMs: 6_000 },
  );
  const query = useGet(
    'GET /v1/platform/overview',
    { query: { includeDemo } },
    { enabled: isKnown, ...(state === 'polling' && { every: 2_000 }) },
  );
  return (
    <Page
      title={t('nav.overview')}
      about={t('overview.about')}
      badge={isKnown && (includeDemo || paused) && <Status value={state} />}
      actions={
        <Group gap="md">
          <Switch
            size="xs"
            label={t('label.showDemo')}
            checked={isKnown && includeDemo}
            onChange={(event) => change({ demo: event.currentTarget.checked ? 'yes' : 'no' })}
          />
          <Button
            variant="default"
            size="xs"
            onClick={() => setPaused(!paused)}
            leftSection={<Icon name={paused ? 'runs' : 'pause'} size={13} />}
          >
            {paused ? t('live.resume') : t('live.pause')}
          </Button>
        </Group>
      }
    >
      <ConnectOffer />
      <Found query={query}>
        {(polled) => {
          const shown = includeDemo && pushed !== undefined && pushed.at >= polled.at ? pushed : polled;
          const byTenant = shown.byTenant.filter(({ demo }) => includeDemo || !demo);
          return <Figures overview={{ ...shown, byTenant }} />;
        }}
      </Found>
    </Page>
  );
}

/** While the platform has no model of its own: what could be connected, with one click. */
function ConnectOffer() {
  const t = useT();
  const go = useGo();
  const offers = useGet('GET /v1/platform/provider-offers');
  const providers = useGet('GET /v1/platform/providers', { query: { limit: 1 } });
  if (providers.data === undefined || providers.data.data.length > 0) return null;
  const found = offers.data?.data ?? [];
  return (
    <Alert icon={<Icon name="providers" />} title={t('connect.title')} variant="light">
      <Stack gap="xs">
        <Text size="sm">{t('connect.about')}</Text>
        {found.map((offer) => (
          <Text key={offer.preset} size="sm">
            {offer.source === 'environment'
              ? t('connect.foundKey', { name: offer.title, variable: offer.variable ?? '' })
              : t('connect.foundLoopback', { name: offer.title, address: offer.baseUrl ?? '' })}
          </Text>
        ))}
        <Group gap="xs">
          {found.map((offer) => (
            <Button key={offer.preset} size="xs" onClick={() => go('/operator/providers', { connect: offer.preset })}>
              {t('connect.use', { name: offer.title })}
            </Button>
          ))}
          <Button
            size="xs"
            variant={found.length === 0 ? 'filled' : 'default'}
            onClick={() => go('/operator/providers', { connect: 'yes' })}
          >
            {t('connect.choose')}
          </Button>
        </Group>
      </Stack>
    </Alert>
  );
}

function Figures({ overview }: { overview: Overview }) {
  const t = useT();
  const role = useWord('nodeRole');
  const format = useFormat();
  const { series } = overview;
  return (
    <>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        <Figure label={t('overview.rps')} hint={t('overview.inFlight', { count: overview.inFlight })}>
          <Num value={overview.requestsPerSecond} />
        </Figure>
        <Figure label={t('overview.blocked')} hint={t('overview.blockedHint')}>
          <Num value={overview.blockedPerSecond} />
        </Figure>
        <Figure
          label={t('overview.p50')}
          hint={
            <>
              {t('overview.p95')} <Duration ms={overview.p95Ms} />
            </>
          }
        >
          <Duration ms={overview.p50Ms} />
        </Figure>
        <Figure label={t('overview.spend')} hint={t('overview.window', { seconds: overview.window })}>
          <Spend value={overview.spend} />
        </Figure>
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
        <Panel title={t('overview.requests')}>
          <Chart
            label={t('overview.requests')}
            t={series.t}
            series={[
              { label: t('overview.ok'), color: 'accent', values: series.ok },
              { label: t('overview.blockedSeries'), color: 'warn', values: series.blocked },
            ]}
            format={format.number}
            zone={format.zone}
          />
        </Panel>
        <Panel title={t('overview.latency')}>
          <Chart
            label={t('overview.latency')}
            t={series.t}
            series={[{ label: t('overview.p95'), color: 'soft', values: series.p95 }]}
            format={format.ms}
            zone={format.zone}
          />
        </Panel>
      </SimpleGrid>
      <Panel
        flush
        title={t('overview.byTenant')}
        about={t('overview.window', { seconds: overview.window })}
        actions={
          <TextLink to="/operator/tenants" size="sm">
            {t('overview.allTenants')}
          </TextLink>
        }
      >
        <DataTable
          label={t('overview.byTenant')}
          rows={{ items: overview.byTenant }}
          rowKey={(row) => row.tenantId}
          columns={[
            {
              key: 'name',
              header: t('label.tenant'),
              cell: (row) => (
                <Group gap={6} wrap="nowrap">
                  <TextLink to={`/operator/tenants/${row.tenantId}`} size="sm">
                    <bdi>{row.name}</bdi>
                  </TextLink>
                  <DemoMark when={row.demo} />
                </Group>
              ),
            },
            {
              key: 'requests',
              header: t('overview.requestsCount'),
              align: 'end',
              cell: (row) => <Num value={row.requests} />,
            },
            {
              key: 'blocked',
              header: t('overview.blockedSeries'),
              align: 'end',
              cell: (row) => <Num value={row.blocked} />,
            },
            {
              key: 'p95',
              header: t('overview.p95'),
              align: 'end',
              cell: (row) => <Duration ms={row.p95Ms} />,
            },
            {
              key: 'spend',
              header: t('overview.spend'),
              align: 'end',
              cell: (row) => <Spend value={row.spend} />,
            },
          ]}
          empty={
            <Empty icon="calls" title={t('overview.quiet')} about={t('overview.quietAbout')}>
              <CodeBlock wrap code={curlFor()} label={t('label.curl')} />
            </Empty>
          }
        />
      </Panel>
      <Panel
        flush
        title={t('overview.byNode')}
        actions={
          <TextLink to="/operator/nodes" size="sm">
            {t('nav.nodes')}
          </TextLink>
        }
      >
        <DataTable
          label={t('overview.byNode')}
          rows={{ items: overview.byNode }}
          rowKey={(row) => row.id}
          columns={[
            { key: 'role', header: t('nodes.role'), cell: (row) => role(row.role) },
            {
              key: 'host',
              header: t('nodes.host'),
              cell: (row) => <bdi className="mono">{`${row.host} · ${row.pid}`}</bdi>,
            },
            {
              key: 'rps',
              header: t('overview.rps'),
              align: 'end',
              cell: (row) => <Num value={row.requestsPerSecond} />,
            },
            {
              key: 'blocked',
              header: t('overview.blocked'),
              align: 'end',
              cell: (row) => <Num value={row.blockedPerSecond} />,
            },
            { key: 'p95', header: t('overview.p95'), align: 'end', cell: (row) => <Duration ms={row.p95Ms} /> },
            { key: 'spend', header: t('overview.spend'), align: 'end', cell: (row) => <Spend value={row.spend} /> },
            {
              key: 'beat',
              header: t('nodes.heartbeat'),
              align: 'end',
              cell: (row) => <When at={row.heartbeatAt} short />,
            },
          ]}
          empty={<Empty title={t('nodes.empty')} />}
        />
      </Panel>
    </>
  );
}

function Spend({ value }: { value: Overview['spend'] }) {
  if (value.length === 0) return <Num value={0} />;
  return (
    <Group gap="xs" display="inline-flex">
      {value.map((each) => (
        <Money key={each.currency} amount={each.amount} currency={each.currency} />
      ))}
    </Group>
  );
}
