import { Drawer, Group, Stack, Text } from '@mantine/core';
import { type CallRow, type TracedCall, targetOf } from '#features/metering/call-row.ts';
import { CallTrace } from '#features/metering/call-trace.tsx';
import { useGet } from '#lib/api.ts';
import { clientName } from '#lib/client-name.ts';
import { Duration, Money, Num, useFormat, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useSession } from '#lib/session.ts';
import { Copyable, Facts, Panel } from '#ui/page.tsx';
import { Found, ServerWords, useProblemText } from '#ui/problem.tsx';
import { DemoMark, Status, TestMark } from '#ui/status.tsx';

/** One call with its decision trace: what each step of the front door decided, reserved, used, and what it costs. */
export function CallDrawer({
  id,
  known,
  area,
  agentNames,
  onClose,
}: {
  id: string | undefined;
  /** The row as the list has it: its status is shown while the trace is read. */
  known: CallRow | undefined;
  area: 'tenant' | 'platform';
  agentNames: ReadonlyMap<string, string> | undefined;
  onClose: () => void;
}) {
  const t = useT();
  const route = area === 'platform' ? 'GET /v1/platform/calls/{id}' : 'GET /v1/calls/{id}';
  const query = useGet(route, { path: { id: id ?? '' } }, { enabled: id !== undefined });
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title={
        <Group gap="xs">
          <Text fw={650}>{t('call.title')}</Text>
          {known !== undefined && <Status value={known.status} />}
        </Group>
      }
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      {id !== undefined && <Found query={query}>{(call) => <Call call={call} agentNames={agentNames} />}</Found>}
    </Drawer>
  );
}

function Call({ call, agentNames }: { call: TracedCall; agentNames: ReadonlyMap<string, string> | undefined }) {
  const t = useT();
  const word = useWord('quantity');
  const kind = useWord('thing');
  const session = useSession();
  const currency = call.currency ?? session?.tenant.currency ?? null;
  const format = useFormat();
  return (
    <Stack gap="md">
      <Facts
        rows={[
          [t('call.id'), <Copyable key="id" value={call.id} />],
          [t('calls.at'), <When key="at" at={call.at} />],
          [
            t('label.status'),
            <Group key="status" gap={6}>
              <Status value={call.status} />
              <Num value={call.httpStatus} />
              <DemoMark when={call.demo} />
              <TestMark mode={call.mode} />
              {call.late && <Status value="late" />}
            </Group>,
          ],
          [t('calls.caller'), `${call.principal.name} (${kind(call.principal.kind)})`],
          [t('calls.target'), targetOf(call, agentNames)],
          [
            t('calls.duration'),
            <Group key="ms" gap={6}>
              <Duration ms={call.durationMs} />
              {call.firstByteMs !== null && (
                <Text size="xs" c="dimmed">
                  {t('call.firstByte', { time: format.ms(call.firstByteMs) })}
                </Text>
              )}
            </Group>,
          ],
          [
            t('call.from'),
            <span
              key="from"
              title={call.origin.client}
            >{`${call.origin.ip} · ${clientName(call.origin.client)}`}</span>,
          ],
          [t('calls.price'), <Money key="price" amount={call.price} currency={call.currency} />],
          ...(call.invoice === null
            ? []
            : [[t('call.invoice'), <InvoiceLines key="invoice" invoice={call.invoice} />] as const]),
          ...(call.cost
            ? [[t('call.cost'), <Money key="cost" amount={call.cost} currency={call.costCurrency} />] as const]
            : []),
        ]}
      />
      {call.error !== null && (
        <Panel title={t('call.error')}>
          <CallError code={call.error.code} message={call.error.message} />
        </Panel>
      )}
      <Panel title={t('call.trace')} about={t('call.traceAbout')}>
        <CallTrace steps={call.trace} currency={currency} />
      </Panel>
      {(call.reserved !== null || Object.keys(call.quantities).length > 0) && (
        <Panel title={t('call.used')}>
          <Facts
            rows={[
              ...(call.reserved === null
                ? []
                : ([
                    [t('call.reservedTokens'), <Num key="rt" value={Number(call.reserved['tokens'])} />],
                    [
                      t('call.reservedMoney'),
                      <Money key="rm" amount={call.reserved['money'] as string | null} currency={currency} />,
                    ],
                  ] as const)),
              ...Object.entries(call.quantities).map(
                ([name, value]) => [word(name), <Num key={name} value={Number(value)} />] as const,
              ),
              ...(call.estimated ? [[t('call.estimated'), t('call.estimatedAbout')] as const] : []),
            ]}
          />
        </Panel>
      )}
      {call.attempts.length > 0 && (
        <Panel title={t('call.attempts')}>
          <Stack gap={4}>
            {call.attempts.map((attempt, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: attempts never change their order
              <Group key={index} gap="sm">
                <Text size="sm">{[attempt['provider'], attempt['model']].join('/')}</Text>
                <Text size="sm" c="dimmed" className="numbers">
                  {String(attempt['status'])}
                </Text>
                <Duration ms={Number(attempt['ms'])} />
              </Group>
            ))}
          </Stack>
        </Panel>
      )}
    </Stack>
  );
}

/** The invoice lines that a call becomes, and the invoice they are on. */
function InvoiceLines({ invoice }: { invoice: NonNullable<TracedCall['invoice']> }) {
  const t = useT();
  const word = useWord('meter');
  const { status, plan, lines } = invoice;
  return (
    <Stack gap={0}>
      <span>{lines.map(({ meter }) => word(meter)).join(', ')}</span>
      <Text size="xs" c="dimmed">
        {t(status === 'final' ? 'call.invoiceFinal' : 'call.invoiceUpcoming', { plan })}
      </Text>
    </Stack>
  );
}

function CallError({ code, message }: { code: string; message: string }) {
  const { title, detail } = useProblemText()(code, code, message);
  return (
    <Stack gap={2}>
      <Text size="sm">
        {title} <bdi className="mono">{code}</bdi>
      </Text>
      {detail !== undefined && <ServerWords>{detail}</ServerWords>}
    </Stack>
  );
}
