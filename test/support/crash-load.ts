import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

/** A call as its client saw it. */
export type SeenCall = {
  id: string | undefined;
  /** 0: the connection broke. */
  status: number;
  /** True when the whole answer came: the body, or `[DONE]` of a stream. */
  answered: boolean;
  at: number;
};

/** Load on an installation of two nodes: pass-through calls, plain and streamed, and runs of an agent, in background and foreground. */
export type CrashLoad = {
  readonly calls: readonly SeenCall[];
  /** Outside ids of runs that were accepted. */
  readonly runs: ReadonlySet<string>;
  /** Runs whose client waited and got the answer, with the status that it gave. */
  readonly answeredRuns: ReadonlyMap<string, string>;
  /** Ends the load; resolves when the last client has its answer. */
  stop(): Promise<void>;
};

/** Starts clients that go on until {@link CrashLoad.stop}: each call is tried once; each run is asked for until it is accepted. */
export function startCrashLoad(options: {
  urls: readonly string[];
  key: string;
  agentId: string;
  callers: number;
  runners: number;
}): CrashLoad {
  const { urls, key, agentId } = options;
  const dispatcher = new Agent({ connections: 64, headersTimeout: 90_000, bodyTimeout: 90_000 });
  const calls: SeenCall[] = [];
  const runs = new Set<string>();
  const answeredRuns = new Map<string, string>();
  let stopped = false;
  let n = 0;
  // A request that its client library lost sight of when a node died must not hold the proof up.
  const signal = () => AbortSignal.timeout(100_000);
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };

  const callOnce = async (url: string, stream: boolean): Promise<SeenCall> => {
    const seen: SeenCall = { id: undefined, status: 0, answered: false, at: performance.now() };
    try {
      const answer = await request(`${url}/v1/chat/completions`, {
        method: 'POST',
        dispatcher,
        signal: signal(),
        headers,
        body: JSON.stringify({
          model: 'double/double',
          stream,
          max_tokens: 50,
          messages: [{ role: 'user', content: `say:number ${n++}` }],
        }),
      });
      seen.status = answer.statusCode;
      seen.id = String(answer.headers['x-request-id'] ?? '') || undefined;
      const text = await answer.body.text();
      seen.answered = answer.statusCode === 200 && (!stream || text.includes('data: [DONE]'));
    } catch {
      // A client whose node died: what became of the call is what the proof looks at.
    }
    return seen;
  };
  const caller = async (index: number) => {
    while (!stopped) {
      const seen = await callOnce(urls[index % urls.length] as string, index % 3 === 0);
      calls.push(seen);
      await sleep(seen.answered ? 5 : 50);
    }
  };

  const post = async (url: string, path: string, body: unknown, more: Record<string, string> = {}) => {
    const answer = await request(`${url}${path}`, {
      method: 'POST',
      dispatcher,
      signal: signal(),
      headers: { ...headers, ...more },
      body: JSON.stringify(body),
    });
    return { status: answer.statusCode, body: (await answer.body.json()) as Record<string, unknown> };
  };
  const runner = async (index: number) => {
    const background = index % 2 === 0;
    while (!stopped) {
      const name = `run-${index}-${n++}`;
      const body = {
        input: `call:ledger_put {"id":"${name}"} then call:ledger_send {"id":"${name}"}`,
        ...(background ? { mode: 'background' } : {}),
      };
      // Asked again under one key until it is accepted: a run that was accepted twice would show.
      for (let tries = 0; tries < 100; tries++) {
        const url = urls[(index + tries) % urls.length] as string;
        const path = `/v1/agents/${agentId}/runs`;
        const answer = await post(url, path, body, background ? { 'idempotency-key': name } : {}).catch(
          () => undefined,
        );
        const id = answer?.body['id'];
        if (answer !== undefined && answer.status < 300 && typeof id === 'string') {
          runs.add(id);
          if (!background) answeredRuns.set(id, String(answer.body['status']));
          break;
        }
        // A foreground run cannot be asked for twice: the first may go on.
        if (!background) break;
        await sleep(100);
      }
      await sleep(20);
    }
  };
  const clients = [
    ...Array.from({ length: options.callers }, (_, index) => caller(index)),
    ...Array.from({ length: options.runners }, (_, index) => runner(index)),
  ];
  return {
    calls,
    runs,
    answeredRuns,
    stop: async () => {
      stopped = true;
      await Promise.all(clients);
      await dispatcher.destroy();
    },
  };
}
