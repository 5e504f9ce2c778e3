import {
  Anchor,
  Button,
  Checkbox,
  Group,
  Modal,
  PasswordInput,
  Select,
  Stack,
  TagsInput,
  Text,
  TextInput,
} from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

import { type Owner, routesOf } from '#features/models/owner.ts';
import { lintel, refreshRoutes, useGet } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { notifyDone, ProblemNotice } from '#ui/problem.tsx';

/**
 * Connects a provider: preset, address, key, models. A key named in the server's environment is offered to operators and
 * used only when they choose so; its value never reaches the browser.
 */
export function ConnectDialog({
  owner,
  wanted,
  onClose,
}: {
  owner: Owner;
  /** The preset to begin with, `yes` for none, undefined: closed. */
  wanted: string | undefined;
  onClose: () => void;
}) {
  const t = useT();
  const routes = routesOf(owner);
  const opened = wanted !== undefined;
  const presets = useGet('GET /v1/provider-presets', undefined, { enabled: opened });
  const offers = useGet('GET /v1/platform/provider-offers', undefined, { enabled: opened && owner === 'platform' });
  const [presetName, setPresetName] = useState('openai');
  const [name, setName] = useState('');
  const [baseUrl, setBaseUrl] = useState('');
  const [apiKey, setApiKey] = useState('');
  const [useVariable, setUseVariable] = useState(false);
  const [models, setModels] = useState<string[]>([]);
  const preset = presets.data?.data.find((each) => each.name === presetName);
  const offer = offers.data?.data.find((each) => each.preset === presetName);
  const variable = offer?.variable ?? null;
  const choose = (next: string) => {
    const chosen = presets.data?.data.find((each) => each.name === next);
    const offered = offers.data?.data.find((each) => each.preset === next);
    setPresetName(next);
    setName(next);
    setBaseUrl(offered?.baseUrl ?? chosen?.baseUrl ?? '');
    setUseVariable((offered?.variable ?? null) !== null);
    const first = offered?.models[0] ?? chosen?.models.find(({ kind }) => kind === 'chat')?.name;
    setModels(first === undefined ? [] : [first]);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the wanted preset is chosen once the lists are there
  useEffect(() => {
    if (presets.data !== undefined && (owner === 'tenant' || offers.data !== undefined) && opened)
      choose(wanted === 'yes' ? presetName : wanted);
  }, [wanted, presets.data, offers.data]);
  const unfinished = useRef<{ id: string; name: string; models: Set<string> }>(null);
  const connect = useMutation({
    mutationFn: async () => {
      const key = useVariable && variable !== null ? { apiKeyVariable: variable } : apiKey === '' ? {} : { apiKey };
      // What a failed attempt has made already is gone on from, not made twice.
      const made = unfinished.current?.name === name.trim() ? unfinished.current : undefined;
      const provider =
        made ??
        (await lintel.request(routes.create, {
          body: { preset: presetName as 'openai', name: name.trim(), baseUrl: baseUrl.trim(), ...key },
        }));
      const done = made?.models ?? new Set<string>();
      unfinished.current = { id: provider.id, name: provider.name, models: done };
      for (const model of models) {
        if (done.has(model)) continue;
        const known = preset?.models.find((each) => each.name === model);
        await lintel.request(routes.models.create, {
          path: { id: provider.id },
          body: {
            name: model,
            ...(known && {
              kind: known.kind,
              contextTokens: known.contextTokens,
              maxOutputTokens: known.maxOutputTokens,
            }),
          },
        });
        done.add(model);
      }
      return provider;
    },
    onSuccess: (provider) => {
      notifyDone(t('providers.connected', { name: provider.name }));
      setApiKey('');
      unfinished.current = null;
      onClose();
    },
    onSettled: () => void refreshRoutes([routes.path, '/v1/models', '/v1/platform/provider-offers']),
  });
  const choices = [...(preset?.models.map((each) => each.name) ?? []), ...(offer?.models ?? [])];
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size="lg"
      title={t('providers.connect')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          connect.mutate();
        }}
      >
        <Stack gap="sm">
          <Select
            label={t('providers.preset')}
            allowDeselect={false}
            data={(presets.data?.data ?? []).map((each) => ({ value: each.name, label: each.title }))}
            value={presetName}
            onChange={(value) => value !== null && choose(value)}
          />
          {preset !== undefined && (
            <Text size="xs" c="dimmed">
              {t('providers.docs')}{' '}
              <Anchor href={preset.docs} target="_blank" rel="noreferrer" size="xs">
                <bdi>{preset.docs}</bdi>
              </Anchor>
            </Text>
          )}
          <TextInput
            label={t('providers.name')}
            description={t('providers.nameAbout', { name: name === '' ? 'openai' : name })}
            required
            pattern="[a-z0-9][a-z0-9\-]{0,39}"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label={t('providers.baseUrl')}
            type="url"
            required
            value={baseUrl}
            onChange={(event) => setBaseUrl(event.currentTarget.value)}
          />
          {variable !== null && (
            <Checkbox
              label={t('providers.useVariable', { variable })}
              checked={useVariable}
              onChange={(event) => setUseVariable(event.currentTarget.checked)}
            />
          )}
          {!(useVariable && variable !== null) && (
            <PasswordInput
              label={t('providers.key')}
              data-autofocus
              description={t('providers.keyAbout')}
              required={preset?.keyNeeded === true}
              autoComplete="off"
              value={apiKey}
              onChange={(event) => setApiKey(event.currentTarget.value)}
            />
          )}
          {choices.length > 0 && (
            <Checkbox.Group
              label={t('providers.models')}
              description={t('providers.modelsAbout')}
              value={models}
              onChange={setModels}
            >
              <Stack gap={6} mt={6}>
                {[...new Set(choices)].map((model) => (
                  <Checkbox key={model} value={model} label={model} size="xs" />
                ))}
              </Stack>
            </Checkbox.Group>
          )}
          {preset !== undefined && choices.length === 0 && (
            <TagsInput
              label={t('providers.models')}
              description={t('providers.modelsTyped')}
              value={models}
              onChange={setModels}
            />
          )}
          {connect.error !== null && <ProblemNotice error={connect.error} />}
          <Group justify="flex-end">
            <Button type="submit" loading={connect.isPending}>
              {t('providers.connect')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
