import { Button, Group, PasswordInput, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';

import { type Definition, newNative, trimDefinition } from '#features/agents/definition.ts';
import { DefinitionForm } from '#features/agents/definition-form.tsx';
import { useSend } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { useGo } from '#lib/navigation.tsx';
import { Page, Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';

/** Defines a new agent, or connects one that runs elsewhere. */
export function NewAgentPage() {
  const t = useT();
  const go = useGo();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [definition, setDefinition] = useState<Definition>(newNative);
  const [authorization, setAuthorization] = useState('');
  const create = useSend('POST /v1/agents', ['/v1/agents', '/v1/models']);
  return (
    <Page title={t('agents.create')} about={t('agents.createAbout')}>
      <Panel>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate(
              {
                body: {
                  name,
                  description,
                  definition: trimDefinition(definition),
                  ...(definition.kind === 'external' &&
                    authorization !== '' && { headers: { Authorization: authorization } }),
                },
              },
              { onSuccess: (agent) => go(`/app/agents/${agent.id}`) },
            );
          }}
        >
          <Stack gap="md">
            <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
              <TextInput
                label={t('label.name')}
                description={t('agents.nameAbout', { name: name === '' ? 'support' : name })}
                required
                autoFocus
                pattern="[a-z][a-z0-9]*(-[a-z0-9]+)*"
                maxLength={40}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
              />
              <TextInput
                label={t('agents.description')}
                description={t('agents.descriptionAbout')}
                value={description}
                onChange={(event) => setDescription(event.currentTarget.value)}
              />
            </SimpleGrid>
            <DefinitionForm value={definition} onChange={setDefinition} isNew />
            {definition.kind === 'external' && (
              <PasswordInput
                label={t('agents.authorization')}
                description={t('agents.authorizationAbout')}
                autoComplete="off"
                value={authorization}
                onChange={(event) => setAuthorization(event.currentTarget.value)}
              />
            )}
            {create.error !== null && <ProblemNotice error={create.error} />}
            <Group>
              <Button type="submit" loading={create.isPending}>
                {t('agents.create')}
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
    </Page>
  );
}
