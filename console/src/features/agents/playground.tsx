import { ActionIcon, Box, Button, Group, Select, SimpleGrid, Stack, Text, Textarea } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';

import { emptyRun, isOver, type RunView, readRunEvent } from '#features/agents/run-view.ts';
import { StepList } from '#features/agents/step-list.tsx';
import { codedError, lintel, refreshRoutes } from '#lib/api.ts';
import { useT } from '#lib/i18n.tsx';
import { TextLink } from '#lib/navigation.tsx';
import { useCan } from '#lib/session.ts';
import { Icon } from '#ui/icons.tsx';
import { Panel } from '#ui/page.tsx';
import { ProblemNotice } from '#ui/problem.tsx';
import { Status } from '#ui/status.tsx';

type PlayedAgent = { id: string; latestVersion: number };

type Turn = { role: 'user' | 'assistant'; content: string };

/** Talks to an agent: the answer as it comes, each step and tool call beside it, approvals in place. */
export function Playground({ agent }: { agent: PlayedAgent }) {
  const t = useT();
  const can = useCan();
  const [turns, setTurns] = useState<Turn[]>([]);
  const [text, setText] = useState('');
  const [version, setVersion] = useState('live');
  const [run, setRun] = useState<RunView>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const stop = useRef<AbortController>(null);
  const told = useRef<RunView>(emptyRun);
  const log = useRef<HTMLDivElement>(null);
  useEffect(() => () => stop.current?.abort(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the newest text is scrolled to whenever some comes
  useEffect(() => {
    // The box alone: a reader who looks at the steps is not pulled back to the talk.
    log.current?.scrollTo({ top: log.current.scrollHeight });
  }, [turns, run?.text]);

  const read = async (from: RunView, events: AsyncIterable<{ event: string; data: string }>): Promise<RunView> => {
    let view = from;
    for await (const { event, data } of events) {
      if (event === 'comment') continue;
      view = readRunEvent(view, event, JSON.parse(data));
      told.current = view;
      setRun(view);
    }
    return view;
  };
  const send = async () => {
    const content = text.trim();
    if (content === '' || busy) return;
    const messages: Turn[] = [...turns, { role: 'user', content }];
    const stopping = new AbortController();
    const { signal } = stopping;
    stop.current = stopping;
    setTurns(messages);
    setText('');
    setRun(undefined);
    setError(undefined);
    setBusy(true);
    told.current = emptyRun;
    let isForeground = true;
    try {
      const chosen = version === 'live' ? {} : { version: Number(version) };
      const input = { path: { id: agent.id }, body: { input: messages, mode: 'stream' as const, ...chosen } };
      let view = await read(emptyRun, lintel.events('POST /v1/agents/{id}/runs', input, { signal }));
      // A run that waits for a person goes on in the background once somebody decided: its own events tell how.
      isForeground = false;
      if (view.id !== undefined && !isOver(view.status))
        view = await read(view, lintel.events('GET /v1/runs/{id}/events', { path: { id: view.id } }, { signal }));
      if (view.status === 'finished') setTurns([...messages, { role: 'assistant', content: view.text }]);
    } catch (cause) {
      if (!signal.aborted) setError(cause);
      // What was said stays said. A run in the foreground ends with its client; one that waits for a person goes on.
      const { id, text: said } = told.current;
      if (id === undefined && !signal.aborted) {
        // Nothing began: the message is there to be sent again.
        setTurns(turns);
        setText(content);
      }
      if (said !== '') setTurns([...messages, { role: 'assistant', content: said }]);
      if (signal.aborted && isForeground && id !== undefined) setRun({ ...told.current, status: 'cancelled' });
    } finally {
      setBusy(false);
      void refreshRoutes(['/v1/runs', '/v1/approvals']);
    }
  };
  const isStreaming = busy && run !== undefined && run.text !== '' && turns.at(-1)?.role === 'user';
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      <Panel
        title={t('playground.title')}
        about={t('playground.about')}
        actions={
          <Select
            size="xs"
            w={110}
            aria-label={t('agents.version')}
            allowDeselect={false}
            value={version}
            onChange={(value) => setVersion(value ?? 'live')}
            data={[
              { value: 'live', label: t('playground.live') },
              ...Array.from({ length: agent.latestVersion }, (_, index) => String(agent.latestVersion - index)),
            ]}
          />
        }
      >
        <Stack gap="sm">
          <Stack gap="xs" mih={220} mah="52vh" style={{ overflowY: 'auto' }} ref={log} aria-live="polite" role="log">
            {turns.length === 0 && (
              <Text size="sm" c="dimmed">
                {t('playground.empty')}
              </Text>
            )}
            {turns.map((turn, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: turns are only added at the end
              <Box key={index} className="bubble" data-role={turn.role} fz="sm" dir="auto">
                {turn.content}
              </Box>
            ))}
            {isStreaming && (
              <Box className="bubble" data-role="assistant" fz="sm" dir="auto">
                {run.text}
              </Box>
            )}
            {error !== undefined && <ProblemNotice error={error} />}
            {run?.error !== undefined && <ProblemNotice error={codedError(run.error)} />}
          </Stack>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void send();
            }}
          >
            <Group gap="xs" align="flex-end" wrap="nowrap">
              <Textarea
                flex={1}
                autosize
                minRows={1}
                maxRows={8}
                aria-label={t('playground.message')}
                placeholder={t('playground.message')}
                disabled={!can('agents:invoke')}
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                onKeyDown={(event) => {
                  if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
                  event.preventDefault();
                  void send();
                }}
              />
              {busy ? (
                <ActionIcon
                  size="lg"
                  variant="filled"
                  color="red"
                  aria-label={t('playground.stop')}
                  onClick={() => stop.current?.abort()}
                >
                  <Icon name="stop" />
                </ActionIcon>
              ) : (
                <ActionIcon size="lg" variant="filled" color="ink" type="submit" aria-label={t('playground.send')}>
                  <Icon name="send" />
                </ActionIcon>
              )}
            </Group>
          </form>
          {turns.length > 0 && !busy && (
            <Group>
              <Button
                size="compact-xs"
                variant="subtle"
                onClick={() => {
                  setTurns([]);
                  setRun(undefined);
                  setError(undefined);
                }}
              >
                {t('playground.again')}
              </Button>
            </Group>
          )}
        </Stack>
      </Panel>
      <Panel
        title={t('playground.steps')}
        about={t('playground.stepsAbout')}
        actions={run?.status !== undefined && <Status value={run.status} />}
      >
        {run === undefined ? (
          <Text size="sm" c="dimmed">
            {t('playground.noSteps')}
          </Text>
        ) : (
          <Stack gap="sm">
            <StepList steps={run.steps} runId={run.id} isOpen={!isOver(run.status)} />
            {run.id !== undefined && (
              <TextLink size="sm" to={`/app/runs/${run.id}`}>
                {t('playground.openRun')}
              </TextLink>
            )}
          </Stack>
        )}
      </Panel>
    </SimpleGrid>
  );
}
