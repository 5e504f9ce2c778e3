import { Badge, Group, Stack, Text } from '@mantine/core';

import { DecideButtons } from '#features/agents/approvals-page.tsx';
import type { StepView } from '#features/agents/run-view.ts';
import { useGet } from '#lib/api.ts';
import { Num, When } from '#lib/format.tsx';
import { useT, useWord } from '#lib/i18n.tsx';
import { Json } from '#ui/page.tsx';
import { Status } from '#ui/status.tsx';

/** The steps of a run in their order: model calls, tool calls with arguments and results, approvals. */
export function StepList({
  steps,
  runId,
  isOpen,
}: {
  steps: readonly StepView[];
  runId: string | undefined;
  /** Whether the run still goes on: then what it waits for is asked here. */
  isOpen: boolean;
}) {
  const t = useT();
  const word = useWord('stepKind');
  const state = useWord('stepStatus');
  if (steps.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t('playground.waiting')}
      </Text>
    );
  return (
    <div className="trace">
      {steps.map((step) => (
        <div key={step.seq} className="trace-step" data-outcome={step.status === 'done' ? 'pass' : 'skip'}>
          <Group gap="xs">
            <Text size="sm" fw={600}>
              {step.tool ? `${word(step.kind)} · ${step.tool}` : word(step.kind)}
            </Text>
            {step.status !== 'done' && <Badge color="yellow">{state(step.status)}</Badge>}
            {step.startedAt && (
              <Text size="xs" c="dimmed" ms="auto">
                <When at={step.startedAt} short />
              </Text>
            )}
          </Group>
          <Stack gap={4} mt={4}>
            {step.arguments !== undefined && step.arguments !== null && <Json value={step.arguments} />}
            <StepResult result={step.result} />
            <StepTokens step={step} />
          </Stack>
        </div>
      ))}
      {isOpen && runId !== undefined && steps.some(({ status }) => status === 'pending') && (
        <WaitingApprovals runId={runId} />
      )}
    </div>
  );
}

function StepResult({ result }: { result: unknown }) {
  const t = useT();
  if (result === null || result === undefined) return null;
  const { approved, note } = result as { approved?: boolean; note?: string };
  if (approved !== undefined) {
    return (
      <Group gap="xs">
        <Status value={approved ? 'approved' : 'rejected'} />
        {note !== undefined && <Text size="sm">{note}</Text>}
      </Group>
    );
  }
  const { text, content, isError, toolCalls } = result as {
    text?: string;
    content?: string;
    isError?: boolean;
    toolCalls?: { name: string }[];
  };
  const shown = text ?? content;
  if (shown === undefined) return <Json value={result} />;
  return (
    <>
      {isError === true && <Status value="failed" />}
      {shown !== '' && (
        <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} dir="auto">
          {shown}
        </Text>
      )}
      {(toolCalls?.length ?? 0) > 0 && (
        <Text size="xs" c="dimmed">
          {t('steps.calls', { names: toolCalls?.map(({ name }) => name).join(', ') ?? '' })}
        </Text>
      )}
    </>
  );
}

function StepTokens({ step }: { step: StepView }) {
  const word = useWord('quantity');
  const quantities = Object.entries((step.quantities ?? {}) as Record<string, number>).filter(([, value]) => value > 0);
  if (quantities.length === 0) return null;
  return (
    <Text size="xs" c="dimmed">
      {quantities.map(([name, value]) => (
        <span key={name} style={{ marginInlineEnd: 10 }}>
          {word(name)} <Num value={value} />
        </span>
      ))}
    </Text>
  );
}

function WaitingApprovals({ runId }: { runId: string }) {
  const approvals = useGet('GET /v1/approvals', { query: { status: 'pending', limit: 100 } }, { every: 3_000 });
  const own = (approvals.data?.data ?? []).filter((approval) => approval.run === runId);
  return (
    <>
      {own.map((approval) => (
        <div key={approval.id} className="trace-step" data-outcome="skip">
          <DecideButtons approval={approval} isInline />
        </div>
      ))}
    </>
  );
}
