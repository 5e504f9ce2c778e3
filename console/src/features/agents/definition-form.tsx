import {
  ActionIcon,
  Autocomplete,
  Button,
  Checkbox,
  Fieldset,
  Group,
  NumberInput,
  SegmentedControl,
  Select,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';

import { useState } from 'react';

import { type Definition, type Guardrails, newExternal, newNative, type ToolUse } from '#features/agents/definition.ts';
import { useGet } from '#lib/api.ts';
import { decimalText } from '#lib/decimal.ts';
import { useT } from '#lib/i18n.tsx';
import { useCan, useSession } from '#lib/session.ts';
import { Icon } from '#ui/icons.tsx';

type Props<D extends Definition> = { value: D; onChange: (value: D) => void };

/** The form of an agent's definition, native or external. */
export function DefinitionForm({
  value,
  onChange,
  isNew,
}: {
  value: Definition;
  onChange: (value: Definition) => void;
  isNew: boolean;
}) {
  const t = useT();
  const [other, setOther] = useState<Definition>(value.kind === 'native' ? newExternal : newNative);
  return (
    <Stack gap="md">
      {isNew && (
        <SegmentedControl
          aria-label={t('agents.kind')}
          value={value.kind}
          onChange={() => {
            // What was entered for this kind stays, for the way back.
            setOther(value);
            onChange(other);
          }}
          data={[
            { value: 'native', label: t('agents.native') },
            { value: 'external', label: t('agents.external') },
          ]}
        />
      )}
      <Text size="sm" c="dimmed">
        {t(value.kind === 'native' ? 'agents.nativeAbout' : 'agents.externalAbout')}
      </Text>
      {value.kind === 'native' ? (
        <NativeForm value={value} onChange={onChange} />
      ) : (
        <ExternalForm value={value} onChange={onChange} />
      )}
      <GuardrailsForm value={value.guardrails ?? {}} onChange={(guardrails) => onChange({ ...value, guardrails })} />
    </Stack>
  );
}

/** The model of agents that name none, where no other is connected. */
const router = 'lintel/router';

function NativeForm({ value, onChange }: Props<Extract<Definition, { kind: 'native' }>>) {
  const t = useT();
  const can = useCan();
  const models = useGet('GET /v1/models', undefined, { enabled: can('models:read') });
  const choices = (models.data?.data ?? []).map(({ id }) => id).filter((id) => !id.startsWith('agent/'));
  const standard = choices.some((id) => id !== router) ? '' : router;
  return (
    <>
      <Textarea
        label={t('agents.instructions')}
        description={t('agents.instructionsAbout')}
        autosize
        minRows={5}
        maxRows={18}
        maxLength={65_536}
        value={value.instructions}
        onChange={(event) => onChange({ ...value, instructions: event.currentTarget.value })}
      />
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
        <Autocomplete
          label={t('agents.model')}
          description={(value.model || standard) === router ? t('models.router') : t('agents.modelAbout')}
          required={standard === ''}
          placeholder={standard}
          data={choices}
          value={value.model}
          onChange={(model) => onChange({ ...value, model })}
        />
        <NumberInput
          label={t('agents.temperature')}
          description={t('agents.temperatureAbout')}
          min={0}
          max={2}
          step={0.1}
          value={value.temperature ?? ''}
          onChange={(temperature) => {
            const { temperature: _, ...rest } = value;
            onChange(temperature === '' ? rest : { ...rest, temperature: Number(temperature) });
          }}
        />
      </SimpleGrid>
      <ToolsForm value={value.tools ?? []} onChange={(tools) => onChange({ ...value, tools })} />
    </>
  );
}

function ToolsForm({ value, onChange }: { value: ToolUse[]; onChange: (tools: ToolUse[]) => void }) {
  const t = useT();
  const can = useCan();
  const sources = useGet('GET /v1/tools', { query: { limit: 200 } }, { enabled: can('tools:read') });
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } }, { enabled: can('agents:read') });
  const choices = [
    {
      group: t('tools.builtIn'),
      items: ['calculator', 'clock', 'lintel'].map((name) => ({ value: name, label: name })),
    },
    {
      group: t('nav.tools'),
      items: (sources.data?.data ?? []).map((source) => ({ value: source.id, label: source.name })),
    },
    {
      group: t('nav.agents'),
      items: (agents.data?.data ?? []).map((agent) => ({ value: `agent/${agent.name}`, label: `agent/${agent.name}` })),
    },
  ];
  const set = (index: number, change: Partial<ToolUse>) =>
    onChange(value.map((use, at) => (at === index ? { ...use, ...change } : use)));
  return (
    <Fieldset legend={t('agents.tools')}>
      <Stack gap="xs">
        {value.map((use, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the place in the list is what a row is
          <Group key={index} gap="xs" align="flex-end">
            <Select
              flex="1 1 180px"
              aria-label={t('agents.tool')}
              searchable
              allowDeselect={false}
              data={choices}
              value={use.tool}
              onChange={(tool) => tool !== null && set(index, { tool })}
            />
            <Select
              flex="1 1 150px"
              maw={210}
              aria-label={t('agents.approval')}
              allowDeselect={false}
              data={(['never', 'writes', 'always'] as const).map((when) => ({
                value: when,
                label: t(`agents.approval.${when}`),
              }))}
              value={use.approval ?? 'never'}
              onChange={(approval) => set(index, { approval: (approval ?? 'never') as 'never' })}
            />
            <ActionIcon
              size="lg"
              color="red"
              aria-label={t('agents.removeTool', { name: use.tool })}
              onClick={() => onChange(value.filter((_, at) => at !== index))}
            >
              <Icon name="trash" />
            </ActionIcon>
          </Group>
        ))}
        <Group>
          <Button
            size="xs"
            variant="default"
            leftSection={<Icon name="plus" size={13} />}
            onClick={() => onChange([...value, { tool: 'clock' }])}
          >
            {t('agents.addTool')}
          </Button>
        </Group>
      </Stack>
    </Fieldset>
  );
}

