import {
  Autocomplete,
  Button,
  Group,
  Modal,
  NumberInput,
  Select,
  SimpleGrid,
  Stack,
  Switch,
  Table,
  Text,
} from '@mantine/core';
import { useState } from 'react';

import { type Model, type Owner, type Provider, routesOf } from '#features/models/owner.ts';
import { lintel, refreshRoutes, useGet, useSend } from '#lib/api.ts';
import { decimalText } from '#lib/decimal.ts';
import { Dash, Num, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { useCan, useSession } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { Copyable } from '#ui/page.tsx';
import { Found, notifyDone, ProblemNotice } from '#ui/problem.tsx';

const priced = ['input_tokens', 'cached_input_tokens', 'output_tokens', 'requests'] as const;

/** The models of a provider: add, price, remove. */
export function ModelsPanel({
  provider,
  owner,
  found,
}: {
  provider: Provider;
  owner: Owner;
  found: readonly string[];
}) {
  const t = useT();
  const word = useWord('modelKind');
  const can = useCan();
  const routes = routesOf(owner);
  const models = useGet(routes.models.list, { path: { id: provider.id }, query: { limit: 200 } });
  const create = useSend(routes.models.create, [routes.path, '/v1/models']);
  const [name, setName] = useState('');
  const [kind, setKind] = useState<'chat' | 'embedding'>('chat');
  const [pricing, setPricing] = useState<Model>();
  const remove = (model: Model) =>
    lintel
      .request(routes.models.remove, { path: { id: provider.id, modelId: model.id } })
      .then(() => refreshRoutes([routes.path, '/v1/models']));
  return (
    <Stack gap="sm">
      <Found query={models}>
        {({ data }) =>
          data.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t('models.empty')}
            </Text>
          ) : (
            <Table.ScrollContainer minWidth={420}>
              <Table aria-label={t('models.of', { name: provider.name })}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>{t('models.model')}</Table.Th>
                    <Table.Th>{t('models.kind')}</Table.Th>
                    <Table.Th ta="end">{t('models.context')}</Table.Th>
                    <Table.Th ta="end">{t('label.actions')}</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {data.map((model) => (
                    <Table.Tr key={model.id}>
                      <Table.Td>
                        <Copyable value={`${provider.name}/${model.name}`} />
                      </Table.Td>
                      <Table.Td>{word(model.kind)}</Table.Td>
                      <Table.Td ta="end">
                        {model.contextTokens === null ? <Dash /> : <Num value={model.contextTokens} compact />}
                      </Table.Td>
                      <Table.Td>
                        <Group gap={4} justify="flex-end" wrap="nowrap">
                          <Button size="compact-xs" variant="subtle" onClick={() => setPricing(model)}>
                            {t('models.prices')}
                          </Button>
                          {can(`${routes.modelNoun}:delete`) && (
                            <ConfirmButton
                              icon="trash"
                              label={t('models.remove', { name: model.name })}
                              title={t('models.remove', { name: model.name })}
                              about={t('models.removeAbout')}
                              act={() => remove(model)}
                            />
                          )}
                        </Group>
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )
        }
      </Found>
      {can(`${routes.modelNoun}:create`) && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            create.mutate(
              { path: { id: provider.id }, body: { name: name.trim(), kind } },
              { onSuccess: () => setName('') },
            );
          }}
        >
          <Group gap="xs" align="flex-end">
            <Autocomplete
              label={t('models.add')}
              placeholder={t('models.addPlaceholder')}
              required
              w={260}
              data={[...new Set(found)]}
              limit={20}
              value={name}
              onChange={setName}
            />
            <Select
              aria-label={t('models.kind')}
              allowDeselect={false}
              w={130}
              data={(['chat', 'embedding'] as const).map((value) => ({ value, label: word(value) }))}
              value={kind}
              onChange={(value) => setKind(value as 'chat')}
            />
            <Button type="submit" variant="default" loading={create.isPending}>
              {t('action.add')}
            </Button>
          </Group>
        </form>
      )}
      {create.error !== null && <ProblemNotice error={create.error} />}
      {pricing !== undefined && (
        <PriceDialog provider={provider} model={pricing} owner={owner} onClose={() => setPricing(undefined)} />
      )}
    </Stack>
  );
}

