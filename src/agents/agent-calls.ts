import type { Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import { Problem } from '#kernel/problem';
import type { Message } from '#models';
import type { AgentDirectory } from './agent-directory.ts';
import { type CallOrigin, callRecordOf, priceOf, quantitiesOf } from './call-record.ts';
import { readMessages } from './conversation.ts';
import type { RunListener } from './drive-context.ts';
import type { MeteringPort } from './ports.ts';
import { agentProblems } from './problems.ts';
import type { Driven } from './run-engine.ts';
import type { ResolvedAgent, RunManager } from './run-manager.ts';
import type { Run } from './runs.ts';

/** A call of an agent: who, from where, what, and who listens. */
export type AgentCall = CallOrigin & {
  agent: ResolvedAgent;
  messages: readonly Message[];
  /** The run is cancelled when it aborts: the client has gone. */
  signal?: AbortSignal;
  listener?: RunListener;
  cause?: Pick<Cause, 'origin' | 'requestId' | 'decision'>;
};

/** What an agent answered, or where its run stands: `waiting` and `needs_review` have no message yet. */
export type ChatResult = {
  run: Run;
  message: { role: 'assistant'; content: string } | null;
  finishReason: string | null;
  quantities: Record<string, number>;
  price: { price: string; currency: string } | null;
};

/** Calls of agents as the gateway and the module's own routes make them: one call, one run, one row in `calls`. */
export class AgentCalls {
  readonly #deps: { directory: AgentDirectory; runs: RunManager; metering: MeteringPort; clock: Clock };

  constructor(deps: { directory: AgentDirectory; runs: RunManager; metering: MeteringPort; clock: Clock }) {
    this.#deps = deps;
  }

  /**
   * Runs an agent for a client that waits, as `POST /v1/chat/completions` does. `body` is OpenAI's request: the client's own tools
   * and `n` above 1 are refused (400). Rejects with the problem that ended the run; the call's row is committed before either way.
   */
  async chat(
    call: Omit<AgentCall, 'agent' | 'messages'>,
    reference: string,
    body: Record<string, unknown>,
  ): Promise<ChatResult> {
    const agent = this.#deps.directory.resolve(call.principal.tenantId, reference);
    const tools = body['tools'];
    if (Array.isArray(tools) && tools.length > 0) throw refused('tools', 'An agent brings its own tools.');
    if (typeof body['n'] === 'number' && body['n'] > 1) throw refused('n', 'An agent gives one answer.');
    const driven = await this.run({ ...call, agent, messages: readMessages(body['messages'], '/messages') });
    if (driven.problem !== undefined) throw driven.problem;
    const { run, steps } = driven;
    if (run.status === 'cancelled') throw new Problem(agentProblems.runCancelled, { detail: run.error?.detail ?? '' });
    return {
      run,
      message: run.output === null ? null : { role: 'assistant', content: run.output.text },
      finishReason: run.output?.finishReason ?? null,
      quantities: quantitiesOf(steps),
      price: priceOf(run),
    };
  }

  /** Runs an agent for a client that waits and writes the call's row; the outcome is in what it resolves to. */
  async run(call: AgentCall): Promise<Driven> {
    const { runs, metering, clock } = this.#deps;
    const driven = await runs.runInForeground(call);
    await metering.record({ call: callRecordOf(call, call.agent, driven, clock.now()), usage: [], charges: [] });
    return driven;
  }

  /** Queues a run for the background and writes the call's row. */
  async queue(call: AgentCall): Promise<Run> {
    const { runs, metering, clock } = this.#deps;
    const run = await runs.runInBackground(call);
    const driven = { run, steps: [], problem: undefined };
    await metering.record({ call: callRecordOf(call, call.agent, driven, clock.now()), usage: [], charges: [] });
    return run;
  }
}

function refused(param: string, detail: string): Problem {
  return new Problem(
    { type: 'invalid-input', status: 400, title: 'The input is not valid.' },
    { detail, param, errors: [{ pointer: `/${param}`, detail }] },
  );
}
