import type { Answer, Input } from '@lintel/sdk';
import { Alert, Button, Group, SimpleGrid, Stack, Text, Textarea } from '@mantine/core';
import { useState } from 'react';

import type { StepView } from '#features/agents/run-view.ts';
import { StepList } from '#features/agents/step-list.tsx';
import { codedError, lintel, refreshRoutes, useGet, useSend } from '#lib/api.ts';
import { Money, Num, When } from '#lib/format.tsx';
import { useT } from '#lib/i18n.tsx';
import { TextLink, useParam } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { ConfirmButton } from '#ui/confirm.tsx';
import { Icon } from '#ui/icons.tsx';
import { Copyable, Facts, Page, Panel } from '#ui/page.tsx';
import { Found, ProblemNotice } from '#ui/problem.tsx';
import { Status, TestMark } from '#ui/status.tsx';

type Run = Answer<'GET /v1/runs/{id}'>;

const open = new Set(['queued', 'running', 'waiting', 'needs_review']);

/** One run: its steps as the journal keeps them, and what a person has to decide. */
export function RunPage() {
  const id = useParam('runId');
  const query = useGet(
    'GET /v1/runs/{id}',
    { path: { id } },
    { every: 2_000, until: ({ status }) => !open.has(status) },
  );
  return <Found query={query}>{(run) => <RunViewPage key={run.id} run={run} />}</Found>;
}

function RunViewPage({ run }: { run: Run }) {
  const t = useT();
  const can = useCan();
  const refresh = () => void refreshRoutes(['/v1/runs', '/v1/approvals']);
  return (
    <Page
      title={`${run.agent.name}@${run.agent.version}`}
      badge={
        <Group gap={6}>
          <Status value={run.status} />
          <TestMark mode={run.mode} />
        </Group>
      }
      actions={
        open.has(run.status) &&
        can('runs:cancel') && (
          <ConfirmButton
            size="xs"
            label={t('runs.cancel')}
            title={t('runs.cancel')}
            about={t('runs.cancelAbout')}
            act={async () => {
              await lintel.request('POST /v1/runs/{id}/cancel', { path: { id: run.id } });
              refresh();
            }}
          />
        )
      }
    >
      {run.status === 'needs_review' && <ReviewPanel run={run} onDone={refresh} />}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Stack gap="sm">
          <Panel title={t('runs.facts')}>
            <Facts
              rows={[
                [t('label.id'), <Copyable key="id" value={run.id} />],
                [
                  t('runs.agent'),
                  <TextLink key="agent" size="sm" to={`/app/agents/${run.agent.id}`}>
                    {run.agent.name}
                  </TextLink>,
                ],
                [t('label.created'), <When key="c" at={run.createdAt} />],
                [t('runs.finished'), <When key="f" at={run.finishedAt} />],
                [t('runs.modelSteps'), <Num key="m" value={run.modelSteps} />],
                [t('calls.tokens'), <Num key="t" value={run.tokens} />],
                [t('calls.price'), <Money key="p" amount={run.price} currency={run.currency} />],
                ...(run.call
                  ? [
                      [
                        t('call.title'),
                        <TextLink key="call" size="sm" to="/app/calls" search={{ call: run.call }}>
                          {run.call}
                        </TextLink>,
                      ] as const,
                    ]
                  : []),
              ]}
            />
          </Panel>
          {run.output && (
            <Panel title={t('runs.output')}>
              <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} dir="auto">
                {run.output.text}
              </Text>
            </Panel>
          )}
          {run.error && <ProblemNotice error={codedError(run.error)} />}
        </Stack>
        <Panel title={t('playground.steps')}>
          <StepList steps={run.steps as StepView[]} runId={run.id} isOpen={open.has(run.status)} />
        </Panel>
      </SimpleGrid>
    </Page>
  );
}

/** A tool call whose effect is not known: a person says what became of it. */
function ReviewPanel({ run, onDone }: { run: Run; onDone: () => void }) {
  const t = useT();
  const can = useCan();
  const [result, setResult] = useState('');
  const decide = useSend('POST /v1/runs/{id}/review', ['/v1/runs']);
  const step = run.steps.find((each) => each.status === 'pending' || each.status === 'intent');
  const answer = (body: Input<'POST /v1/runs/{id}/review'>['body']) =>
    decide.mutate({ path: { id: run.id }, body }, { onSuccess: onDone });
  return (
    <Alert color="orange" icon={<Icon name="warning" />} title={t('review.title')}>
      <Stack gap="sm">
        <Text size="sm">{t('review.about', { tool: step?.tool ?? '' })}</Text>
        {can('approvals:approve') && (
          <>
            <Textarea
              label={t('review.result')}
              description={t('review.resultAbout')}
              autosize
              minRows={2}
              value={result}
              onChange={(event) => setResult(event.currentTarget.value)}
            />
            <Group gap="xs">
              <Button onClick={() => answer({ decision: 'result', result })} loading={decide.isPending}>
                {t('review.done')}
              </Button>
              <Button variant="default" onClick={() => answer({ decision: 'retry' })} loading={decide.isPending}>
                {t('review.retry')}
              </Button>
              <Button
                variant="default"
                color="red"
                onClick={() => answer({ decision: 'fail' })}
                loading={decide.isPending}
              >
                {t('review.fail')}
              </Button>
            </Group>
          </>
        )}
        {decide.error !== null && <ProblemNotice error={decide.error} />}
      </Stack>
    </Alert>
  );
}
