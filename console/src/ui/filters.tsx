import { Button, TextInput } from '@mantine/core';
import { type ReactNode, useEffect, useRef, useState } from 'react';

import { useFormat } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { useFilters } from '#lib/navigation.tsx';
import { civilOf, instantOf } from '#lib/zone.ts';
import { Icon } from '#ui/icons.tsx';
import { Empty } from '#ui/page.tsx';

/** A filter that is a text: applied on Enter or when the field is left (`typing`: soon after the last letter), and kept in the URL. */
export function FilterText({ name, label, typing = false }: { name: string; label: string; typing?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  const [filters, change] = useFilters();
  const kept = filters[name] ?? '';
  const [text, setText] = useState(kept);
  // A link or the way back may change the filter while the field stands; what is being typed is ahead of it.
  useEffect(() => {
    if (document.activeElement !== field.current) setText(kept);
  }, [kept]);
  const apply = () => {
    if (kept !== text.trim()) change({ [name]: text.trim() || undefined });
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the wait begins anew with each letter, and with nothing else
  useEffect(() => {
    if (!typing) return;
    const timer = setTimeout(apply, 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <TextInput
      ref={field}
      aria-label={label}
      placeholder={label}
      {...(typing && { leftSection: <Icon name="search" size={14} /> })}
      w={typing ? 240 : 190}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={apply}
      onKeyDown={(event) => event.key === 'Enter' && apply()}
    />
  );
}

/** What a list says when it is empty: with filters that they are why, and how to be rid of them; else `children`. */
export function EmptyList({ names, children }: { names: readonly string[]; children: ReactNode }) {
  const t = useT();
  const [filters, change] = useFilters();
  const set = names.filter((name) => filters[name] !== undefined);
  if (set.length === 0) return <>{children}</>;
  return (
    <Empty icon="search" title={t('filter.nothing')}>
      <Button
        variant="default"
        size="xs"
        onClick={() => change(Object.fromEntries(set.map((name) => [name, undefined])))}
      >
        {t('filter.clear')}
      </Button>
    </Empty>
  );
}

/** A filter that is a moment: entered in the tenant's zone, as times are shown; kept in the URL as ISO 8601 in UTC. */
export function FilterTime({ name, label }: { name: 'from' | 'to'; label: string }) {
  const [filters, change] = useFilters();
  const { zone } = useFormat();
  const kept = filters[name];
  const shown = kept === undefined ? '' : civilOf(kept, zone);
  const [text, setText] = useState(shown);
  useEffect(() => setText(shown), [shown]);
  return (
    <TextInput
      type="datetime-local"
      leftSection={label}
      leftSectionWidth={56}
      aria-label={label}
      styles={{ section: { fontSize: 'var(--mantine-font-size-xs)', color: 'var(--quiet)' } }}
      w={245}
      {...(zone !== undefined && { title: zone })}
      value={text}
      onChange={(event) => {
        const civil = event.currentTarget.value;
        setText(civil);
        // A year that is being typed passes through 0002 and 0020: nothing is asked for then.
        if (civil === '' || civil >= '1970') change({ [name]: instantOf(civil, zone) });
      }}
    />
  );
}
