import {
  Box,
  Code,
  CopyButton,
  Group,
  Paper,
  Skeleton,
  Stack,
  Text,
  Title,
  Tooltip,
  UnstyledButton,
} from '@mantine/core';
import { type ReactNode, useEffect } from 'react';

import { useT } from '#lib/i18n.tsx';
import { Icon, type IconName } from '#ui/icons.tsx';

/** A screen: title, one line of purpose, actions at its end, content. */
export function Page({
  title,
  about,
  actions,
  badge,
  children,
}: {
  title: string;
  about?: string;
  actions?: ReactNode;
  badge?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Lintel`;
  }, [title]);
  return (
    <Stack className="page" gap="md">
      <Group justify="space-between" align="flex-start" gap="sm">
        <Box flex="1 1 260px" miw={0}>
          <Group gap="xs">
            <Title order={1} style={{ overflowWrap: 'anywhere' }}>
              <bdi>{title}</bdi>
            </Title>
            {badge}
          </Group>
          {about !== undefined && (
            <Text c="dimmed" size="sm" maw={720} mt={2}>
              <bdi>{about}</bdi>
            </Text>
          )}
        </Box>
        {actions !== undefined && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

/** A framed part of a screen. */
export function Panel({
  title,
  about,
  actions,
  flush = false,
  children,
}: {
  title?: string;
  about?: string | undefined;
  actions?: ReactNode;
  /** Without inner space: for tables. */
  flush?: boolean;
  children: ReactNode;
}) {
  return (
    <Paper className="panel" component="section">
      {title !== undefined && (
        <Group justify="space-between" px="md" pt="sm" pb={flush ? 'xs' : 0} gap="xs">
          <Box flex="1 1 220px" miw={0}>
            <Title order={2} style={{ overflowWrap: 'anywhere' }}>
              <bdi>{title}</bdi>
            </Title>
            {about !== undefined && (
              <Text size="xs" c="dimmed">
                {about}
              </Text>
            )}
          </Box>
          {actions}
        </Group>
      )}
      <Box p={flush ? 0 : 'md'} pt={flush ? 0 : title === undefined ? 'md' : 'sm'}>
        {children}
      </Box>
    </Paper>
  );
}

/** One figure with its name. */
export function Figure({ label, children, hint }: { label: string; children: ReactNode; hint?: ReactNode }) {
  return (
    <Paper className="panel" p="sm" px="md">
      <Text size="xs" c="dimmed" fw={500}>
        {label}
      </Text>
      <Text component="div" fz={22} fw={650} lh={1.35} className="numbers">
        {children}
      </Text>
      {hint !== undefined && (
        <Text component="div" size="xs" c="dimmed">
          {hint}
        </Text>
      )}
    </Paper>
  );
}

/** What a list says when there is nothing in it: why, and what to do next. */
export function Empty({
  icon = 'empty',
  title,
  about,
  children,
}: {
  icon?: IconName;
  title: string;
  about?: string;
  children?: ReactNode;
}) {
  return (
    <Stack align="center" gap={6} py={36} px="md" ta="center">
      <Box c="dimmed">
        <Icon name={icon} size={30} />
      </Box>
      <Text fw={600}>{title}</Text>
      {about !== undefined && (
        <Text size="sm" c="dimmed" maw={520}>
          {about}
        </Text>
      )}
      {children !== undefined && (
        <Box mt="xs" maw="100%" w={children === undefined ? undefined : 'auto'}>
          {children}
        </Box>
      )}
    </Stack>
  );
}

/** Stands where an answer will be. */
export function Loading() {
  return (
    <Stack gap="xs" aria-busy="true" p="md">
      <Skeleton h={14} w="40%" />
      <Skeleton h={14} />
      <Skeleton h={14} w="80%" />
    </Stack>
  );
}

/** An id or address that a click copies. */
export function Copyable({ value, shown }: { value: string; shown?: string }) {
  const t = useT();
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t('action.copied') : t('action.copy')}>
          <UnstyledButton
            onClick={(event) => {
              event.stopPropagation();
              copy();
            }}
            aria-label={t('action.copyValue', { value: shown ?? value })}
          >
            <Group gap={4} wrap="nowrap" component="span">
              <bdi className="mono">{shown ?? value}</bdi>
              <Box component="span" c="dimmed" style={{ display: 'inline-flex' }}>
                <Icon name={copied ? 'check' : 'copy'} size={12} />
              </Box>
            </Group>
          </UnstyledButton>
        </Tooltip>
      )}
    </CopyButton>
  );
}

/** Text to paste into a terminal or file, with a button that copies it. */
export function CodeBlock({ code, wrap = false, label }: { code: string; wrap?: boolean; label?: string }) {
  const t = useT();
  return (
    <Box pos="relative" ta="start">
      <section aria-label={label ?? t('label.code')}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box must be reachable by keyboard */}
        <pre className={wrap ? 'code wrap' : 'code'} tabIndex={0}>
          {code}
        </pre>
      </section>
      <CopyButton value={code}>
        {({ copied, copy }) => (
          <UnstyledButton
            onClick={copy}
            aria-label={t('action.copy')}
            style={{ position: 'absolute', insetBlockStart: 6, insetInlineEnd: 6 }}
            bg="var(--mantine-color-default)"
            bd="1px solid var(--line)"
            p={5}
            bdrs="sm"
            lh={0}
          >
            <Icon name={copied ? 'check' : 'copy'} size={14} />
          </UnstyledButton>
        )}
      </CopyButton>
    </Box>
  );
}

/** JSON as the API sends it. */
export function Json({ value }: { value: unknown }) {
  return <CodeBlock wrap code={JSON.stringify(value, null, 2) ?? 'null'} />;
}

/** Names and values under each other. */
export function Facts({ rows }: { rows: ReadonlyArray<readonly [label: string, value: ReactNode]> }) {
  return (
    <Box
      component="dl"
      m={0}
      style={{ display: 'grid', gridTemplateColumns: 'minmax(110px, auto) 1fr', gap: '6px 16px' }}
    >
      {rows.map(([label, value]) => (
        <Box key={label} style={{ display: 'contents' }}>
          <Text component="dt" size="sm" c="dimmed">
            {label}
          </Text>
          <Text component="dd" size="sm" m={0} miw={0} style={{ overflowWrap: 'anywhere' }}>
            {value}
          </Text>
        </Box>
      ))}
    </Box>
  );
}

/** A permission or name of code in running text. */
export function Word({ children }: { children: string }) {
  return <Code fz="0.75rem">{children}</Code>;
}
