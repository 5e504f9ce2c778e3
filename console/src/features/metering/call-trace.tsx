import { Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';

import { useFormat } from '#lib/format.tsx';
import { useLanguage, useT, useWord } from '#lib/i18n.tsx';
import { TextLink } from '#lib/navigation.tsx';
import { Copyable, Json } from '#ui/page.tsx';
import { useProblemText } from '#ui/problem.tsx';

/** A step of a decision trace as the API sends it; `us` in microseconds. */
export type TraceStep = { step: string; outcome: string; us: number; detail: Record<string, unknown> };

/** What is said of a step: one line in the reader's language, the server's own English words, and what is left as data. */
type Said = { line?: ReactNode; words?: string | undefined; used: readonly string[] };

/** What each step of the front door decided, in order. */
export function CallTrace({ steps, currency }: { steps: readonly TraceStep[]; currency: string | null }) {
  return (
    <div className="trace">
      {steps.map((step, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a finished trace never changes its order
        <Step key={index} step={step} currency={currency} />
      ))}
    </div>
  );
}

function Step({ step, currency }: { step: TraceStep; currency: string | null }) {
  const t = useT();
  const word = useWord('step');
  const outcome = useWord('outcome');
  const format = useFormat();
  const { line, words, used } = useSaid(step, currency);
  const entries = Object.entries(step.detail).filter(
    ([name, value]) => value !== null && value !== undefined && !used.includes(name),
  );
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
      {line !== undefined && (
        <Text size="sm" component="div">
          {line}
        </Text>
      )}
      {words !== undefined && (
        <Text size="xs" c="dimmed" lang="en">
          {words}
        </Text>
      )}
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

type Amount = { amount: string; currency: string };
/** Of a step of a run: tokens, and money in the call's currency. */
type Spent = { tokens: number; money: string | null };
type ReservedLimit = { limit: string; scope: string; resource: string; window: string; reserved: string };

/** Puts a step into words by its stable name and members; what is not known stays data. */
function useSaid({ step, outcome, detail }: TraceStep, currency: string | null): Said {
  const t = useT();
  const { locale } = useLanguage();
  const format = useFormat();
  const kind = useWord('thing');
  const role = useWord('role');
  const status = useWord('status');
  const limit = useWord('limit');
  const stepStatus = useWord('stepStatus');
  const problem = useProblemText();
  const text = (name: string) => String(detail[name] ?? '');
  const number = (name: string) => format.number(Number(detail[name] ?? 0));
  const money = (value: unknown) => format.money((value as Amount).amount, (value as Amount).currency);
  if (outcome === 'refuse' && detail['type'] !== undefined) {
    const said = problem(text('type'), text('type'), detail['detail'] === undefined ? undefined : text('detail'));
    const line = detail['status'] === undefined ? said.title : `${said.title} (${text('status')})`;
    return { line, words: said.detail, used: ['type', 'detail', 'status'] };
  }
  switch (step) {
    case 'authenticate':
      return {
        line: (
          <Group gap="xs">
            {t('trace.authenticate', { kind: kind(text('kind')), name: text('name') })}
            <Copyable value={text('id')} />
          </Group>
        ),
        used: ['kind', 'name', 'id'],
      };
    case 'tenant':
      return { line: <Copyable value={text('id')} />, used: ['id'] };
    case 'authorize':
      return {
        ...(detail['role'] === undefined
          ? { words: text('reason') }
          : {
              line: t('trace.authorize', { role: role(text('role')), permission: text('permission') }),
              // In English the sentence above says the same.
              words: locale === 'en' ? undefined : text('reason'),
            }),
        used: ['role', 'permission', 'reason'],
      };
    case 'rateLimit':
      return {
        line: t('trace.rateLimit', { remaining: number('remaining'), limit: number('limit') }),
        used: ['remaining', 'limit'],
      };
    case 'price':
      return {
        line: detail['price'] ? t('trace.price', { amount: money(detail['price']) }) : t('trace.unpriced'),
        used: ['price', 'bound'],
      };
    case 'reserve': {
      const limits = (detail['limits'] ?? []) as ReservedLimit[];
      const lines = limits.map((each) => (
        <div key={each.limit}>
          {t('trace.reserve', {
            amount:
              each.resource === 'money' && currency !== null
                ? format.money(each.reserved, currency)
                : format.number(Number(each.reserved)),
            limit: limit(`${each.resource}.${each.window}`),
            scope: t(`limits.scope.${each.scope}` as 'limits.scope.tenant'),
          })}
        </div>
      ));
      return { line: lines.length === 0 ? t('trace.unlimited') : lines, used: ['limits'] };
    }
    case 'handle':
      return {
        line: [
          t('trace.handle', { provider: text('provider'), status: text('status') }),
          t('trace.attempts', { count: Number(detail['attempts'] ?? 1) }),
        ].join(' · '),
        used: ['provider', 'status', 'attempts'],
      };
    case 'settle':
      return {
        line: [
          ...(detail['price'] ? [t('trace.settle', { amount: money(detail['price']) })] : [t('trace.unpriced')]),
          ...(detail['estimated'] === true ? [t('trace.estimated')] : []),
        ].join(' · '),
        used: ['price', 'estimated', 'quantities'],
      };
    case 'model':
    case 'tool':
    case 'external':
    case 'approval': {
      const sum = (of: Spent) =>
        [
          t('trace.tokens', { count: of.tokens }),
          ...(of.money === null || currency === null ? [] : [format.money(of.money, currency)]),
        ].join(', ');
      const { reserved, used } = detail as { reserved?: Spent; used?: Spent };
      return {
        line: [
          text('name'),
          ...(detail['status'] === undefined ? [] : [stepStatus(text('status'))]),
          ...(reserved === undefined ? [] : [t('trace.stepReserved', { what: sum(reserved) })]),
          ...(used === undefined ? [] : [t('trace.stepUsed', { what: sum(used) })]),
          ...(detail['estimated'] === true ? [t('trace.estimated')] : []),
          ...(detail['error'] === true ? [t('trace.toolError')] : []),
        ].join(' · '),
        used: ['seq', 'name', 'status', 'reserved', 'used', 'estimated', 'error'],
      };
    }
    case 'run':
      return {
        line: (
          <Group gap="xs">
            {t('trace.run', { status: status(text('status')), steps: Number(detail['steps'] ?? 0) })}
            <RunLink id={text('run')} />
          </Group>
        ),
        used: ['status', 'steps', 'run'],
      };
    default:
      return { used: [] };
  }
}

/** Runs have a screen in the tenant's area only. */
function RunLink({ id }: { id: string }) {
  if (location.pathname.startsWith('/operator')) return <Copyable value={id} />;
  return (
    <TextLink size="sm" to={`/app/runs/${id}`}>
      <bdi className="mono">{id}</bdi>
    </TextLink>
  );
}
