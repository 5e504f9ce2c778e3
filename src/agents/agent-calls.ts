import type { Cause } from '#kernel/cause';
import type { Clock } from '#kernel/clock';
import type { Principal } from '#kernel/http';
import { Problem } from '#kernel/problem';
import type { Engine, Message } from '#models';
import type { AgentDirectory } from './agent-directory.ts';
import { type CallOrigin, callRecordOf } from './call-record.ts';
import { readMessages } from './conversation.ts';
import type { RunListener } from './drive-context.ts';
import { followRun } from './follow-run.ts';
import type { MeteringPort, QuotaPort } from './ports.ts';
import { agentProblems } from './problems.ts';
import type { Driven } from './run-engine.ts';
import type { ResolvedAgent, RunManager } from './run-manager.ts';
import type { RunBell } from './run-stream.ts';
import type { Front, Run, Step } from './runs.ts';
import { enginesOf, type Models } from './schemas.ts';
import { priceOf, spendingOf } from './spending.ts';

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
  /** What answered; null: elsewhere. */
  engine: Engine | null;
  message: { role: 'assistant'; content: string } | null;
  finishReason: string | null;
  quantities: Record<string, number>;
  price: { price: string; currency: string } | null;
};

/** What calls of agents are served with. */
export type CallDeps = {
  directory: AgentDirectory;
  agents: Models;
  runs: RunManager;
  bell: RunBell;
  metering: MeteringPort;
  quota: Pick<QuotaPort, 'takeAgentRequest'>;
  clock: Clock;
};

/** Calls of agents as the gateway and the module's own routes make them: one call, one run, one row in `calls`. */
export class AgentCalls {
  readonly #deps: CallDeps;

  constructor(deps: CallDeps) {
    this.#deps = deps;
  }

  /** The agent that a reference names, for one call by this principal: takes one of its requests per second. 404, 403, 429. */
  resolve({ tenantId, agents }: Principal, reference: string): ResolvedAgent {
    const agent = this.#deps.directory.resolve(tenantId, reference);
    if (agents !== undefined && !agents.includes(agent.agentId))
      throw new Problem(agentProblems.agentNotAllowed, { detail: `The key may not call the agent "${agent.name}".` });
    this.#deps.quota.takeAgentRequest(tenantId, agent.agentId);
    return agent;
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
    const agent = this.resolve(call.principal, reference);
    const tools = body['tools'];
    if (Array.isArray(tools) && tools.length > 0) throw refused('tools', 'An agent brings its own tools.');
    if (typeof body['n'] === 'number' && body['n'] > 1) throw refused('n', 'An agent gives one answer.');
    const driven = await this.run({ ...call, agent, messages: readMessages(body['messages'], '/messages') });
    const { run, steps, problem } = driven;
    if (problem !== undefined) throw new Problem(problem.kind, { ...problem.details, recorded: true });
    if (run.status === 'cancelled')
      throw new Problem(agentProblems.runCancelled, { detail: run.error?.detail ?? '', recorded: true });
    const [engine] = await enginesOf(this.#deps.agents, run.tenantId, [
      { agentId: run.agentId, version: run.agentVersion },
    ]);
    return {
      run,
      engine: engine ?? null,
      message: run.output === null ? null : { role: 'assistant', content: run.output.text },
      finishReason: run.output?.finishReason ?? null,
      quantities: { ...spendingOf(run, steps).quantities },
      price: priceOf(run),
    };
  }

  /**
   * Runs an agent for a client that waits and writes the call's row; the outcome is in what it resolves to. A run that another engine
   * took over is followed to where it stands still.
   */
  async run(call: AgentCall): Promise<Driven> {
    const { runs, bell } = this.#deps;
    let streamed = '';
    const listener: RunListener = {
      ...(call.listener?.onText === undefined
        ? {}
        : {
            onText: (delta) => {
              streamed += delta;
              call.listener?.onText?.(delta);
            },
          }),
      onStep: (step) => {
        // The text of a model step that is done is no part of the next one's.
        if (step.kind === 'model') streamed = '';
        call.listener?.onStep?.(step);
      },
    };
    const front = frontOf(call);
    let driven = await runs.runInForeground({ ...call, listener, front });
    if (driven.halted === 'deposed' || driven.halted === 'unreachable')
      driven = await followRun({ runs, bell }, driven, call.signal, { listener, streamed });
    const { run, steps, problem } = driven;
    // One that another engine has gets its row when it stands still: the log brings it (see callSubscriber).
    if (run.status !== 'running') await this.#record(call, run, steps, problem?.kind.status);
    return driven;
  }

  /** Queues a run for the background and writes the call's row. */
  async queue(call: AgentCall): Promise<Run> {
    const run = await this.#deps.runs.runInBackground({ ...call, front: frontOf(call) });
    await this.#record(call, run, [], 202);
    return run;
  }

  #record(call: AgentCall, run: Run, steps: readonly Step[], httpStatus: number | undefined): Promise<void> {
    const { metering, clock } = this.#deps;
    const row = callRecordOf({ ...run, callId: call.callId }, frontOf(call), steps, clock.now(), httpStatus);
    return metering.record({ call: row, usage: [], charges: [] });
  }
}

function frontOf({ origin, trace, stream }: AgentCall): Front {
  return { origin, trace, stream };
}

function refused(param: string, detail: string): Problem {
  return new Problem(
    { type: 'invalid-input', status: 400, title: 'The input is not valid.' },
    { detail, param, errors: [{ pointer: `/${param}`, detail }] },
  );
}