/** What the provider charges for a model; entered per million tokens, as price lists say it. */
function PriceDialog({
  provider,
  model,
  owner,
  onClose,
}: {
  provider: Provider;
  model: Model;
  owner: Owner;
  onClose: () => void;
}) {
  const t = useT();
  const can = useCan();
  const word = useWord('quantity');
  const routes = routesOf(owner);
  const path = { id: provider.id, modelId: model.id };
  const prices = useGet(routes.prices.list, { path });
  const save = useSend(routes.prices.create, [routes.path]);
  const session = useSession();
  const [currency, setCurrency] = useState(session?.tenant.currency ?? 'USD');
  const [values, setValues] = useState<Record<string, string>>({});
  const [isFree, setFree] = useState(false);
  const submit = () => {
    const entered = priced.flatMap((name) => {
      const value = isFree ? '0' : (values[name] ?? '');
      return value === '' ? [] : [[name, perUnit(value, name)] as const];
    });
    save.mutate(
      { path, body: { currency, prices: Object.fromEntries(entered) } },
      {
        onSuccess: () => {
          setValues({});
          notifyDone(t('models.priceSaved'));
        },
      },
    );
  };
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      title={t('models.pricesOf', { name: `${provider.name}/${model.name}` })}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          {t('models.pricesAbout')}
        </Text>
        <Found query={prices}>
          {({ data }) => (
            <Stack gap={6}>
              {data.map((price) => (
                <Group key={price.validFrom} gap="md">
                  <When at={price.validFrom} />
                  <bdi className="mono">
                    {Object.entries(price.prices)
                      .map(([name, value]) => `${word(name)} ${perMillion(String(value), name)} ${price.currency}`)
                      .join(' · ')}
                  </bdi>
                </Group>
              ))}
            </Stack>
          )}
        </Found>
        {can(`${routes.modelNoun}:update`) && (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <Stack gap="sm">
              <Group gap="sm" align="flex-end">
                <Select
                  label={t('field.currency')}
                  w={110}
                  searchable
                  allowDeselect={false}
                  data={Intl.supportedValuesOf('currency')}
                  value={currency}
                  onChange={(value) => value !== null && setCurrency(value)}
                />
                <Switch
                  label={t('models.free')}
                  checked={isFree}
                  onChange={(event) => setFree(event.currentTarget.checked)}
                  pb={8}
                />
              </Group>
              {!isFree && (
                <SimpleGrid cols={{ base: 2, xs: 4 }} spacing="sm">
                  {priced.map((name) => (
                    <NumberInput
                      key={name}
                      label={word(name)}
                      description={t(name === 'requests' ? 'models.perRequest' : 'models.perMillion')}
                      min={0}
                      decimalScale={9}
                      hideControls
                      value={values[name] ?? ''}
                      onChange={(value) => setValues((now) => ({ ...now, [name]: decimalText(value) }))}
                    />
                  ))}
                </SimpleGrid>
              )}
              {save.error !== null && <ProblemNotice error={save.error} />}
              <Group justify="flex-end">
                <Button type="submit" loading={save.isPending}>
                  {t('models.savePrice')}
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Stack>
    </Modal>
  );
}

/** A price per million as the API's price per single unit, digit by digit: a float would round it. */
export function perUnit(value: string, name: string): string {
  return name === 'requests' ? value : shift(value, -6);
}

/** The API's price per single unit as a price per million. */
export function perMillion(value: string, name: string): string {
  return name === 'requests' ? value : shift(value, 6);
}

function shift(value: string, places: number): string {
  const [whole = '0', fraction = ''] = value.split('.');
  const digits = places < 0 ? whole.padStart(1 - places, '0') + fraction : whole + fraction.padEnd(places, '0');
  const point = places < 0 ? Math.max(whole.length, 1 - places) + places : whole.length + places;
  const moved = `${digits.slice(0, point)}.${digits.slice(point)}`;
  return moved.replace(/^0+(?=\d)/, '').replace(/\.?0*$/, '') || '0';
}
