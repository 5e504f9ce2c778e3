import { Button, Group, Modal, NumberInput, Select, SimpleGrid, Stack, Stepper, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import { lintel, onceKnown, refreshRoutes, useGet } from '#lib/api.ts';
import { decimalText } from '#lib/decimal.ts';
import { useT } from '#lib/i18n.tsx';
import { useGo } from '#lib/navigation.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { Invited } from '#ui/secret.tsx';

const empty = {
  name: '',
  email: '',
  locale: 'en',
  timeZone: 'UTC',
  currency: 'USD',
  planId: '',
  perSecond: '',
  perMonth: '',
};

/**
 * Brings a tenant in: who they are, their plan and limits, the invitation of their first owner. Each finished part is kept, so
 * a failure in the middle goes on where it stopped.
 */
export function OnboardWizard({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const t = useT();
  const go = useGo();
  const [form, setForm] = useState(empty);
  const [step, setStep] = useState(0);
  const [tenantId, setTenantId] = useState<string>();
  const [done, setDone] = useState<ReadonlySet<string>>(new Set());
  const [link, setLink] = useState<string | null>();
  const plans = useGet('GET /v1/platform/plans', undefined, { enabled: opened });
  const set = (change: Partial<typeof empty>) => setForm((now) => ({ ...now, ...change }));
  const onboard = useMutation({
    mutationFn: async () => {
      let id = tenantId;
      if (id === undefined) {
        const { name, locale, timeZone, currency } = form;
        id = (
          await lintel.request('POST /v1/platform/tenants', { body: { name: name.trim(), locale, timeZone, currency } })
        ).id;
        setTenantId(id);
        // Every node knows of it within a second: asked sooner, one may say that there is no such tenant.
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
      const finished = new Set(done);
      const once = async (part: string, act: () => Promise<unknown>) => {
        if (finished.has(part)) return;
        await onceKnown(act);
        finished.add(part);
        setDone(new Set(finished));
      };
      const path = { id };
      if (form.planId !== '')
        await once('plan', () =>
          lintel.request('PUT /v1/platform/tenants/{id}/subscription', { path, body: { planId: form.planId } }),
        );
      if (form.perSecond !== '')
        await once('rate', () =>
          lintel.request('POST /v1/platform/tenants/{id}/limits', {
            path,
            body: { scope: 'tenant', resource: 'requests', window: 'second', amount: form.perSecond },
          }),
        );
      if (form.perMonth !== '')
        await once('budget', () =>
          lintel.request('POST /v1/platform/tenants/{id}/limits', {
            path,
            body: { scope: 'tenant', resource: 'money', window: 'month', amount: form.perMonth },
          }),
        );
      const invitation = await onceKnown(() =>
        lintel.request('POST /v1/platform/tenants/{id}/invitations', {
          path,
          body: { email: form.email.trim(), roles: ['owner'] },
        }),
      );
      setLink(invitation.link);
    },
    onSettled: () => void refreshRoutes(['/v1/platform/tenants']),
  });
  // A tenant that is made already keeps its name, zone and currency: they are changed on its own screen.
  const first = tenantId === undefined ? 0 : 1;
  const submit = () => {
    if (step < 2) setStep(step + 1);
    else onboard.mutate();
  };
  const close = () => {
    onClose();
    if (link === undefined) return;
    setForm(empty);
    setStep(0);
    setTenantId(undefined);
    setDone(new Set());
    setLink(undefined);
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      size="lg"
      title={t('tenants.onboard')}
      closeButtonProps={{ 'aria-label': t('action.close') }}
    >
      {link !== undefined ? (
        <Stack>
          <Invited email={form.email.trim()} link={link} />
          <Group justify="flex-end">
            <Button
              onClick={() => {
                close();
                go(`/operator/tenants/${tenantId}`);
              }}
            >
              {t('onboard.openTenant')}
            </Button>
          </Group>
        </Stack>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            submit();
          }}
        >
          <Stepper active={step} onStepClick={(to) => first <= to && to < step && setStep(to)} size="xs" mb="md">
            <Stepper.Step label={t('onboard.who')} />
            <Stepper.Step label={t('onboard.limits')} />
            <Stepper.Step label={t('onboard.owner')} />
          </Stepper>
          <Stack gap="sm">
            {step === 0 && <Who form={form} set={set} />}
            {step === 1 && (
              <>
                <Select
                  label={t('onboard.plan')}
                  description={t('onboard.planAbout')}
                  clearable
                  data={(plans.data?.data ?? []).map((plan) => ({
                    value: plan.id,
                    label: `${plan.name} (${plan.currency})`,
                  }))}
                  value={form.planId === '' ? null : form.planId}
                  onChange={(planId) => set({ planId: planId ?? '' })}
                />
                <NumberInput
                  label={t('onboard.perSecond')}
                  description={t('onboard.optional')}
                  min={1}
                  allowDecimal={false}
                  value={form.perSecond}
                  onChange={(value) => set({ perSecond: decimalText(value) })}
                />
                <NumberInput
                  label={t('onboard.perMonth', { currency: form.currency })}
                  description={t('onboard.optional')}
                  min={0}
                  value={form.perMonth}
                  onChange={(value) => set({ perMonth: decimalText(value) })}
                />
              </>
            )}
            {step === 2 && (
              <TextInput
                label={t('onboard.email')}
                description={t('onboard.emailAbout')}
                type="email"
                required
                autoFocus
                value={form.email}
                onChange={(event) => set({ email: event.currentTarget.value })}
              />
            )}
            {onboard.error !== null && <ProblemNotice error={onboard.error} />}
            <Group justify="space-between" mt="xs">
              <Button variant="default" disabled={step === first} onClick={() => setStep(step - 1)}>
                {t('action.back')}
              </Button>
              <Button type="submit" loading={onboard.isPending}>
                {step < 2 ? t('action.next') : t('onboard.finish')}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function Who({ form, set }: { form: typeof empty; set: (change: Partial<typeof empty>) => void }) {
  const t = useT();
  return (
    <>
      <TextInput
        label={t('field.tenantName')}
        required
        maxLength={120}
        data-autofocus
        value={form.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
        <Select
          label={t('field.locale')}
          allowDeselect={false}
          data={localeChoices()}
          value={form.locale}
          onChange={(locale) => set({ locale: locale ?? 'en' })}
        />
        <Select
          label={t('field.timeZone')}
          searchable
          allowDeselect={false}
          data={zoneChoices()}
          value={form.timeZone}
          onChange={(timeZone) => set({ timeZone: timeZone ?? 'UTC' })}
        />
        <Select
          label={t('field.currency')}
          searchable
          allowDeselect={false}
          data={Intl.supportedValuesOf('currency')}
          value={form.currency}
          onChange={(currency) => set({ currency: currency ?? 'USD' })}
        />
      </SimpleGrid>
    </>
  );
}

/** Every time zone the browser knows, UTC first. */
export function zoneChoices(): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];
}

/** Languages of tenants, each named in itself. */
export function localeChoices(): { value: string; label: string }[] {
  return ['en', 'zh-CN', 'de-DE', 'ar', 'es', 'fr', 'ja', 'ko', 'pt-BR', 'ru'].map((value) => ({
    value,
    label: new Intl.DisplayNames([value], { type: 'language' }).of(value) ?? value,
  }));
}
