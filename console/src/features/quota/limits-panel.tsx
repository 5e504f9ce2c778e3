import type { Item } from '@lintel/sdk';
import { Button, Group, NumberInput, Progress, Select, Stack, Text } from '@mantine/core';
import { useState } from 'react';

import { lintel, refreshRoutes, useGet, useList, useSend } from '#lib/api.ts';
import { decimalText } from '#lib/decimal.ts';
import { Dash, useFormat, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Empty, Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { Status } from '#ui/status.tsx';

type Limit = Item<'GET /v1/limits'>;

const paths = ['/v1/limits', '/v1/platform/tenants'];

/** Limits and what is left of them: a tenant's own view, or the operator's of one tenant. */
export function LimitsPanel({ tenantId, currency }: { tenantId: string | undefined; currency: string }) {
  const t = useT();
  const word = useWord('limit');
  const can = useCan();
  const isOperator = tenantId !== undefined;
  const own = useList('GET /v1/limits', {}, { enabled: !isOperator, every: 5_000 });
  const theirs = useList(
    'GET /v1/platform/tenants/{id}/limits',
    { path: { id: tenantId ?? '' } },
    { enabled: isOperator, every: 5_000 },
  );
  const names = useNames(!isOperator);
  const noun = isOperator ? 'platform-limits' : 'limits';
  const remove = (limit: Limit) =>
    (isOperator
      ? lintel.request('DELETE /v1/platform/tenants/{id}/limits/{limitId}', {
          path: { id: tenantId, limitId: limit.id },
        })
      : lintel.request('DELETE /v1/limits/{id}', { path: { id: limit.id } })
    ).then(() => refreshRoutes(paths));
  return (
    <Panel flush title={t('limits.title')} about={t(isOperator ? 'limits.operatorAbout' : 'limits.ownAbout')}>
      <DataTable
        label={t('limits.title')}
        rows={isOperator ? theirs : own}
        rowKey={(limit) => limit.id}
        columns={[
          {
            key: 'what',
            header: t('limits.what'),
            cell: (limit: Limit) => (
              <Group gap={6} wrap="nowrap">
                <Text size="sm" fw={500} className="whole">
                  {word(`${limit.resource}.${limit.window}`)}
                </Text>
                {!limit.enabled && <Status value="disabled" />}
              </Group>
            ),
          },
          { key: 'scope', header: t('limits.scope'), cell: (limit: Limit) => <Scope limit={limit} names={names} /> },
          {
            key: 'left',
            header: t('limits.headroom'),
            cell: (limit: Limit) => <Headroom limit={limit} currency={currency} />,
          },
          {
            key: 'resets',
            header: t('limits.resets'),
            wide: true,
            cell: (limit: Limit) =>
              limit.window === 'day' || limit.window === 'month' ? <When at={limit.resetsAt} /> : <Dash />,
          },
          {
            key: 'act',
            header: t('label.actions'),
            align: 'end',
            cell: (limit: Limit) =>
              can(`${noun}:delete`) && (isOperator || limit.scope !== 'tenant') ? (
                <ConfirmButton
                  icon="trash"
                  label={t('limits.remove')}
                  title={t('limits.remove')}
                  about={t('limits.removeAbout', { limit: word(`${limit.resource}.${limit.window}`) })}
                  act={() => remove(limit)}
                />
              ) : null,
          },
        ]}
        empty={<Empty icon="limits" title={t('limits.empty')} about={t('limits.emptyAbout')} />}
      />
      {can(`${noun}:create`) && <NewLimit tenantId={tenantId} currency={currency} />}
    </Panel>
  );
}

/** Names of the tenant's keys and agents by id. */
function useNames(enabled: boolean): ReadonlyMap<string, string> {
  const keys = useGet('GET /v1/api-keys', { query: { limit: 200 } }, { enabled });
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } }, { enabled });
  return new Map([...(keys.data?.data ?? []), ...(agents.data?.data ?? [])].map(({ id, name }) => [id, name]));
}

function Scope({ limit, names }: { limit: Limit; names: ReadonlyMap<string, string> }) {
  const t = useT();
  if (limit.scope === 'tenant') return <Text size="sm">{t('limits.scope.tenant')}</Text>;
  return (
    <Text size="sm">
      {t(limit.scope === 'key' ? 'limits.scope.key' : 'limits.scope.agent')}{' '}
      <bdi>{names.get(limit.scopeId ?? '') ?? limit.scopeId}</bdi>
    </Text>
  );
}

