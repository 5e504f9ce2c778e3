import { Badge, type MantineColor } from '@mantine/core';

import { useT, useWord } from '#lib/i18n.tsx';

const colors: Record<string, MantineColor> = {
  active: 'teal',
  live: 'teal',
  alive: 'teal',
  polling: 'yellow',
  ok: 'teal',
  finished: 'teal',
  approved: 'teal',
  up: 'teal',
  paid: 'teal',
  running: 'ink',
  queued: 'ink',
  open: 'ink',
  invited: 'ink',
  waiting: 'yellow',
  pending: 'yellow',
  degraded: 'yellow',
  suspended: 'yellow',
  refused: 'orange',
  needs_review: 'orange',
  late: 'orange',
  failed: 'red',
  rejected: 'red',
  lost: 'red',
  deleting: 'red',
};

/** A state as a coloured word; the word says it all, the colour only helps. */
export function Status({ value }: { value: string }) {
  const word = useWord('status');
  return <Badge color={colors[value] ?? 'gray'}>{word(value)}</Badge>;
}

/** Marks what comes from demo traffic. */
export function DemoMark({ when }: { when: boolean | null | undefined }) {
  const t = useT();
  if (when !== true) return null;
  return (
    <Badge color="grape" variant="outline">
      {t('label.demo')}
    </Badge>
  );
}

/** Marks what was done with a test key. */
export function TestMark({ mode }: { mode: string | null | undefined }) {
  const t = useT();
  if (mode !== 'test') return null;
  return (
    <Badge color="yellow" variant="outline">
      {t('label.test')}
    </Badge>
  );
}
