import type { Input, Item } from '@lintel/sdk';
import {
  ActionIcon,
  Autocomplete,
  Button,
  Checkbox,
  Group,
  Modal,
  NumberInput,
  Select,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';

import { draftOf, newRow, type PriceRow, pricesOf } from '#features/billing/plan-draft.ts';
import { useGet, useSend } from '#lib/api.ts';
import { decimalText } from '#lib/decimal.ts';
import { useT, useWord } from '#lib/i18n.tsx';
import { useSession } from '#lib/session.ts';
import { Icon } from '#ui/icons.tsx';
import { ProblemNotice } from '#ui/problem.tsx';

type Plan = Item<'GET /v1/platform/plans'>;

const meters = [
  'agent.run.runs',
  'agent.external.requests',
  'model.call.requests',
  'model.call.input_tokens',
  'model.call.cached_input_tokens',
  'model.call.output_tokens',
  'model.call.reasoning_tokens',
];

/** Makes a plan, or a new version of one: what tenants pay per unit, per model where it differs. */
export function PlanDialog({ plan, onClose }: { plan: Plan | undefined; onClose: () => void }) {
  const t = useT();
  const session = useSession();
  const [name, setName] = useState(plan?.name ?? '');
  const [currency, setCurrency] = useState(plan?.currency ?? session?.tenant.currency ?? 'USD');
  const [fee, setFee] = useState<string | number>(plan?.recurringFee ?? '');
  const [isDefault, setDefault] = useState(plan?.isDefault ?? false);
  const [rows, setRows] = useState<PriceRow[]>(plan === undefined ? [newRow] : plan.prices.map(draftOf));
  const create = useSend('POST /v1/platform/plans', ['/v1/platform/plans']);
  const change = useSend('PATCH /v1/platform/plans/{id}', ['/v1/platform/plans']);
  const error = create.error ?? change.error;
  const submit = () => {
    const shared = { name: name.trim(), recurringFee: fee === '' ? null : decimalText(fee), isDefault };
    const prices = pricesOf(rows);
    const done = { onSuccess: onClose };
    if (plan === undefined) {
      create.mutate({ body: { ...shared, currency, prices } as Input<'POST /v1/platform/plans'>['body'] }, done);
    } else {
      const body = { ...shared, prices } as Input<'PATCH /v1/platform/plans/{id}'>['body'];
      change.mutate({ path: { id: plan.id }, body }, done);
    }
  };
  return (
    <Modal
      opened
      onClose={onClose}
      size="xl"
      title={plan === undefined ? t('plans.new') : t('plans.change', { name: plan.name })}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {t('plans.dialogAbout')}
          </Text>
          <Group gap="sm" align="flex-end">
            <TextInput
              flex="1 1 180px"
              label={t('label.name')}
              required
              maxLength={120}
              data-autofocus
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Select
              w={110}
              label={t('field.currency')}
              searchable
              allowDeselect={false}
              disabled={plan !== undefined}
              data={Intl.supportedValuesOf('currency')}
              value={currency}
              onChange={(value) => value !== null && setCurrency(value)}
            />
            <NumberInput w={150} label={t('plans.fee')} min={0} hideControls value={fee} onChange={setFee} />
          </Group>
          <PriceRows rows={rows} onChange={setRows} />
          <Checkbox
            label={t('plans.makeDefault', { currency })}
            checked={isDefault}
            onChange={(event) => setDefault(event.currentTarget.checked)}
          />
          {error !== null && <ProblemNotice error={error} />}
          <Group justify="flex-end">
            <Button type="submit" loading={create.isPending || change.isPending}>
              {t('action.save')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function PriceRows({ rows, onChange }: { rows: PriceRow[]; onChange: (rows: PriceRow[]) => void }) {
  const t = useT();
  const meterWord = useWord('meter');
  const providers = useGet('GET /v1/platform/providers', { query: { limit: 50 } });
  const set = (index: number, next: Partial<PriceRow>) =>
    onChange(rows.map((row, at) => (at === index ? { ...row, ...next } : row)));
  return (
    <Stack gap="xs">
      {rows.map((row, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the place in the list is what a row is
        <Group key={index} gap="xs" align="flex-end">
          <Select
            flex="1 1 150px"
            label={t('plans.meter')}
            allowDeselect={false}
            disabled={row.kept !== undefined}
            data={[...new Set([...meters, row.meter])].map((value) => ({ value, label: meterWord(value) }))}
            value={row.meter}
            onChange={(meter) => meter !== null && set(index, { meter })}
          />
          <Autocomplete
            flex="1 1 150px"
            label={t('plans.model')}
            placeholder={t('plans.anyModel')}
            disabled={row.kept !== undefined || !row.meter.startsWith('model.')}
            data={(providers.data?.data ?? []).map(({ name }) => `${name}/`)}
            value={row.model}
            onChange={(model) => set(index, { model })}
          />
          {row.kept === undefined ? (
            <>
              <NumberInput
                w={110}
                label={t('plans.price')}
                required
                min={0}
                hideControls
                decimalScale={9}
                value={row.unit}
                onChange={(unit) => set(index, { unit: decimalText(unit) })}
              />
              <Select
                w={120}
                label={t('invoices.per')}
                allowDeselect={false}
                data={[
                  { value: '1', label: t('plans.per1') },
                  { value: '1000', label: t('plans.per1000') },
                  { value: '1000000', label: t('plans.per1000000') },
                ]}
                value={row.per}
                onChange={(per) => set(index, { per: per ?? '1' })}
              />
              <NumberInput
                w={110}
                label={t('invoices.included')}
                min={0}
                hideControls
                value={row.included}
                onChange={(included) => set(index, { included: decimalText(included) })}
              />
            </>
          ) : (
            <Text size="sm" c="dimmed" pb={8}>
              {t('plans.tiered')}
            </Text>
          )}
          <ActionIcon
            size="lg"
            color="red"
            aria-label={t('plans.removePrice', { meter: meterWord(row.meter) })}
            onClick={() => onChange(rows.filter((_, at) => at !== index))}
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
          onClick={() => onChange([...rows, newRow])}
        >
          {t('plans.addPrice')}
        </Button>
      </Group>
    </Stack>
  );
}