/** How much of a limit is used and reserved, in words and as a bar. */
function Headroom({ limit, currency }: { limit: Limit; currency: string }) {
  const t = useT();
  const format = useFormat();
  const show = (amount: string) =>
    limit.resource === 'money' ? format.money(amount, currency) : format.number(amount);
  if (limit.resource === 'requests') return <bdi className="numbers">{show(limit.amount)}</bdi>;
  const total = Math.max(Number(limit.amount), Number.MIN_VALUE);
  const used = Math.min(100, (Number(limit.used) / total) * 100);
  const reserved = Math.min(100 - used, (Number(limit.reserved) / total) * 100);
  return (
    <Stack gap={3} miw={150}>
      <Text size="xs">{t('limits.leftOf', { remaining: show(limit.remaining), amount: show(limit.amount) })}</Text>
      <Progress.Root size={6} aria-label={t('limits.headroom')}>
        <Progress.Section
          value={used}
          color={used > 90 ? 'red' : used > 70 ? 'yellow' : 'ink'}
          aria-label={t('limits.used')}
        />
        <Progress.Section value={reserved} color="gray.5" aria-label={t('limits.reserved')} />
      </Progress.Root>
    </Stack>
  );
}

const windows: Record<string, readonly string[]> = {
  requests: ['second'],
  concurrency: ['none'],
  tokens: ['day', 'month'],
  money: ['day', 'month'],
};

function NewLimit({ tenantId, currency }: { tenantId: string | undefined; currency: string }) {
  const t = useT();
  const word = useWord('limit');
  const isOperator = tenantId !== undefined;
  const [scope, setScope] = useState(isOperator ? 'tenant' : 'key');
  const [scopeId, setScopeId] = useState<string | null>(null);
  const [kind, setKind] = useState('money.month');
  const [amount, setAmount] = useState<string | number>('');
  const create = useSend('POST /v1/limits', paths);
  const createFor = useSend('POST /v1/platform/tenants/{id}/limits', paths);
  const keys = useGet('GET /v1/api-keys', { query: { limit: 200 } }, { enabled: !isOperator });
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } }, { enabled: !isOperator });
  const things = (scope === 'key' ? keys.data?.data : agents.data?.data) ?? [];
  const kinds = Object.entries(windows).flatMap(([resource, list]) => list.map((window) => `${resource}.${window}`));
  const [resource = '', window = ''] = kind.split('.');
  const error = create.error ?? createFor.error;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const body = {
          scope,
          resource,
          window,
          amount: decimalText(amount),
          ...(scope !== 'tenant' && { scopeId }),
        } as never;
        const done = { onSuccess: () => setAmount('') };
        if (isOperator) createFor.mutate({ path: { id: tenantId }, body }, done);
        else create.mutate({ body }, done);
      }}
    >
      <Stack gap="xs" p="md" pt="xs">
        <Group gap="xs" align="flex-end">
          {!isOperator && (
            <>
              <Select
                label={t('limits.scope')}
                w={120}
                allowDeselect={false}
                data={(['key', 'agent'] as const).map((value) => ({ value, label: t(`limits.scope.${value}`) }))}
                value={scope}
                onChange={(value) => {
                  setScope(value ?? 'key');
                  setScopeId(null);
                }}
              />
              <Select
                label={t('limits.which')}
                w={200}
                required
                searchable
                data={things.map((thing) => ({ value: thing.id, label: thing.name }))}
                value={scopeId}
                onChange={setScopeId}
              />
            </>
          )}
          <Select
            label={t('limits.what')}
            w={220}
            allowDeselect={false}
            data={kinds.map((value) => ({ value, label: word(value) }))}
            value={kind}
            onChange={(value) => setKind(value ?? kind)}
          />
          <NumberInput
            label={resource === 'money' ? t('limits.amountIn', { currency }) : t('limits.amount')}
            w={140}
            required
            min={0}
            allowDecimal={resource === 'money'}
            value={amount}
            onChange={setAmount}
          />
          <Button type="submit" variant="default" loading={create.isPending || createFor.isPending}>
            {t('limits.add')}
          </Button>
        </Group>
        {error !== null && <ProblemNotice error={error} />}
      </Stack>
    </form>
  );
}
