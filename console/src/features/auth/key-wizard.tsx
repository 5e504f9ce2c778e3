import {
  Badge,
  Button,
  Group,
  MultiSelect,
  NumberInput,
  Radio,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Stepper,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';
import { AgentNames } from '#features/auth/agent-names.tsx';
import {
  expiryOf,
  type KeyDraft,
  type KeyPreset,
  keyPresets,
  presetScopes,
  riskColors,
} from '#features/auth/key-presets.ts';
import { PermissionPicker } from '#features/auth/permission-picker.tsx';
import { useGet, useSend } from '#lib/api.ts';
import { curlFor } from '#lib/curl.ts';
import { decimalText } from '#lib/decimal.ts';
import { useT } from '#lib/i18n.tsx';
import { TextLink, useGo } from '#lib/navigation.tsx';
import { useArea, useCan } from '#lib/session.ts';
import { CodeBlock, Facts, Page, Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { ShownOnce } from '#ui/secret.tsx';

const start: KeyDraft = { name: '', mode: 'live', preset: 'invoke', agents: [], ips: [], days: '', scopes: [] };

type StepProps = { draft: KeyDraft; set: (change: Partial<KeyDraft>) => void };

/** Makes a key in four steps: what for, which resources, which permissions (with their risk), review. Shown once. */
export function KeyWizard() {
  const t = useT();
  const go = useGo();
  const area = useArea();
  const can = useCan();
  const [step, setStep] = useState(0);
  const [draft, setDraft] = useState(start);
  const permissions = useGet('GET /v1/permissions');
  const create = useSend('POST /v1/api-keys', ['/v1/api-keys']);
  const vocabulary = permissions.data?.data ?? [];
  // Never more than one's own role gives: the server would refuse the key.
  const within = vocabulary.map(({ name }) => name).filter(can);
  const offered = keyPresets.filter((each) => each === 'custom' || presetScopes(each, within).length > 0);
  // Which presets there are depends on one's own role: operators have nothing to invoke.
  const preset = offered.includes(draft.preset) ? draft.preset : (offered[0] ?? 'custom');
  const scopes = preset === 'custom' ? draft.scopes : presetScopes(preset, within);
  const set = (change: Partial<KeyDraft>) => setDraft((now) => ({ ...now, ...change }));
  const finish = () =>
    create.mutate({
      body: {
        name: draft.name.trim(),
        mode: draft.mode,
        scopes,
        ...(draft.agents.length > 0 && { agents: draft.agents }),
        ...(draft.ips.length > 0 && { allowedIps: draft.ips }),
        ...(draft.days !== '' && { expiresAt: expiryOf(Number(draft.days)) }),
      },
    });
  if (create.data !== undefined) {
    return (
      <Page title={t('keys.create')}>
        <Panel>
          <Stack>
            <ShownOnce title={t('keys.shownOnce')} about={t('keys.shownOnceAbout')} secret={create.data.key} />
            <Text size="sm" fw={600}>
              {t('keys.tryIt')}
            </Text>
            <CodeBlock wrap code={curlFor('lintel/router', create.data.key)} label={t('label.curl')} />
            <Group>
              <Button onClick={() => go(`${area}/calls`)}>{t('keys.watch')}</Button>
              <TextLink to={`${area}/keys`} size="sm">
                {t('nav.keys')}
              </TextLink>
            </Group>
          </Stack>
        </Panel>
      </Page>
    );
  }
  return (
    <Page title={t('keys.create')} about={t('keys.wizardAbout')}>
      <Panel>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (step < 3) setStep(step + 1);
            else finish();
          }}
        >
          <Stepper active={step} onStepClick={(to) => to < step && setStep(to)} size="xs" mb="lg">
            <Stepper.Step label={t('keys.step.purpose')} />
            <Stepper.Step label={t('keys.step.resources')} />
            <Stepper.Step label={t('keys.step.permissions')} />
            <Stepper.Step label={t('keys.step.review')} />
          </Stepper>
          <Stack gap="md">
            {step === 0 && <Purpose draft={{ ...draft, preset }} set={set} offered={offered} />}
            {step === 1 && <Resources draft={draft} set={set} />}
            {step === 2 && (
              <PermissionPicker
                chosen={scopes}
                vocabulary={vocabulary}
                onChange={(next) => set({ preset: 'custom', scopes: next })}
              />
            )}
            {step === 3 && <Review draft={draft} scopes={vocabulary.filter(({ name }) => scopes.includes(name))} />}
            {create.error !== null && <ProblemNotice error={create.error} />}
            <Group justify="space-between">
              <Button variant="default" onClick={() => (step === 0 ? go(`${area}/keys`) : setStep(step - 1))}>
                {t(step === 0 ? 'action.cancel' : 'action.back')}
              </Button>
              <Button type="submit" loading={create.isPending} disabled={step === 2 && scopes.length === 0}>
                {t(step < 3 ? 'action.next' : 'keys.finish')}
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
    </Page>
  );
}

