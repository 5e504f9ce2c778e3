import type { Answer } from '@lintel/sdk';
import { Badge, Button, Group, PasswordInput, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { localeChoices, zoneChoices } from '#features/tenancy/onboard-wizard.tsx';
import { lintel, queries, refreshRoutes, useGet, useSend } from '#lib/api.ts';
import { clientName } from '#lib/client-name.ts';
import { When } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { minPasswordLength } from '#lib/password.ts';
import { useCan, useSession } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Copyable, Facts, Page, Panel } from '#ui/page.tsx';
import { Found, notifyDone, ProblemNotice } from '#ui/problem.tsx';

/** The tenant's name, language and time zone, and one's own password. */
export function SettingsPage() {
  const t = useT();
  const query = useGet('GET /v1/tenant');
  return (
    <Page title={t('nav.settings')} about={t('settings.about')}>
      <Found query={query}>{(tenant) => <TenantSettings key={tenant.id} tenant={tenant} />}</Found>
      <OwnPassword />
      <OwnSessions />
    </Page>
  );
}

function TenantSettings({ tenant }: { tenant: Answer<'GET /v1/tenant'> }) {
  const t = useT();
  const can = useCan();
  const [name, setName] = useState(tenant.name);
  const [locale, setLocale] = useState(tenant.locale);
  const [timeZone, setTimeZone] = useState(tenant.timeZone);
  const save = useSend('PATCH /v1/tenant', ['/v1/tenant', '/v1/auth/session']);
  const submit = () => {
    save.mutate(
      { body: { name: name.trim(), locale, timeZone } },
      {
        onSuccess: () => {
          notifyDone(t('settings.saved'));
          void queries.refetchQueries({ queryKey: ['GET /v1/auth/session'] });
        },
      },
    );
  };
  const locales = localeChoices();
  if (!locales.some(({ value }) => value === tenant.locale))
    locales.push({ value: tenant.locale, label: tenant.locale });
  return (
    <Panel title={t('settings.tenant')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack gap="sm" maw={480}>
          <Facts
            rows={[
              [t('label.id'), <Copyable key="id" value={tenant.id} />],
              [t('field.currency'), tenant.currency],
            ]}
          />
          <TextInput
            label={t('field.tenantName')}
            required
            maxLength={120}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Select
            label={t('field.locale')}
            description={t('settings.localeAbout')}
            allowDeselect={false}
            data={locales}
            value={locale}
            onChange={(value) => setLocale(value ?? tenant.locale)}
          />
          <Select
            label={t('field.timeZone')}
            description={t('settings.zoneAbout')}
            searchable
            allowDeselect={false}
            data={zoneChoices()}
            value={timeZone}
            onChange={(value) => setTimeZone(value ?? tenant.timeZone)}
          />
          {save.error !== null && <ProblemNotice error={save.error} />}
          <Group>
            <Button type="submit" loading={save.isPending} disabled={!can('tenants:update')}>
              {t('action.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function OwnPassword() {
  const t = useT();
  const session = useSession();
  const [current, setCurrent] = useState('');
  const [password, setPassword] = useState('');
  const change = useSend('POST /v1/auth/password');
  return (
    <Panel title={t('settings.password')} about={t('settings.passwordAbout')}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate(
            { body: { ...(current !== '' && { currentPassword: current }), newPassword: password } },
            {
              onSuccess: () => {
                setCurrent('');
                setPassword('');
                notifyDone(t('settings.passwordDone'));
              },
            },
          );
        }}
      >
        <Stack gap="sm" maw={480}>
          {session?.passwordSet === true && (
            <PasswordInput
              label={t('settings.currentPassword')}
              required
              autoComplete="current-password"
              value={current}
              onChange={(event) => setCurrent(event.currentTarget.value)}
            />
          )}
          <PasswordInput
            label={t('settings.newPassword')}
            description={t('invite.password', { count: minPasswordLength })}
            autoComplete="new-password"
            required
            minLength={minPasswordLength}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {change.error !== null && <ProblemNotice error={change.error} />}
          <Group>
            <Button type="submit" loading={change.isPending}>
              {t('settings.passwordSave')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function OwnSessions() {
  const t = useT();
  const sessions = useGet('GET /v1/auth/sessions');
  return (
    <Panel flush title={t('settings.sessions')} about={t('settings.sessionsAbout')}>
      <DataTable
        label={t('settings.sessions')}
        rows={{ items: sessions.data?.data, error: sessions.error, refetch: sessions.refetch }}
        rowKey={(session) => session.id}
        columns={[
          {
            key: 'client',
            header: t('settings.client'),
            cell: (session) => (
              <Text size="sm" title={session.client}>
                {clientName(session.client)}
              </Text>
            ),
          },
          {
            key: 'ip',
            header: t('audit.from'),
            wide: true,
            cell: (session) => <bdi className="mono">{session.ip}</bdi>,
          },
          {
            key: 'seen',
            header: t('settings.lastSeen'),
            wide: true,
            cell: (session) => <When at={session.lastSeenAt} />,
          },
          {
            key: 'act',
            header: t('label.actions'),
            align: 'end',
            cell: (session) =>
              session.current ? (
                <Badge>{t('settings.thisSession')}</Badge>
              ) : (
                <ConfirmButton
                  size="compact-xs"
                  variant="subtle"
                  color="red"
                  label={t('settings.endSession')}
                  title={t('settings.endSession')}
                  about={t('settings.endSessionAbout')}
                  act={async () => {
                    await lintel.request('DELETE /v1/auth/sessions/{id}', { path: { id: session.id } });
                    await refreshRoutes(['/v1/auth/sessions']);
                  }}
                />
              ),
          },
        ]}
        empty={null}
      />
    </Panel>
  );
}
