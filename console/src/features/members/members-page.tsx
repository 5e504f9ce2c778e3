import { Button, Group, Modal, MultiSelect, Select, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { lintel, refreshRoutes, useGet, useList, useSend } from '#lib/api.ts';
import { When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { useCan, useSession } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { DataTable } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { Empty, Page, Panel } from '#ui/page.tsx';
import { notifyProblem, ProblemNotice } from '#ui/problem.tsx';
import { Invited } from '#ui/secret.tsx';
import { Status } from '#ui/status.tsx';

/** The people of the tenant, their roles, and the way in for the next one. */
export function MembersPage() {
  const t = useT();
  const can = useCan();
  const session = useSession();
  const [filters, change] = useFilters();
  const members = useList('GET /v1/members');
  const roles = useRoles();
  const word = useWord('role');
  const update = useSend('PATCH /v1/members/{id}', ['/v1/members']);
  const remove = async (id: string) => {
    await lintel.request('DELETE /v1/members/{id}', { path: { id } });
    await refreshRoutes(['/v1/members']);
  };
  return (
    <Page
      title={t('nav.members')}
      about={t('members.about')}
      actions={
        can('members:invite') && (
          <Button leftSection={<Icon name="plus" />} onClick={() => change({ invite: 'yes' })}>
            {t('members.invite')}
          </Button>
        )
      }
    >
      <Panel flush>
        <DataTable
          label={t('nav.members')}
          rows={members}
          rowKey={(member) => member.id}
          columns={[
            {
              key: 'name',
              header: t('label.name'),
              cell: (member) => (
                <div>
                  <Text size="sm" fw={500}>
                    <bdi>{member.name || member.email}</bdi>
                  </Text>
                  <Text size="xs" c="dimmed">
                    {member.email}
                  </Text>
                </div>
              ),
            },
            { key: 'status', header: t('label.status'), cell: (member) => <Status value={member.status} /> },
            {
              key: 'roles',
              header: t('members.roles'),
              cell: (member) =>
                can('members:update') && member.id !== session?.principal.id ? (
                  <Select
                    size="xs"
                    w={150}
                    allowDeselect={false}
                    aria-label={t('members.rolesOf', { name: member.name || member.email })}
                    data={rolesOf(member, roles, word)}
                    value={member.roles.join()}
                    onChange={(chosen) =>
                      chosen !== null &&
                      chosen !== member.roles.join() &&
                      update.mutate({ path: { id: member.id }, body: { roles: [chosen] } }, { onError: notifyProblem })
                    }
                  />
                ) : (
                  <Roles names={member.roles} />
                ),
            },
            {
              key: 'seen',
              header: t('members.lastSignIn'),
              wide: true,
              cell: (member) => <When at={member.lastSignInAt} />,
            },
            {
              key: 'act',
              header: t('label.actions'),
              align: 'end',
              cell: (member) =>
                can('members:delete') && member.id !== session?.principal.id ? (
                  <ConfirmButton
                    size="compact-xs"
                    variant="subtle"
                    color="red"
                    label={t('members.remove')}
                    title={t('members.removeTitle', { name: member.name || member.email })}
                    about={t('members.removeAbout')}
                    act={() => remove(member.id)}
                  />
                ) : null,
            },
          ]}
          empty={<Empty icon="members" title={t('members.empty')} />}
        />
      </Panel>
      {can('members:read') && <Invitations />}
      <InviteDialog opened={filters['invite'] === 'yes'} onClose={() => change({ invite: undefined })} />
    </Page>
  );
}

function Invitations() {
  const t = useT();
  const can = useCan();
  const invitations = useGet('GET /v1/members/invitations');
  if (invitations.data === undefined || invitations.data.data.length === 0) return null;
  return (
    <Panel flush title={t('members.invitations')}>
      <DataTable
        label={t('members.invitations')}
        rows={{ items: invitations.data.data }}
        rowKey={(invitation) => invitation.id}
        columns={[
          { key: 'email', header: t('field.email'), cell: (invitation) => invitation.email },
          { key: 'roles', header: t('members.roles'), cell: (invitation) => <Roles names={invitation.roles} /> },
          {
            key: 'expires',
            header: t('keys.expires'),
            wide: true,
            cell: (invitation) => <When at={invitation.expiresAt} />,
          },
          {
            key: 'act',
            header: t('label.actions'),
            align: 'end',
            cell: (invitation) =>
              can('members:invite') && (
                <ConfirmButton
                  size="compact-xs"
                  variant="subtle"
                  color="red"
                  label={t('members.withdraw')}
                  title={t('members.withdrawTitle', { email: invitation.email })}
                  about={t('members.withdrawAbout')}
                  act={async () => {
                    await lintel.request('DELETE /v1/members/invitations/{id}', { path: { id: invitation.id } });
                    await refreshRoutes(['/v1/members']);
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

function Roles({ names }: { names: string[] }) {
  const word = useWord('role');
  return <Text size="sm">{names.map(word).join(', ')}</Text>;
}

/** Roles to choose from; what somebody has of several stands there as it is, until one takes its place. */
function rolesOf(
  { roles }: { roles: string[] },
  choices: { value: string; label: string }[],
  word: (role: string) => string,
): { value: string; label: string }[] {
  if (roles.length === 1) return choices;
  return [{ value: roles.join(), label: roles.map(word).join(', ') || '–' }, ...choices];
}

function useRoles(): { value: string; label: string }[] {
  const word = useWord('role');
  const roles = useGet('GET /v1/roles');
  return (roles.data?.data ?? []).map(({ name }) => ({ value: name, label: word(name) }));
}

function InviteDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const t = useT();
  const roles = useRoles();
  const [email, setEmail] = useState('');
  const [chosen, setChosen] = useState<string[]>(['developer']);
  const invite = useSend('POST /v1/members', ['/v1/members']);
  const close = () => {
    invite.reset();
    setEmail('');
    onClose();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={t('members.invite')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      {invite.data === undefined ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            invite.mutate({ body: { email: email.trim(), roles: chosen } });
          }}
        >
          <Stack gap="sm">
            <TextInput
              label={t('field.email')}
              type="email"
              required
              data-autofocus
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
            <MultiSelect label={t('members.roles')} required data={roles} value={chosen} onChange={setChosen} />
            {invite.error !== null && <ProblemNotice error={invite.error} />}
            <Group justify="flex-end">
              <Button type="submit" loading={invite.isPending} disabled={chosen.length === 0}>
                {t('invite.send')}
              </Button>
            </Group>
          </Stack>
        </form>
      ) : (
        <Invited email={invite.variables.body.email} link={invite.data.link} />
      )}
    </Modal>
  );
}