function Purpose({ draft, set, offered }: StepProps & { offered: KeyPreset[] }) {
  const t = useT();
  return (
    <>
      <TextInput
        label={t('keys.name')}
        description={t('keys.nameAbout')}
        required
        maxLength={100}
        autoFocus
        value={draft.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      <div>
        <Text size="sm" fw={500} mb={4}>
          {t('keys.mode')}
        </Text>
        <SegmentedControl
          aria-label={t('keys.mode')}
          value={draft.mode}
          onChange={(mode) => set({ mode: mode as 'live' })}
          data={[
            { value: 'live', label: t('keys.live') },
            { value: 'test', label: t('keys.test') },
          ]}
        />
        <Text size="xs" c="dimmed" mt={4}>
          {t(draft.mode === 'test' ? 'keys.testAbout' : 'keys.liveAbout')}
        </Text>
      </div>
      <Radio.Group
        label={t('keys.preset')}
        value={draft.preset}
        onChange={(preset) => set({ preset: preset as 'invoke' })}
      >
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="xs" mt={6}>
          {offered.map((preset) => (
            <Radio.Card key={preset} value={preset} p="sm">
              <Group wrap="nowrap" align="flex-start" gap="sm">
                <Radio.Indicator />
                <div>
                  <Text size="sm" fw={600}>
                    {t(`keys.preset.${preset}`)}
                  </Text>
                  <Text size="xs" c="dimmed">
                    {t(`keys.preset.${preset}About`)}
                  </Text>
                </div>
              </Group>
            </Radio.Card>
          ))}
        </SimpleGrid>
      </Radio.Group>
    </>
  );
}

function Resources({ draft, set }: StepProps) {
  const t = useT();
  const can = useCan();
  const agents = useGet('GET /v1/agents', { query: { limit: 200 } }, { enabled: can('agents:read') });
  return (
    <>
      <MultiSelect
        label={t('keys.agents')}
        description={t('keys.agentsAbout')}
        placeholder={draft.agents.length === 0 ? t('keys.allAgents') : ''}
        searchable
        data={(agents.data?.data ?? []).map((agent) => ({ value: agent.id, label: agent.name }))}
        value={draft.agents}
        onChange={(chosen) => set({ agents: chosen })}
      />
      <TagsInput
        label={t('keys.ips')}
        description={t('keys.ipsAbout')}
        placeholder={draft.ips.length === 0 ? t('keys.anywhere') : ''}
        value={draft.ips}
        onChange={(ips) => set({ ips })}
      />
      <NumberInput
        label={t('keys.days')}
        description={t('keys.daysAbout')}
        min={1}
        max={3650}
        allowDecimal={false}
        value={draft.days}
        onChange={(days) => set({ days: decimalText(days) })}
      />
    </>
  );
}

function Review({ draft, scopes }: { draft: KeyDraft; scopes: { name: string; risk: string }[] }) {
  const t = useT();
  return (
    <Facts
      rows={[
        [t('label.name'), <bdi key="name">{draft.name}</bdi>],
        [t('keys.mode'), t(draft.mode === 'test' ? 'keys.test' : 'keys.live')],
        [
          t('keys.agents'),
          draft.agents.length === 0 ? t('keys.allAgents') : <AgentNames key="agents" ids={draft.agents} />,
        ],
        [t('keys.ips'), draft.ips.length === 0 ? t('keys.anywhere') : draft.ips.join(', ')],
        [t('keys.expires'), draft.days === '' ? t('keys.never') : t('keys.inDays', { days: Number(draft.days) })],
        [
          t('keys.scopes'),
          <Group key="scopes" gap={4}>
            {scopes.map(({ name, risk }) => (
              <Badge key={name} color={riskColors[risk] ?? 'gray'} title={t(`risk.${risk}` as 'risk.low')}>
                {name}
              </Badge>
            ))}
          </Group>,
        ],
      ]}
    />
  );
}
