import { Problem } from '#kernel/problem';
import type { RunListener } from './drive-context.ts';
import { agentProblems } from './problems.ts';
import type { Driven } from './run-engine.ts';
import type { RunManager } from './run-manager.ts';
import { eventsOfRun, type RunBell } from './run-stream.ts';
import type { Run } from './runs.ts';
import { patiently } from './while-away.ts';

/** How long a client that has gone is still of interest: its run is asked to end. */
const lastMs = 5_000;

/**
 * Follows a run that another engine has now (this one was silent for too long, or the database for it) until it is over or waits
 * for somebody, for a client that is still there. What the other does is heard as if it were done here. `streamed`: the text that
 * the client has of the step that was lost. When the client goes, the run is asked to end.
 */
export async function followRun(
  deps: { runs: Pick<RunManager, 'getRun' | 'getSteps' | 'endForClient'>; bell: RunBell },
  { run, steps, problem }: Driven,
  client: AbortSignal | undefined,
  { listener, streamed }: { listener: RunListener; streamed: string },
): Promise<Driven> {
  const { tenantId, id } = run;
  const { runs, bell } = deps;
  const gone = new AbortController();
  const leave = () => {
    void runs.endForClient(tenantId, id).catch(() => undefined);
    setTimeout(() => gone.abort(), lastMs).unref();
  };
  if (client?.aborted) leave();
  client?.addEventListener('abort', leave, { once: true });
  const read = {
    run: () => patiently(() => runs.getRun(tenantId, id), gone.signal),
    steps: (from: number) => patiently(() => runs.getSteps(tenantId, id, from), gone.signal),
    bell,
    mayStay: () => true,
  };
  try {
    for await (const event of eventsOfRun(read, id, steps.at(-1)?.seq ?? -1, gone.signal)) {
      if (event.event === 'step') listener.onStep?.(event.data);
      else if (event.data.status !== 'running' && event.data.status !== 'queued') {
        tellRest(listener, streamed, event.data.output?.text);
        return { run: event.data, steps: await read.steps(0), problem: problemOf(event.data) };
      }
    }
  } finally {
    client?.removeEventListener('abort', leave);
  }
  return { run, steps, problem };
}

/** The client has a part of what the first engine heard; the other's answer may be another. */
function tellRest(listener: RunListener, streamed: string, text: string | undefined): void {
  if (text === undefined || text === streamed) return;
  if (text.startsWith(streamed)) listener.onText?.(text.slice(streamed.length));
  else listener.onText?.(`\n\n${text}`);
}

/** The problem that ended a run elsewhere, as its client is told. */
function problemOf({ status, error }: Run): Problem | undefined {
  if (status !== 'failed' || error === null) return undefined;
  const kind = { ...agentProblems.runFailed, type: error.code, status: error.status ?? agentProblems.runFailed.status };
  return new Problem(kind, { detail: error.detail, ...(error.extra === undefined ? {} : { extra: error.extra }) });
}
