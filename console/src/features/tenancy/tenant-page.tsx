import type { Answer } from '@lintel/sdk';
import { Button, Group, NumberInput, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { ToolTrustPanel } from '#features/agents/tool-trust-panel.tsx';
import { InvoiceTable } from '#features/billing/invoice-table.tsx';
import { SubscriptionPanel } from '#features/billing/subscription-panel.tsx';
import { LimitsPanel } from '#features/quota/limits-panel.tsx';
import { lintel, refreshRoutes, useGet, useList, useSend } from '#lib/api.ts';
import { When } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { TextLink, useParam } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { Copyable, Facts, Page, Panel } from '#ui/page.tsx';
import { Found, ProblemNotice } from '#ui/problem.tsx';
import { Invited } from '#ui/secret.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

type Tenant = Answer<'GET /v1/platform/tenants/{id}'>;

/** One tenant as the operator sees it: state, limits, plan, invitation, and how it ends. */
export function TenantPage() {
  const id = useParam('tenantId');
  const query = useGet('GET /v1/platform/tenants/{id}', { path: { id } });
  return <Found query={query}>{(tenant) => <TenantView key={tenant.id} tenant={tenant} />}</Found>;
}

function TenantView({ tenant }: { tenant: Tenant }) {
  const t = useT();
  const can = useCan();
  const path = { id: tenant.id };
  const refresh = () => refreshRoutes(['/v1/platform/tenants']);
  const suspend = async () => {
    await lintel.request('POST /v1/platform/tenants/{id}/suspend', { path, body: {} });
    await refresh();
  };
  const reactivate = async () => {
    await lintel.request('POST /v1/platform/tenants/{id}/reactivate', { path });
    await refresh();
  };
  return (
    <Page
      title={tenant.name}
      badge={
        <Group gap={6}>
          <Status value={tenant.status} />
          <DemoMark when={tenant.demo} />
        </Group>
      }
      actions={
        can('platform-tenants:suspend') &&
        (tenant.status === 'active' ? (
          <ConfirmButton
            key="suspend"
            size="xs"
            label={t('tenant.suspend')}
            title={t('tenant.suspendTitle', { name: tenant.name })}
            about={t('tenant.suspendAbout')}
            act={suspend}
          />
        ) : tenant.status === 'deleted' ? null : (
          <ConfirmButton
            key="reactivate"
            size="xs"
            label={t('tenant.reactivate')}
            title={t('tenant.reactivateTitle', { name: tenant.name })}
            about={t('tenant.reactivateAbout')}
            act={reactivate}
          />
        ))
      }
    >
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Panel title={t('tenant.facts')}>
          <Facts
            rows={[
              [t('label.id'), <Copyable key="id" value={tenant.id} />],
              [
                t('tenant.slug'),
                <bdi key="slug" className="mono">
                  {tenant.slug}
                </bdi>,
              ],
              [t('field.locale'), tenant.locale],
              [t('field.timeZone'), tenant.timeZone],
              [t('field.currency'), tenant.currency],
              [t('label.created'), <When key="created" at={tenant.createdAt} />],
              ...(tenant.deleteAfter === null
                ? []
                : ([[t('tenant.deleteAfter'), <When key="del" at={tenant.deleteAfter} />]] as const)),
              [
                t('tenant.log'),
                <Group key="log" gap="md">
                  <TextLink size="sm" to="/operator/calls" search={{ tenantId: tenant.id }}>
                    {t('nav.calls')}
                  </TextLink>
                  <TextLink size="sm" to="/operator/audit" search={{ tenantId: tenant.id }}>
                    {t('nav.audit')}
                  </TextLink>
                </Group>,
              ],
            ]}
          />
        </Panel>
        <Stack gap="sm">
          {can('platform-plans:read') && <SubscriptionPanel tenantId={tenant.id} />}
          {can('platform-tenants:invite') && <InvitePanel tenantId={tenant.id} />}
        </Stack>
      </SimpleGrid>
      {can('platform-limits:read') && <LimitsPanel tenantId={tenant.id} currency={tenant.currency} />}
      {can('platform-tools:update') && can('platform-audit-events:read') && <ToolTrustPanel tenantId={tenant.id} />}
      {can('platform-invoices:read') && <TenantInvoices tenantId={tenant.id} />}
      {can('platform-tenants:delete') && tenant.status !== 'deleted' && (
        <DeletePanel tenant={tenant} onDone={refresh} />
      )}
    </Page>
  );
}

function TenantInvoices({ tenantId }: { tenantId: string }) {
  const t = useT();
  const invoices = useList('GET /v1/platform/invoices', { query: { tenantId, includeDemo: true } });
  return <InvoiceTable title={t('nav.invoices')} rows={invoices} emptyAbout={t('invoices.tenantEmpty')} />;
}

function InvitePanel({ tenantId }: { tenantId: string }) {
  const t = useT();
  const [email, setEmail] = useState('');
  const invite = useSend('POST /v1/platform/tenants/{id}/invitations');
  return (
    <Panel title={t('tenant.invite')} about={t('tenant.inviteAbout')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          invite.mutate(
            { path: { id: tenantId }, body: { email: email.trim(), roles: ['owner'] } },
            { onSuccess: () => setEmail('') },
          );
        }}
      >
        <Stack gap="sm">
          <Group gap="xs" align="flex-end">
            <TextInput
              flex={1}
              label={t('field.email')}
              type="email"
              required
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
            <Button type="submit" loading={invite.isPending}>
              {t('invite.send')}
            </Button>
          </Group>
          {invite.error !== null && <ProblemNotice error={invite.error} />}
          {invite.data !== undefined && <Invited email={invite.variables.body.email} link={invite.data.link} />}
        </Stack>
      </form>
    </Panel>
  );
}

function DeletePanel({ tenant, onDone }: { tenant: Tenant; onDone: () => Promise<void> }) {
  const t = useT();
  const [graceDays, setGraceDays] = useState<number | string>(30);
  return (
    <Panel title={t('tenant.delete')} about={t('tenant.deleteAbout')}>
      <ConfirmButton
        label={t('tenant.delete')}
        color="red"
        variant="light"
        title={t('tenant.deleteTitle', { name: tenant.name })}
        about={t('tenant.deleteWarning')}
        typed={tenant.slug}
        act={async () => {
          await lintel.request('DELETE /v1/platform/tenants/{id}', {
            path: { id: tenant.id },
            query: { graceDays: Number(graceDays) },
          });
          await onDone();
        }}
      >
        <NumberInput label={t('tenant.graceDays')} min={0} max={90} value={graceDays} onChange={setGraceDays} />
      </ConfirmButton>
    </Panel>
  );
}
