import { LimitsPanel } from '#features/quota/limits-panel.tsx';
import { useT } from '#lib/i18n.tsx';
import { useSession } from '#lib/session.ts';
import { Page } from '#ui/page.tsx';

/** The tenant's limits with what is left of them; limits of own keys and agents are made here. */
export function LimitsPage() {
  const t = useT();
  const session = useSession();
  return (
    <Page title={t('nav.limits')} about={t('limits.about')}>
      <LimitsPanel tenantId={undefined} currency={session?.tenant.currency ?? 'USD'} />
    </Page>
  );
}
