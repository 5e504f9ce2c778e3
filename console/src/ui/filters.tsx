import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';

import { useFilters } from '#lib/navigation.tsx';

/** A filter that is a text: applied on Enter or when the field is left, and kept in the URL. */
export function FilterText({ name, label }: { name: string; label: string }) {
  const [filters, change] = useFilters();
  const kept = filters[name] ?? '';
  const [text, setText] = useState(kept);
  // A link or the way back may change the filter while the field stands.
  useEffect(() => setText(kept), [kept]);
  const apply = () => {
    if (kept !== text.trim()) change({ [name]: text.trim() || undefined });
  };
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      w={190}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={apply}
      onKeyDown={(event) => event.key === 'Enter' && apply()}
    />
  );
}

/** A filter that is a moment: entered in the browser's time, kept in the URL as ISO 8601 in UTC. */
export function FilterTime({ name, label }: { name: 'from' | 'to'; label: string }) {
  const [filters, change] = useFilters();
  const kept = filters[name];
  return (
    <TextInput
      type="datetime-local"
      leftSection={label}
      leftSectionWidth={56}
      aria-label={label}
      styles={{ section: { fontSize: 'var(--mantine-font-size-xs)', color: 'var(--quiet)' } }}
      w={245}
      value={kept === undefined ? '' : localTime(kept)}
      onChange={(event) => {
        const at = new Date(event.currentTarget.value);
        change({ [name]: Number.isNaN(at.getTime()) ? undefined : at.toISOString() });
      }}
    />
  );
}

function localTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
