import type { Answer } from '@lintel/sdk';
import { Alert, Button, Drawer, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { LineReason, TotalReason } from '#features/billing/line-reason.tsx';
import { Period } from '#features/billing/tenant-invoices.tsx';
import { useGet, useList } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { Money, Num } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { TextLink, useGo, useParam } from '#lib/navigation.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { CodeBlock, Empty, Figure, Page, Panel } from '#ui/page.tsx';
import { Found } from '#ui/problem.tsx';
import { Status } from '#ui/status.tsx';

type Invoice = Answer<'GET /v1/invoices/upcoming'> | Answer<'GET /v1/invoices/{id}'>;
type Line = Invoice['lines'][number];

/** The running month as it would be billed now, and the invoices of past months. */
export function InvoicesPage() {
  const t = useT();
  const go = useGo();
  const upcoming = useGet('GET /v1/invoices/upcoming', undefined, { every: 10_000 });
  const invoices = useList('GET /v1/invoices');
  return (
    <Page title={t('nav.invoices')} about={t('invoices.about')}>
      <Found query={upcoming}>{(invoice) => <InvoiceView invoice={invoice} isUpcoming />}</Found>
      <TotalReason />
      <Panel flush title={t('invoices.past')}>
        <DataTable
          label={t('invoices.past')}
          rows={invoices}
          rowKey={(invoice) => invoice.id}
          onOpen={(invoice) => go(`/app/invoices/${invoice.id}`)}
          openLabel={(invoice) => t('invoices.numbered', { number: invoice.number })}
          columns={[
            {
              key: 'number',
              header: t('invoices.number'),
              cell: (invoice) => <Num value={invoice.number} />,
            },
            {
              key: 'period',
              header: t('invoices.period'),
              cell: (invoice) => <Period from={invoice.periodStart} to={invoice.periodEnd} />,
            },
            { key: 'status', header: t('label.status'), cell: (invoice) => <Status value={invoice.status} /> },
            {
              key: 'total',
              header: t('invoices.total'),
              align: 'end',
              cell: (invoice) => <Money amount={invoice.total} currency={invoice.currency} />,
            },
          ]}
          empty={<Empty icon="invoices" title={t('invoices.empty')} about={t('invoices.emptyAbout')} />}
        />
      </Panel>
    </Page>
  );
}

/** A finalised invoice. */
export function InvoicePage() {
  const t = useT();
  const id = useParam('invoiceId');
  const query = useGet('GET /v1/invoices/{id}', { path: { id } });
  return (
    <Page title={t('invoices.one')} actions={<TextLink to="/app/invoices">{t('nav.invoices')}</TextLink>}>
      <Found query={query}>{(invoice) => <InvoiceView invoice={invoice} isUpcoming={false} />}</Found>
    </Page>
  );
}

function InvoiceView({ invoice, isUpcoming }: { invoice: Invoice; isUpcoming: boolean }) {
  const t = useT();
  const [opened, setOpened] = useState<Line>();
  return (
    <>
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <Figure label={t(isUpcoming ? 'invoices.soFar' : 'invoices.total')}>
          <Money amount={invoice.total} currency={invoice.currency} />
        </Figure>
        <Figure label={t('invoices.period')}>
          <Text component="span" fz={15} fw={600}>
            <Period from={invoice.periodStart} to={invoice.periodEnd} />
          </Text>
        </Figure>
        <Figure label={t('invoices.plan')}>
          <Text component="span" fz={15} fw={600}>
            {invoice.lines.at(-1)?.plan.name ?? t('invoices.noPlan')}
          </Text>
        </Figure>
      </SimpleGrid>
      {'unpriced' in invoice && invoice.unpriced.length > 0 && (
        <Alert color="yellow" icon={<Icon name="info" />}>
          {t('invoices.unpriced', { count: invoice.unpriced.length })}
        </Alert>
      )}
      <Panel
        flush
        title={t(isUpcoming ? 'invoices.upcoming' : 'invoices.lines')}
        about={isUpcoming ? t('invoices.upcomingAbout') : undefined}
      >
        <DataTable
          label={t('invoices.lines')}
          rows={{ items: invoice.lines }}
          rowKey={(line) => `${line.kind} ${line.start} ${line.priceId} ${JSON.stringify(line.dimensions)}`}
          onOpen={setOpened}
          openLabel={(line) => `${line.meter ?? line.kind}: ${t('invoices.why')}`}
          columns={[
            { key: 'what', header: t('invoices.line'), cell: (line) => <LineName line={line} /> },
            {
              key: 'quantity',
              header: t('invoices.quantity'),
              align: 'end',
              cell: (line) => <Num value={Number(line.quantity)} />,
            },
            {
              key: 'included',
              header: t('invoices.included'),
              align: 'end',
              wide: true,
              cell: (line) => <Num value={Number(line.included)} />,
            },
            {
              key: 'amount',
              header: t('invoices.amount'),
              align: 'end',
              cell: (line) => <Money amount={line.amount} currency={invoice.currency} />,
            },
            {
              key: 'why',
              header: t('invoices.why'),
              align: 'end',
              wide: true,
              cell: (line) => (
                <Button size="compact-xs" variant="subtle" onClick={() => setOpened(line)}>
                  {t('invoices.why')}
                </Button>
              ),
            },
          ]}
          empty={
            <Empty icon="invoices" title={t('invoices.noLines')} about={t('invoices.noLinesAbout')}>
              <CodeBlock wrap code={curlFor()} label={t('label.curl')} />
            </Empty>
          }
        />
      </Panel>
      <Drawer
        opened={opened !== undefined}
        onClose={() => setOpened(undefined)}
        position="right"
        size="lg"
        title={t('invoices.why')}
        closeButtonProps={{ 'aria-label': t('action.close') }}
      >
        {opened !== undefined && <LineReason line={opened} currency={invoice.currency} />}
      </Drawer>
    </>
  );
}

function LineName({ line }: { line: Line }) {
  const t = useT();
  const word = useWord('meter');
  const dimensions = Object.entries(line.dimensions ?? {});
  return (
    <Stack gap={0}>
      <Group gap={6}>
        <Text size="sm" fw={500}>
          {line.kind === 'recurring' ? t('invoices.fee', { plan: line.plan.name }) : word(line.meter ?? '')}
        </Text>
        {line.kind === 'late' && <Status value="late" />}
      </Group>
      {dimensions.length > 0 && (
        <Text size="xs" c="dimmed">
          {dimensions.map(([name, value]) => `${name}: ${value}`).join(' · ')}
        </Text>
      )}
    </Stack>
  );
}
