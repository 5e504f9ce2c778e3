import { Button, Group, Select, Text } from '@mantine/core';
import { useState } from 'react';

import { useGet, useSend } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { useCan } from '#lib/session.ts';
import { Panel } from '#ui/page.tsx';
import { notifyDone, ProblemNotice } from '#ui/problem.tsx';

/** The plan a tenant is on, and the way to another. */
export function SubscriptionPanel({ tenantId }: { tenantId: string }) {
  const t = useT();
  const can = useCan();
  const path = { id: tenantId };
  const plans = useGet('GET /v1/platform/plans');
  const now = useGet('GET /v1/platform/tenants/{id}/subscription', { path });
  const put = useSend('PUT /v1/platform/tenants/{id}/subscription', [`/v1/platform/tenants`]);
  const [planId, setPlanId] = useState<string | null>(null);
  return (
    <Panel title={t('subscription.title')} about={t('subscription.about')}>
      {now.data !== undefined && (
        <Text size="sm" mb="xs">
          {t('subscription.now', { plan: now.data.plan.name })}
        </Text>
      )}
      {can('platform-subscriptions:update') && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (planId !== null)
              put.mutate({ path, body: { planId } }, { onSuccess: () => notifyDone(t('subscription.done')) });
          }}
        >
          <Group gap="xs" align="flex-end">
            <Select
              flex={1}
              label={t('subscription.plan')}
              placeholder={t('subscription.choose')}
              data={(plans.data?.data ?? []).map((plan) => ({
                value: plan.id,
                label: `${plan.name} (${plan.currency})`,
              }))}
              value={planId}
              onChange={setPlanId}
            />
            <Button type="submit" variant="default" disabled={planId === null} loading={put.isPending}>
              {t('subscription.change')}
            </Button>
          </Group>
        </form>
      )}
      {put.error !== null && <ProblemNotice error={put.error} />}
    </Panel>
  );
}
