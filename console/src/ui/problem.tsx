import { Alert, Button, Code, Group, List, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { asLintelError } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { TextLink } from '#lib/navigation.tsx';
import { Icon } from '#ui/icons.tsx';
import { Loading } from '#ui/page.tsx';

/** A refusal or failure as it came: title, detail, wrong places, request id. */
export function ProblemNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const t = useT();
  const problem = asLintelError(error);
  return (
    <Alert color="red" variant="light" icon={<Icon name="warning" />} title={problem.title} role="alert">
      <Stack gap={6}>
        {problem.detail !== undefined && problem.detail !== problem.title && <Text size="sm">{problem.detail}</Text>}
        {problem.errors.length > 1 && (
          <List size="sm">
            {problem.errors.map((place) => (
              <List.Item key={place.pointer + place.detail}>
                <Code>{place.pointer}</Code> {place.detail}
              </List.Item>
            ))}
          </List>
        )}
        <Group gap="xs">
          {problem.requestId !== undefined && (
            <Text size="xs" c="dimmed">
              {t('problem.request')} <bdi className="mono">{problem.requestId}</bdi>
            </Text>
          )}
          {onRetry !== undefined && (
            <Button size="compact-xs" variant="light" color="red" onClick={onRetry}>
              {t('action.retry')}
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

/** Tells of a failed write in the corner of the screen. */
export function notifyProblem(error: unknown): void {
  const problem = asLintelError(error);
  notifications.show({
    color: 'red',
    title: problem.title,
    message: [problem.detail === problem.title ? undefined : problem.detail, problem.requestId]
      .filter((part) => part !== undefined)
      .join(' · '),
    autoClose: 10_000,
  });
}

/** Tells of a finished write in the corner of the screen. */
export function notifyDone(message: string): void {
  notifications.show({ color: 'teal', message, autoClose: 4_000 });
}

/** Shows what a query found; while it waits a skeleton, when it failed the problem. */
export function Found<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error !== null) return <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />;
  return <Loading />;
}

/** A screen that could not be shown. */
export function RouteError({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <main className="page" style={{ padding: 32 }}>
      <ProblemNotice error={error} onRetry={reset} />
    </main>
  );
}

/** There is no such screen. */
export function NotFoundPage() {
  const t = useT();
  return (
    <Stack align="center" gap="xs" p={64}>
      <Icon name="empty" size={40} />
      <Text fw={600}>{t('notFound.title')}</Text>
      <TextLink to="/">{t('notFound.home')}</TextLink>
    </Stack>
  );
}
