import { Button, Group, Select } from '@mantine/core';

import { OnboardWizard } from '#features/tenancy/onboard-wizard.tsx';
import { lintel, refreshRoutes, useGet, useList } from '#lib/api.ts';
import { When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useFilters, useGo } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { EmptyList, FilterText } from '#ui/filters.tsx';
import { Icon } from '#ui/icons.tsx';
import { Copyable, Empty, Page, Panel } from '#ui/page.tsx';
import { DemoMark, Status } from '#ui/status.tsx';

/** All tenants; from here a new one is brought in. */
export function TenantsPage() {
  const t = useT();
  const word = useWord('status');
  const can = useCan();
  const go = useGo();
  const [filters, change] = useFilters();
  const query = {
    ...(filters['search'] && { search: filters['search'] }),
    ...(filters['status'] && { status: filters['status'] as 'active' }),
  };
  const tenants = useList('GET /v1/platform/tenants', { query });
  const onboard = (
    <Button leftSection={<Icon name="plus" />} onClick={() => change({ onboard: 'yes' })}>
      {t('tenants.onboard')}
    </Button>
  );
  return (
    <Page
      title={t('nav.tenants')}
      about={t('tenants.about')}
      actions={
        <>
          {can('platform-tenants:delete') && <RemoveDemo />}
          {can('platform-tenants:create') && onboard}
        </>
      }
    >
      <Group gap="xs" className="filters">
        <FilterText typing name="search" label={t('tenants.search')} />
        <Select
          aria-label={t('label.status')}
          placeholder={t('label.status')}
          clearable
          w={160}
          data={['active', 'suspended', 'deleting', 'deleted'].map((value) => ({ value, label: word(value) }))}
          value={filters['status'] ?? null}
          onChange={(status) => change({ status: status ?? undefined })}
        />
      </Group>
      <Panel flush>
        <DataTable
          label={t('nav.tenants')}
          rows={tenants}
          rowKey={(tenant) => tenant.id}
          onOpen={(tenant) => go(`/operator/tenants/${tenant.id}`)}
          openLabel={(tenant) => tenant.name}
          columns={[
            {
              key: 'name',
              header: t('label.name'),
              cell: (tenant) => (
                <Group gap={6} wrap="nowrap">
                  <bdi>{tenant.name}</bdi>
                  <DemoMark when={tenant.demo} />
                </Group>
              ),
            },
            { key: 'status', header: t('label.status'), cell: (tenant) => <Status value={tenant.status} /> },
            { key: 'id', header: t('label.id'), wide: true, cell: (tenant) => <Copyable value={tenant.id} /> },
            { key: 'currency', header: t('field.currency'), wide: true, cell: (tenant) => tenant.currency },
            { key: 'zone', header: t('field.timeZone'), wide: true, cell: (tenant) => tenant.timeZone },
            {
              key: 'created',
              header: t('label.created'),
              align: 'end',
              cell: (tenant) => <When at={tenant.createdAt} />,
            },
          ]}
          empty={
            <EmptyList names={['search', 'status']}>
              <Empty icon="tenants" title={t('tenants.empty')} about={t('tenants.emptyAbout')}>
                {can('platform-tenants:create') && onboard}
              </Empty>
            </EmptyList>
          }
        />
      </Panel>
      <OnboardWizard opened={filters['onboard'] === 'yes'} onClose={() => change({ onboard: undefined })} />
    </Page>
  );
}

/** Deletes the demo tenants by the ordinary operation, at once; not offered when there are none. */
function RemoveDemo() {
  const t = useT();
  const demo = useGet('GET /v1/platform/tenants', { query: { demo: true, limit: 200 } });
  const present = (demo.data?.data ?? []).filter(({ status }) => status !== 'deleted' && status !== 'deleting');
  if (present.length === 0) return null;
  return (
    <ConfirmButton
      label={t('tenants.removeDemo')}
      title={t('tenants.removeDemo')}
      about={t('tenants.removeDemoAbout', { names: present.map(({ name }) => name).join(', ') })}
      act={async () => {
        for (const { id } of present)
          await lintel.request('DELETE /v1/platform/tenants/{id}', { path: { id }, query: { graceDays: 0 } });
        await refreshRoutes(['/v1/platform/tenants']);
      }}
    />
  );
}
