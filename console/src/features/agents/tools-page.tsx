import { Badge, Button, Group, Modal, PasswordInput, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';

import { lintel, refreshRoutes, useList, useSend } from '#lib/api.ts';
import { When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { More, Waiting } from '#ui/data-table.tsx';
import { Icon } from '#ui/icons.tsx';
import { Empty, Page, Panel } from '#ui/page.tsx';
import { notifyProblem, ProblemNotice } from '#ui/problem.tsx';

/** Sources of tools: MCP servers and OpenAPI documents that agents may use. */
export function ToolsPage() {
  const t = useT();
  const word = useWord('toolKind');
  const can = useCan();
  const [filters, change] = useFilters();
  const tools = useList('GET /v1/tools');
  const refresh = useSend('POST /v1/tools/{id}/refresh', ['/v1/tools']);
  const add = (
    <Button leftSection={<Icon name="plus" />} onClick={() => change({ add: 'yes' })}>
      {t('tools.add')}
    </Button>
  );
  return (
    <Page title={t('nav.tools')} about={t('tools.about')} actions={can('tools:create') && add}>
      <Waiting rows={tools} />
      {tools.items?.length === 0 && (
        <Panel>
          <Empty icon="tools" title={t('tools.empty')} about={t('tools.emptyAbout')}>
            {can('tools:create') && add}
          </Empty>
        </Panel>
      )}
      {tools.items?.map((tool) => (
        <Panel
          key={tool.id}
          title={tool.name}
          about={word(tool.kind)}
          actions={
            <Group gap="xs">
              {tool.hasSecrets && <Badge color="gray">{t('tools.secrets')}</Badge>}
              {tool.kind !== 'openapi' && (
                <Badge color={tool.trusted ? 'teal' : 'gray'}>
                  {t(tool.trusted ? 'tools.trusted' : 'tools.untrusted')}
                </Badge>
              )}
              {can('tools:update') && (
                <Button
                  size="xs"
                  variant="default"
                  loading={refresh.isPending && refresh.variables.path.id === tool.id}
                  onClick={() => refresh.mutate({ path: { id: tool.id } }, { onError: notifyProblem })}
                >
                  {t('tools.refresh')}
                </Button>
              )}
              {can('tools:delete') && (
                <ConfirmButton
                  size="xs"
                  variant="light"
                  color="red"
                  label={t('action.delete')}
                  title={t('tools.deleteTitle', { name: tool.name })}
                  about={t('tools.deleteAbout')}
                  act={async () => {
                    await lintel.request('DELETE /v1/tools/{id}', { path: { id: tool.id } });
                    await refreshRoutes(['/v1/tools']);
                  }}
                />
              )}
            </Group>
          }
        >
          <Stack gap={6}>
            <Text size="xs" c="dimmed">
              {t('tools.refreshed')} <When at={tool.refreshedAt} />
            </Text>
            {tool.functions.map((each) => (
              <Group key={each.name} gap="sm" wrap="nowrap" align="flex-start">
                <Badge color={each.readOnly ? 'gray' : 'orange'} tt="none" style={{ flex: 'none' }}>
                  {each.name}
                </Badge>
                <Text size="sm" c="dimmed" lineClamp={2}>
                  {each.description}
                </Text>
              </Group>
            ))}
          </Stack>
        </Panel>
      ))}
      <More rows={tools} />
      <AddDialog opened={filters['add'] === 'yes'} onClose={() => change({ add: undefined })} />
    </Page>
  );
}

function AddDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const t = useT();
  const word = useWord('toolKind');
  const [name, setName] = useState('');
  const [kind, setKind] = useState('mcp_http');
  const [place, setPlace] = useState('');
  const [document, setDocument] = useState('');
  const [authorization, setAuthorization] = useState('');
  const [variables, setVariables] = useState('');
  const [wrong, setWrong] = useState<unknown>(null);
  const create = useSend('POST /v1/tools', ['/v1/tools']);
  const configOf = () => {
    if (kind === 'mcp_http') return { kind, url: place };
    if (kind === 'mcp_stdio') return { kind, command: place };
    return document.trim() === ''
      ? { kind, documentUrl: place }
      : { kind, document: documentOf(document), ...(place !== '' && { baseUrl: place }) };
  };
  const documentOf = (text: string) => {
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch {
      throw new Error(t('tools.documentWrong'));
    }
  };
  const secretsOf = () => {
    if (kind !== 'mcp_stdio') return authorization === '' ? undefined : { Authorization: authorization };
    const lines = variables.split('\n').filter((line) => line.trim() !== '');
    if (lines.some((line) => !line.includes('='))) throw new Error(t('tools.variablesWrong'));
    return lines.length === 0 ? undefined : Object.fromEntries(lines.map(variableOf));
  };
  const submit = () => {
    setWrong(null);
    try {
      const secrets = secretsOf();
      create.mutate(
        { body: { name, config: configOf() as never, ...(secrets !== undefined && { secrets }) } },
        {
          onSuccess: () => {
            setName('');
            setPlace('');
            setDocument('');
            setAuthorization('');
            setVariables('');
            onClose();
          },
        },
      );
    } catch (error) {
      setWrong(error);
    }
  };
  const close = () => {
    // What was entered stays for the next time; what went wrong with it does not.
    setWrong(null);
    create.reset();
    onClose();
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={t('tools.add')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label={t('label.name')}
            required
            data-autofocus
            pattern="[a-z][a-z0-9]*(-[a-z0-9]+)*"
            maxLength={40}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Select
            label={t('tools.kind')}
            allowDeselect={false}
            data={['mcp_http', 'mcp_stdio', 'openapi'].map((value) => ({ value, label: word(value) }))}
            value={kind}
            onChange={(value) => setKind(value ?? kind)}
          />
          <TextInput
            label={t(kind === 'mcp_stdio' ? 'tools.command' : kind === 'openapi' ? 'tools.documentUrl' : 'tools.url')}
            description={t(kind === 'mcp_stdio' ? 'tools.commandAbout' : 'tools.urlAbout')}
            required={kind !== 'openapi' || document.trim() === ''}
            value={place}
            onChange={(event) => setPlace(event.currentTarget.value)}
          />
          {kind === 'openapi' && (
            <Textarea
              label={t('tools.document')}
              description={t('tools.documentAbout')}
              autosize
              minRows={3}
              maxRows={10}
              value={document}
              onChange={(event) => setDocument(event.currentTarget.value)}
            />
          )}
          {kind === 'mcp_stdio' && (
            <Textarea
              label={t('tools.variables')}
              description={t('tools.variablesAbout')}
              autosize
              minRows={2}
              maxRows={8}
              autoComplete="off"
              spellCheck={false}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
              value={variables}
              onChange={(event) => setVariables(event.currentTarget.value)}
            />
          )}
          {kind !== 'mcp_stdio' && (
            <PasswordInput
              label={t('agents.authorization')}
              description={t('agents.authorizationAbout')}
              autoComplete="off"
              value={authorization}
              onChange={(event) => setAuthorization(event.currentTarget.value)}
            />
          )}
          {wrong !== null && <ProblemNotice error={wrong} />}
          {create.error !== null && <ProblemNotice error={create.error} />}
          <Group justify="flex-end">
            <Button type="submit" loading={create.isPending}>
              {t('tools.add')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** `NAME=value`: the value may hold further `=`. */
function variableOf(line: string): [name: string, value: string] {
  const at = line.indexOf('=');
  return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}
