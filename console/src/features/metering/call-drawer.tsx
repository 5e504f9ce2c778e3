import { Drawer, Group, Stack, Text } from '@mantine/core';

import { type CallRow, type TracedCall, targetOf } from '#features/metering/call-row.ts';
import { useGet } from '#lib/api.ts';
import { Duration, Money, Num, useFormat, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { Copyable, Facts, Json, Panel } from '#ui/page.tsx';
import { Found } from '#ui/problem.tsx';
import { DemoMark, Status, TestMark } from '#ui/status.tsx';

type Step = { step: string; outcome: string; us: number; detail: Record<string, unknown> };

/** One call with its decision trace: what each step of the front door decided, reserved, used, and what it costs. */
export function CallDrawer({
  id,
  known,
  area,
  onClose,
}: {
  id: string | undefined;
  /** The row as the list has it: shown while the trace is read. */
  known: CallRow | undefined;
  area: 'tenant' | 'platform';
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
      {id !== undefined && <Found query={query}>{(call) => (call.id === id ? <Call call={call} /> : null)}</Found>}
    </Drawer>
  );
}

function Call({ call }: { call: TracedCall }) {
  const t = useT();
  const word = useWord('quantity');
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
          [t('calls.caller'), `${call.principal.name} (${call.principal.kind})`],
          [t('calls.target'), targetOf(call)],
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
          [t('call.from'), `${call.origin.ip} · ${call.origin.client}`],
          [t('calls.price'), <Money key="price" amount={call.price} currency={call.currency} />],
          ...(call.cost
            ? [[t('call.cost'), <Money key="cost" amount={call.cost} currency={call.costCurrency} />] as const]
            : []),
        ]}
      />
      {call.error !== null && (
        <Panel title={t('call.error')}>
          <Text size="sm">
            <bdi className="mono">{call.error.code}</bdi> {call.error.message}
          </Text>
        </Panel>
      )}
      <Panel title={t('call.trace')} about={t('call.traceAbout')}>
        <div className="trace">
          {call.trace.map((step, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a finished trace never changes its order
            <TraceStep key={index} step={step} />
          ))}
        </div>
      </Panel>
      {(call.reserved !== null || Object.keys(call.quantities).length > 0) && (
        <Panel title={t('call.used')}>
          <Facts
            rows={[
              ...(call.reserved === null
                ? []
                : ([
                    [t('call.reservedTokens'), <Num key="rt" value={Number(call.reserved['tokens'])} />],
                    [t('call.reservedMoney'), <bdi key="rm">{String(call.reserved['money'])}</bdi>],
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

function TraceStep({ step }: { step: Step }) {
  const t = useT();
  const word = useWord('step');
  const outcome = useWord('outcome');
  const format = useFormat();
  const entries = Object.entries(step.detail).filter(([, value]) => value !== null && value !== undefined);
  const plain = entries.filter(([, value]) => typeof value !== 'object');
  const nested = entries.filter(([, value]) => typeof value === 'object');
  return (
    <div className="trace-step" data-outcome={step.outcome}>
      <Group gap="xs">
        <Text size="sm" fw={600}>
          {word(step.step)}
        </Text>
        <Text size="xs" c={step.outcome === 'refuse' ? 'red' : 'dimmed'}>
          {outcome(step.outcome)}
        </Text>
        <Text size="xs" c="dimmed" className="numbers" ms="auto">
          <bdi>{step.us < 1000 ? t('call.microseconds', { count: step.us }) : format.ms(step.us / 1000)}</bdi>
        </Text>
      </Group>
      {plain.length > 0 && (
        <Text size="xs" c="dimmed" component="div">
          {plain.map(([name, value]) => (
            <span key={name} style={{ marginInlineEnd: 12 }}>
              {name} <bdi className="mono">{String(value)}</bdi>
            </span>
          ))}
        </Text>
      )}
      {nested.length > 0 && <Json value={Object.fromEntries(nested)} />}
    </div>
  );
}
