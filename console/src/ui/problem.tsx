import type { LintelError } from '@lintel/sdk';
import { Alert, Button, Code, Group, List, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { asLintelError, isRefusal } from '#lib/api.ts';
import { type MessageKey, useLanguage, useT } from '#lib/i18n.tsx';
import { MissingPart } from '#lib/missing-part.ts';
import { TextLink } from '#lib/navigation.tsx';
import { Icon } from '#ui/icons.tsx';
import { Loading } from '#ui/page.tsx';

/** A problem in the reader's language: its title by the problem's stable type, and the server's own words where they say more. */
export function useProblemText(): (code: string, title: string, detail?: string) => { title: string; detail?: string } {
  const { t, locale } = useLanguage();
  return (code, title, detail) => {
    const known = t(`problemTitle.${code}` as MessageKey) || title;
    // Details are the server's, in English; without one, its title stands where the reader's has another language.
    const more = detail === undefined || detail === title ? (locale === 'en' ? undefined : title) : detail;
    return more === undefined || more === known ? { title: known } : { title: known, detail: more };
  };
}

/** The server's own words, which are English: under what is said in the reader's language. */
export function ServerWords({ children }: { children: string }) {
  const { locale } = useLanguage();
  return (
    <Text size={locale === 'en' ? 'sm' : 'xs'} lang="en" style={{ overflowWrap: 'anywhere' }}>
      {children}
    </Text>
  );
}

/** A refusal or failure: title, the server's detail, wrong places, request id. A refusal stays one however often it is asked. */
export function ProblemNotice({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const t = useT();
  const textOf = useProblemText();
  const problem = asLintelError(error);
  const { title, detail } = textOf(problem.type, problem.title, problem.detail);
  return (
    <Alert color="red" variant="light" icon={<Icon name="warning" />} title={title} role="alert">
      <Stack gap={6}>
        {detail !== undefined && <ServerWords>{detail}</ServerWords>}
        {problem.errors.length > 1 && (
          <List size="sm">
            {problem.errors.map((place) => (
              <List.Item key={place.pointer + place.detail} lang="en">
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
          {onRetry !== undefined && !isRefusal(error) && (
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
    title: <ProblemTitle problem={problem} />,
    message: <ProblemDetail problem={problem} />,
    autoClose: 10_000,
  });
}

function ProblemTitle({ problem }: { problem: LintelError }) {
  return useProblemText()(problem.type, problem.title).title;
}

function ProblemDetail({ problem }: { problem: LintelError }) {
  const { detail } = useProblemText()(problem.type, problem.title, problem.detail);
  return [detail, problem.requestId].filter((part) => part !== undefined).join(' · ');
}

/** Tells of a finished write in the corner of the screen. */
export function notifyDone(message: string): void {
  notifications.show({ color: 'teal', message, autoClose: 4_000 });
}

/** Shows what a query found; while it waits a skeleton, when it failed the problem. */
export function Found<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined && !isRefusal(query.error)) return <>{children(query.data)}</>;
  if (query.error !== null) return <ProblemNotice error={query.error} onRetry={() => void query.refetch()} />;
  return <Loading />;
}

/** A screen that could not be shown. Loading the page anew also brings the screens of a server that was updated meanwhile. */
export function ScreenError({ error }: { error: unknown }) {
  const t = useT();
  const shown = error instanceof MissingPart ? new Error(t('problem.missingPart')) : error;
  return (
    <div className="page">
      <ProblemNotice error={shown} onRetry={() => location.reload()} />
    </div>
  );
}

/** A page that could not be shown, with nothing around it. */
export function RouteError({ error }: { error: unknown }) {
  return (
    <main style={{ padding: 32 }}>
      <ScreenError error={error} />
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
