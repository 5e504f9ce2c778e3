import type { Item } from '@lintel/sdk';
import { Badge, Button, Group, Stack, Switch, Text } from '@mantine/core';

import { UnitPrice } from '#features/billing/invoice-table.tsx';
import { PlanDialog } from '#features/billing/plan-dialog.tsx';
import { useTenantNames } from '#features/tenancy/tenant-names.ts';
import { useGet } from '#lib/api.ts';
import { Dash, Money, Num } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { TextLink, useFilters } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { DataTable } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { Copyable, Empty, Page, Panel } from '#ui/page.tsx';
import { Found } from '#ui/problem.tsx';
import { DemoMark } from '#ui/status.tsx';

/** What tenants are charged, and what is left of it after the providers' bills. */
export function PlansPage() {
  const t = useT();
  const plans = useGet('GET /v1/platform/plans');
  const can = useCan();
  const [filters, change] = useFilters();
  const includeDemo = filters['demo'] === 'yes';
  const margins = useGet(
    'GET /v1/platform/margins',
    { query: { ...monthOf(new Date()), includeDemo } },
    { every: 30_000 },
  );
  const names = useTenantNames(margins.data?.data.map(({ tenantId }) => tenantId));
  return (
    <Page
      title={t('nav.plans')}
      about={t('plans.about')}
      actions={
        can('platform-plans:create') && (
          <Button leftSection={<Icon name="plus" />} onClick={() => change({ plan: 'new' })}>
            {t('plans.new')}
          </Button>
        )
      }
    >
      <Panel
        flush
        title={t('plans.margins')}
        about={t('plans.marginsAbout')}
        actions={
          <Switch
            label={t('label.showDemo')}
            checked={includeDemo}
            onChange={(event) => change({ demo: event.currentTarget.checked ? 'yes' : undefined })}
          />
        }
      >
        <DataTable
          label={t('plans.margins')}
          rows={{ items: margins.data?.data, error: margins.error, refetch: margins.refetch }}
          rowKey={(row) => JSON.stringify([row.tenantId, row.agentId, row.currency])}
          columns={[
            {
              key: 'tenant',
              header: t('label.tenant'),
              cell: (row) => (
                <TextLink to={`/operator/tenants/${row.tenantId}`} size="sm">
                  <bdi>{names.get(row.tenantId) ?? row.tenantId}</bdi>
                </TextLink>
              ),
            },
            {
              key: 'agent',
              header: t('usage.group.agent'),
              wide: true,
              cell: (row) => (row.agentId === null ? <Dash /> : (row.agentName ?? <Copyable value={row.agentId} />)),
            },
            {
              key: 'price',
              header: t('plans.price'),
              align: 'end',
              cell: (row) => <Money amount={row.price} currency={row.currency} />,
            },
            {
              key: 'cost',
              header: t('plans.cost'),
              align: 'end',
              cell: (row) => <Money amount={row.cost} currency={row.currency} />,
            },
            {
              key: 'margin',
              header: t('plans.margin'),
              align: 'end',
              cell: (row) => <Money amount={row.margin} currency={row.currency} />,
            },
          ]}
          empty={<Empty icon="plans" title={t('plans.noMargins')} />}
        />
      </Panel>
      <Found query={plans}>
        {({ data }) => (
          <Stack gap="sm">
            {data.length === 0 && (
              <Panel>
                <Empty icon="plans" title={t('plans.empty')} about={t('plans.emptyAbout')} />
              </Panel>
            )}
            {(filters['plan'] === 'new' || data.some(({ id }) => id === filters['plan'])) && (
              <PlanDialog
                key={filters['plan']}
                plan={data.find(({ id }) => id === filters['plan'])}
                onClose={() => change({ plan: undefined })}
              />
            )}
            {data.map((plan) => (
              <Panel
                key={plan.id}
                title={plan.name}
                about={`${plan.currency} · ${t('invoices.planVersion', { version: plan.version })}`}
                actions={
                  <Group gap={6}>
                    <DemoMark when={plan.demo} />
                    {plan.isDefault && <Badge>{t('plans.default')}</Badge>}
                    {can('platform-plans:update') && (
                      <Button size="compact-xs" variant="default" onClick={() => change({ plan: plan.id })}>
                        {t('plans.edit')}
                      </Button>
                    )}
                  </Group>
                }
              >
                <Stack gap={4}>
                  {plan.recurringFee !== null && (
                    <Text size="sm">
                      {t('plans.fee')} <Money amount={plan.recurringFee} currency={plan.currency} />
                    </Text>
                  )}
                  {plan.prices.map((price) => (
                    <PriceLine key={price.id} price={price} currency={plan.currency} />
                  ))}
                </Stack>
              </Panel>
            ))}
          </Stack>
        )}
      </Found>
    </Page>
  );
}

type PlanPrice = Item<'GET /v1/platform/plans'>['prices'][number];

function PriceLine({ price, currency }: { price: PlanPrice; currency: string }) {
  const t = useT();
  const word = useWord('meter');
  const { price: rate } = price;
  const where = Object.entries(price.where ?? {}).map(([name, value]) => `${name}: ${String(value)}`);
  const steps = rate.tiers ?? (rate.unit === undefined ? [] : [{ unit: rate.unit, per: rate.per, upTo: null }]);
  return (
    <Group gap="sm">
      <Text size="sm" fw={500}>
        {word(price.meter)}
      </Text>
      {where.length > 0 && (
        <Text size="xs" c="dimmed">
          {where.join(' · ')}
        </Text>
      )}
      {steps.map((step) => (
        <Text key={step.upTo ?? 'rest'} size="sm">
          <UnitPrice unit={step.unit} per={step.per} currency={currency} />
          {step.upTo !== null && (
            <>
              {' '}
              {t('plans.upTo')} <Num value={step.upTo} />
            </>
          )}
        </Text>
      ))}
      {rate.included !== undefined && Number(rate.included) > 0 && (
        <Text size="xs" c="dimmed">
          {t('plans.included')} <Num value={rate.included} />
        </Text>
      )}
    </Group>
  );
}

/** The UTC month that holds a moment. */
function monthOf(at: Date): { from: string; to: string } {
  const month = (offset: number) => new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + offset, 1)).toISOString();
  return { from: month(0), to: month(1) };
}