function ExternalForm({ value, onChange }: Props<Extract<Definition, { kind: 'external' }>>) {
  const t = useT();
  return (
    <>
      <Select
        label={t('agents.protocol')}
        allowDeselect={false}
        data={[
          { value: 'openai', label: t('agents.protocol.openai') },
          { value: 'http', label: t('agents.protocol.http') },
        ]}
        value={value.protocol}
        onChange={(protocol) => onChange({ ...value, protocol: (protocol ?? 'openai') as 'openai' })}
      />
      <TextInput
        label={t('agents.url')}
        description={t(value.protocol === 'openai' ? 'agents.urlOpenai' : 'agents.urlHttp')}
        type="url"
        required
        value={value.url}
        onChange={(event) => onChange({ ...value, url: event.currentTarget.value })}
      />
      {value.protocol === 'openai' ? (
        <TextInput
          label={t('agents.externalModel')}
          description={t('agents.externalModelAbout')}
          value={value.model ?? ''}
          onChange={(event) => onChange({ ...value, model: event.currentTarget.value })}
        />
      ) : (
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm">
          <TextInput
            label={t('agents.requestText')}
            description={t('agents.pointer')}
            placeholder="/input"
            value={value.request?.text ?? ''}
            onChange={(event) => onChange({ ...value, request: { ...value.request, text: event.currentTarget.value } })}
          />
          <TextInput
            label={t('agents.responseText')}
            description={t('agents.pointer')}
            placeholder="/output"
            value={value.response?.text ?? ''}
            onChange={(event) =>
              onChange({ ...value, response: { ...value.response, text: event.currentTarget.value } })
            }
          />
        </SimpleGrid>
      )}
      <Checkbox
        label={t('agents.idempotent')}
        description={t('agents.idempotentAbout')}
        checked={value.idempotent === true}
        onChange={(event) => onChange({ ...value, idempotent: event.currentTarget.checked })}
      />
    </>
  );
}

function GuardrailsForm({ value, onChange }: { value: Guardrails; onChange: (guardrails: Guardrails) => void }) {
  const t = useT();
  const session = useSession();
  const numbers = ['maxSteps', 'maxSeconds', 'maxTokens', 'maxOutputTokens'] as const;
  const set = (name: keyof Guardrails, next: string | number) => {
    const { [name]: _, ...rest } = value;
    onChange(next === '' ? rest : { ...rest, [name]: name === 'maxMoney' ? decimalText(next) : Number(next) });
  };
  return (
    <Fieldset legend={t('agents.guardrails')}>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 5 }} spacing="sm">
        {numbers.map((name) => (
          <NumberInput
            key={name}
            label={t(`guardrail.${name}`)}
            min={1}
            allowDecimal={false}
            hideControls
            value={value[name] ?? ''}
            onChange={(next) => set(name, next)}
          />
        ))}
        <NumberInput
          label={t('guardrail.maxMoney', { currency: session?.tenant.currency ?? '' })}
          min={0}
          hideControls
          value={value.maxMoney ?? ''}
          onChange={(next) => set('maxMoney', next)}
        />
      </SimpleGrid>
    </Fieldset>
  );
}
