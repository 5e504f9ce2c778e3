import { useDebouncedValue } from '@mantine/hooks';
import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from '@mantine/spotlight';
import { useState } from 'react';

import { useGet } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { useGo } from '#lib/navigation.tsx';
import { navigationFor } from '#lib/screens.ts';
import { useArea, useCan, useSession } from '#lib/session.ts';
import { Icon, type IconName } from '#ui/icons.tsx';

/** The command palette: every screen, the usual acts, and agents, keys or tenants by name; an id of a call opens it. */
export function Palette() {
  const t = useT();
  const can = useCan();
  const go = useGo();
  const session = useSession();
  const [text, setText] = useState('');
  const [opened, setOpened] = useState(false);
  const isOperator = session?.principal.kind === 'operator';
  const agents = useGet(
    'GET /v1/agents',
    { query: { limit: 100 } },
    { enabled: opened && !isOperator && can('agents:read') },
  );
  // There may be more tenants than a list holds: the server looks for the name.
  const [wantedName] = useDebouncedValue(text.trim(), 200);
  const tenants = useGet(
    'GET /v1/platform/tenants',
    { query: { limit: 50, ...(wantedName !== '' && { search: wantedName.slice(0, 100) }) } },
    { enabled: opened && isOperator && can('platform-tenants:read') },
  );
  const entry = (id: string, label: string, icon: IconName, act: () => void): SpotlightActionData => ({
    id,
    label,
    leftSection: <Icon name={icon} size={18} />,
    onClick: act,
  });
  const screens = navigationFor(isOperator, can).flatMap(({ items }) =>
    items.map((item) => entry(item.to, t(item.title), item.icon, () => go(item.to))),
  );
  const area = useArea();
  const acts: SpotlightActionData[] = [
    ...(isOperator && can('platform-tenants:create')
      ? [entry('onboard', t('tenants.onboard'), 'plus', () => go('/operator/tenants', { onboard: 'yes' }))]
      : []),
    ...(can('api-keys:create') ? [entry('new-key', t('keys.create'), 'plus', () => go(`${area}/keys/new`))] : []),
    ...(!isOperator && can('agents:create')
      ? [entry('new-agent', t('agents.create'), 'plus', () => go('/app/agents/new'))]
      : []),
  ];
  const wanted = text.trim();
  if (/^call_[0-9a-hjkmnp-tv-z]{26}$/.test(wanted)) {
    const to = `${area}/calls`;
    acts.unshift({
      ...entry('call', t('palette.openCall'), 'calls', () => go(to, { call: wanted })),
      keywords: wanted,
    });
  }
  const things: SpotlightActionData[] = [
    ...(agents.data?.data ?? []).map((agent) =>
      entry(agent.id, agent.name, 'agents', () => go(`/app/agents/${agent.id}`)),
    ),
    ...(tenants.data?.data ?? []).map((tenant) =>
      entry(tenant.id, tenant.name, 'tenants', () => go(`/operator/tenants/${tenant.id}`)),
    ),
  ];
  const groups: SpotlightActionGroupData[] = [
    { group: t('palette.acts'), actions: acts },
    { group: t('palette.screens'), actions: screens },
    ...(things.length === 0 ? [] : [{ group: t(isOperator ? 'nav.tenants' : 'nav.agents'), actions: things }]),
  ];
  return (
    <Spotlight
      actions={groups}
      query={text}
      onQueryChange={setText}
      onSpotlightOpen={() => setOpened(true)}
      shortcut={['mod + K', '/']}
      nothingFound={t('palette.nothing')}
      searchProps={{
        leftSection: <Icon name="search" />,
        placeholder: t('palette.placeholder'),
        'aria-label': t('palette.placeholder'),
      }}
      highlightQuery
      scrollable
      maxHeight={420}
    />
  );
}
