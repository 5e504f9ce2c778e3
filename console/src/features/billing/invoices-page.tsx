import type { Answer } from '@lintel/sdk';
import { Alert, Button, Drawer, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { InvoiceTable, Period } from '#features/billing/invoice-table.tsx';
import { LineReason, TotalReason } from '#features/billing/line-reason.tsx';
import { useGet, useList } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { Dash, Money, Num } from '#lib/format.tsx';
import { type Translate, useT, useWord } from '#lib/i18n.tsx';
import { TextLink, useFilters, useGo, useParam } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { DataTable } from '#ui/data-table.tsx';
import { ExportButton, type ExportColumn } from '#ui/export.tsx';
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
  const can = useCan();
  const upcoming = useGet('GET /v1/invoices/upcoming', undefined, { every: 10_000 });
  const invoices = useList('GET /v1/invoices');
  const plan = useGet('GET /v1/plan', undefined, { enabled: can('usage:read') });
  return (
    <Page title={t('nav.invoices')} about={t('invoices.about')}>
      <Found query={upcoming}>
        {(invoice) => <InvoiceView invoice={invoice} isUpcoming planName={plan.data?.plan.name} />}
      </Found>
      <TotalReason />
      <InvoiceTable
        title={t('invoices.past')}
        rows={invoices}
        onOpen={(invoice) => go(`/app/invoices/${invoice.id}`)}
        emptyAbout={t('invoices.emptyAbout')}
      />
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

function InvoiceView({
  invoice,
  isUpcoming,
  planName,
}: {
  invoice: Invoice;
  isUpcoming: boolean;
  /** Of a month that has no line yet. */
  planName?: string | undefined;
}) {
  const t = useT();
  const [filters, change] = useFilters();
  const opened = invoice.lines.find((line) => keyOf(line) === filters['line']);
  const setOpened = (line: Line | undefined) => change({ line: line === undefined ? undefined : keyOf(line) });
  const word = useWord('meter');
  const exported: ExportColumn<Line>[] = [
    { header: t('invoices.line'), value: (line) => nameOf(line, t, word) },
    { header: t('label.kind'), value: (line) => line.kind },
    { header: t('invoices.meter'), value: (line) => line.meter },
    { header: t('invoices.dimensions'), value: (line) => dimensionsOf(line) },
    { header: t('calls.from'), value: (line) => line.start },
    { header: t('calls.to'), value: (line) => line.end },
    { header: t('invoices.plan'), value: (line) => line.plan.name },
    { header: t('invoices.quantity'), value: (line) => line.quantity },
    { header: t('invoices.included'), value: (line) => line.included },
    { header: t('invoices.billable'), value: (line) => line.billable },
    { header: t('invoices.unitPrice'), value: (line) => line.unitPrice },
    { header: t('invoices.per'), value: (line) => line.per },
    { header: t('invoices.amount'), value: (line) => line.amount },
    { header: t('field.currency'), value: () => invoice.currency },
  ];
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
            <bdi>{invoice.lines.at(-1)?.plan.name ?? planName ?? <Dash />}</bdi>
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
        actions={
          invoice.lines.length > 0 && (
            <ExportButton name="invoice" columns={exported} read={() => ({ rows: invoice.lines, more: false })} />
          )
        }
      >
        <DataTable
          label={t('invoices.lines')}
          rows={{ items: invoice.lines }}
          rowKey={keyOf}
          onOpen={setOpened}
          openLabel={(line) => `${nameOf(line, t, word)}: ${t('invoices.why')}`}
          columns={[
            { key: 'what', header: t('invoices.line'), cell: (line) => <LineName line={line} /> },
            {
              key: 'quantity',
              header: t('invoices.quantity'),
              align: 'end',
              cell: (line) => <Num value={line.quantity} />,
            },
            {
              key: 'included',
              header: t('invoices.included'),
              align: 'end',
              wide: true,
              cell: (line) => <Num value={line.included} />,
            },
            {
              key: 'amount',
              header: t('invoices.amount'),
              align: 'end',
              cell: (line) => <Money amount={line.amount} currency={invoice.currency} />,
            },
            {
              key: 'why',
              header: t('label.actions'),
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
  const dimensions = dimensionsOf(line);
  return (
    <Stack gap={0}>
      <Group gap={6}>
        <Text size="sm" fw={500}>
          {nameOf(line, t, word)}
        </Text>
        {line.kind === 'late' && <Status value="late" />}
      </Group>
      {dimensions !== '' && (
        <Text size="xs" c="dimmed">
          {dimensions}
        </Text>
      )}
    </Stack>
  );
}

function keyOf(line: Line): string {
  return `${line.kind} ${line.start} ${line.priceId} ${JSON.stringify(line.dimensions)}`;
}

function nameOf(line: Line, t: Translate, word: (meter: string) => string): string {
  return line.kind === 'recurring' ? t('invoices.fee', { plan: line.plan.name }) : word(line.meter ?? '');
}

function dimensionsOf(line: Line): string {
  return Object.entries(line.dimensions ?? {})
    .map(([name, value]) => `${name}: ${value}`)
    .join(' · ');
}
