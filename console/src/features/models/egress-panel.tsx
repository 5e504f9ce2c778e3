import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';

import { useTenantNames } from '#features/tenancy/tenant-names.ts';
import { lintel, refreshRoutes, useList, useSend } from '#lib/api.ts';
import { When } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { TextLink } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Empty, Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';

/** Private and loopback addresses that tenants' providers, tools and agents may reach; none by itself. */
export function EgressPanel() {
  const t = useT();
  const can = useCan();
  const rules = useList('GET /v1/platform/egress-rules');
  const create = useSend('POST /v1/platform/egress-rules', ['/v1/platform/egress-rules']);
  const [target, setTarget] = useState('');
  const [note, setNote] = useState('');
  const remove = (id: string) =>
    lintel
      .request('DELETE /v1/platform/egress-rules/{id}', { path: { id } })
      .then(() => refreshRoutes(['/v1/platform/egress-rules']));
  return (
    <Panel flush title={t('egress.title')} about={t('egress.about')}>
      <DataTable
        label={t('egress.title')}
        rows={rules}
        rowKey={(rule) => rule.id}
        columns={[
          { key: 'target', header: t('egress.target'), cell: (rule) => <bdi className="mono">{rule.target}</bdi> },
          { key: 'who', header: t('label.tenant'), cell: (rule) => <RuleTenant id={rule.tenantId} /> },
          { key: 'note', header: t('egress.note'), wide: true, cell: (rule) => rule.note },
          { key: 'created', header: t('label.created'), wide: true, cell: (rule) => <When at={rule.createdAt} /> },
          {
            key: 'act',
            header: t('label.actions'),
            align: 'end',
            cell: (rule) =>
              can('platform-egress-rules:delete') && (
                <ConfirmButton
                  icon="trash"
                  label={t('egress.remove', { target: rule.target })}
                  title={t('egress.remove', { target: rule.target })}
                  about={t('egress.removeAbout')}
                  act={() => remove(rule.id)}
                />
              ),
          },
        ]}
        empty={<Empty title={t('egress.empty')} about={t('egress.emptyAbout')} />}
      />
      {can('platform-egress-rules:create') && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate(
              { body: { target: target.trim(), note: note.trim() } },
              {
                onSuccess: () => {
                  setTarget('');
                  setNote('');
                },
              },
            );
          }}
        >
          <Stack gap="xs" p="md" pt="xs">
            <Group gap="xs" align="flex-end">
              <TextInput
                label={t('egress.target')}
                placeholder="127.0.0.1:11434"
                required
                value={target}
                onChange={(event) => setTarget(event.currentTarget.value)}
              />
              <TextInput
                label={t('egress.note')}
                value={note}
                onChange={(event) => setNote(event.currentTarget.value)}
              />
              <Button type="submit" variant="default" loading={create.isPending}>
                {t('egress.allow')}
              </Button>
            </Group>
            {create.error !== null && <ProblemNotice error={create.error} />}
          </Stack>
        </form>
      )}
    </Panel>
  );
}

/** Whose rule it is. */
function RuleTenant({ id }: { id: string | null }) {
  const t = useT();
  const names = useTenantNames(id === null ? [] : [id]);
  if (id === null) return t('egress.all');
  return (
    <TextLink size="sm" to={`/operator/tenants/${id}`}>
      <bdi>{names.get(id) ?? id}</bdi>
    </TextLink>
  );
}
