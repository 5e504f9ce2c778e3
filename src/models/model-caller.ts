import { setTimeout as sleep } from 'node:timers/promises';

import type { Clock } from '#kernel/clock';
import type { Egress } from '#kernel/egress';
import { newId } from '#kernel/ids';
import { Problem, type ProblemDetails, type ProblemKind } from '#kernel/problem';
import { warmTools } from '#models/router';

import { type Answered, askProvider } from './ask-provider.ts';
import type { CircuitBreakers } from './circuit-breaker.ts';
import { estimateTokens } from './estimate-tokens.ts';
import { explainFailure, failureOf, isOfTheCall } from './explain-failure.ts';
import { type Attempt, bytesOf, type Generated, type GenerateRequest, type RouteMessage, textOf } from './messages.ts';
import { modelProblems } from './problems.ts';
import { readUsage } from './read-usage.ts';
import { type Failure, kindOfError, mayFallBack, retryDelayMs, safeToRetry, tripsCircuit } from './retry-policy.ts';
import type { Quantities, Target } from './types.ts';

/** A model call that gave no answer: what was tried, and what it is likely to have used all the same (estimated; undefined: nothing). */
export class ModelCallFailed extends Problem {
  readonly attempts: readonly Attempt[];
  readonly used: Quantities | undefined;
  /** The target that was being asked when the call ended. */
  readonly target: Target;

  constructor(
    kind: ProblemKind,
    details: ProblemDetails,
    call: { attempts: readonly Attempt[]; used: Quantities | undefined; target: Target },
  ) {
    super(kind, details);
    this.name = 'ModelCallFailed';
    this.attempts = call.attempts;
    this.used = call.used;
    this.target = call.target;
  }
}

type Deps = {
  clock: Clock;
  breakers: CircuitBreakers;
  egress: Pick<Egress, 'fetch'>;
  routeMessage: RouteMessage;
  /** Told of text bytes and the tokens they were, for later estimates. */
  observe: (target: Target, bytes: number, tokens: number) => void;
  /** Between 0 and 1, for the jitter of waits. */
  random?: () => number;
};

/** How long one try may take in all, milliseconds: models that think answer late. */
const tryTimeoutMs = 600_000;

/** Model calls for agents: circuit breaker, safe retries and fallbacks around one request that is one durable step. */
export class ModelCaller {
  readonly #deps: Deps;
  readonly #random: () => number;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#random = deps.random ?? Math.random;
  }

  /**
   * Asks the target, then its fallbacks, until one answers. Rejects with {@link ModelCallFailed}; also when `abortSignal` ends the call
   * (status 499), so that what was used by then can be settled.
   */
  async generate(request: GenerateRequest): Promise<Generated> {
    if (request.target.provider === 'lintel') return this.#route(request);
    const attempts: Attempt[] = [];
    let last: { failure: Failure; target: Target } | undefined;
    for (const target of [request.target, ...request.target.fallbacks]) {
      for (let tried = 1; ; tried++) {
        const pass = this.#deps.breakers.of(target).enter();
        if (pass === undefined) break;
        const progress = { shown: 0, hidden: 0 };
        const started = this.#deps.clock.monotonic();
        try {
          const answered = await this.#ask(request, target, progress);
          pass.succeed();
          attempts.push(this.#attempt(target, 200, started));
          return this.#finish(request, target, answered, attempts);
        } catch (error) {
          const failure = failureOf(error);
          // Whatever the caller's reason is made of: then the call was cancelled.
          if (request.abortSignal?.aborted) {
            pass.abandon();
            attempts.push(this.#attempt(target, failure.status ?? 'cancelled', started));
            throw this.#failed(cancelled, {}, request, target, attempts, progress);
          }
          if (!isOfTheCall(error)) {
            pass.abandon();
            throw error;
          }
          attempts.push(this.#attempt(target, failure.status ?? kindOfError(error), started));
          if (tripsCircuit(failure)) pass.fail();
          else if (failure.status === undefined || failure.status === 429) pass.abandon();
          else pass.succeed();
          last = { failure, target };
          if (!mayFallBack(failure, progress.shown))
            throw this.#problemOf(failure, request, target, attempts, progress);
          if (!safeToRetry(failure, progress.shown)) break;
          const wait = retryDelayMs(failure, tried + 1, this.#deps.clock.now().epochMilliseconds, this.#random);
          if (wait === undefined) break;
          await sleep(wait, undefined, { signal: request.abortSignal }).catch(() => undefined);
          if (request.abortSignal?.aborted) throw this.#failed(cancelled, {}, request, target, attempts, undefined);
        }
      }
    }
    if (last !== undefined) throw this.#problemOf(last.failure, request, last.target, attempts, undefined);
    const seconds = Math.ceil(this.#deps.breakers.of(request.target).opensInMs / 1000);
    throw this.#failed(
      modelProblems.upstreamFailed,
      {
        detail: `${request.target.id} has failed repeatedly and is left alone for ${seconds} s.`,
        headers: { 'retry-after': String(Math.max(1, seconds)) },
      },
      request,
      request.target,
      attempts,
      undefined,
    );
  }

  #ask(request: GenerateRequest, target: Target, progress: Progress): Promise<Answered> {
    const { onDelta, abortSignal } = request;
    const limit = AbortSignal.timeout(tryTimeoutMs);
    return askProvider({
      target,
      messages: request.messages,
      tools: request.tools ?? [],
      maxOutputTokens: capOf(request, target),
      temperature: request.temperature,
      signal: abortSignal === undefined ? limit : AbortSignal.any([abortSignal, limit]),
      onDelta:
        onDelta === undefined
          ? undefined
          : (text, shown) => {
              progress[shown ? 'shown' : 'hidden'] += Buffer.byteLength(text);
              if (shown) onDelta(text);
            },
      // The operator chose the platform's addresses; a tenant's go out guarded.
      fetch: target.ownedBy === 'platform' ? globalThis.fetch : this.#deps.egress.fetch(target.ownerTenantId),
    });
  }

  #finish(request: GenerateRequest, target: Target, answered: Answered, attempts: Attempt[]): Generated {
    const { text, toolCalls, finishReason, usage } = answered;
    const read = readUsage(target.preset, usage);
    let bytes = Buffer.byteLength(text);
    for (const call of toolCalls) bytes += Buffer.byteLength(call.name) + Buffer.byteLength(call.arguments);
    if (read !== undefined) this.#deps.observe(target, bytes, read.output_tokens - read.reasoning_tokens);
    const quantities = read ?? this.#estimate(request, target, bytes);
    return { text, toolCalls, finishReason, quantities, estimated: read === undefined, target, attempts, raw: usage };
  }

  #estimate(request: GenerateRequest, target: Target, outputBytes: number): Quantities {
    const input = bytesOf(request.messages, request.tools);
    return {
      input_tokens: estimateTokens(input, target.bytesPerToken),
      cached_input_tokens: 0,
      output_tokens: estimateTokens(outputBytes, target.bytesPerToken),
      reasoning_tokens: 0,
    };
  }

  #attempt(target: Target, status: number | string, started: number): Attempt {
    const ms = Math.round(this.#deps.clock.monotonic() - started);
    return { provider: target.provider, model: target.model, status, ms };
  }

  #failed(
    kind: ProblemKind,
    details: ProblemDetails,
    request: GenerateRequest,
    target: Target,
    attempts: readonly Attempt[],
    /** Of the try that ended the call; undefined where none was under way. */
    progress: Progress | undefined,
  ): ModelCallFailed {
    const bytes = progress === undefined ? undefined : progress.shown + progress.hidden;
    // A provider that began to answer, or was given up in the middle of it, charges for what it read and wrote.
    const begun = bytes !== undefined && (bytes > 0 || kind === cancelled);
    const used = begun ? this.#estimate(request, target, bytes) : undefined;
    return new ModelCallFailed(kind, details, { attempts, used, target });
  }

  #problemOf(
    failure: Failure,
    request: GenerateRequest,
    target: Target,
    attempts: Attempt[],
    progress: Progress | undefined,
  ) {
    const { kind, details } = explainFailure(failure, target, this.#deps.clock.now().epochMilliseconds);
    return this.#failed(kind, details, request, target, attempts, progress);
  }

  /** The built-in deterministic router: no provider, no tokens, price 0. */
  async #route(request: GenerateRequest): Promise<Generated> {
    const tools = (request.tools ?? []).map(({ parameters, ...tool }) => ({ ...tool, inputSchema: parameters }));
    // An agent's list costs milliseconds a tool the first time: not in one piece on a loop that others wait for.
    await warmTools(tools);
    const decision = this.#deps.routeMessage({
      messages: request.messages.map((message) => ({
        role: message.role,
        content: textOf(message.content),
        ...(message.role === 'tool' ? { toolCallId: message.toolCallId } : {}),
        ...(message.role === 'assistant' && message.toolCalls !== undefined
          ? {
              toolCalls: message.toolCalls.map((call) => ({
                ...call,
                arguments: readJson(call.arguments),
              })),
            }
          : {}),
      })),
      tools,
      now: this.#deps.clock.now(),
      timeZone: request.timeZone ?? 'UTC',
      instructions: request.messages.map((each) => (each.role === 'system' ? textOf(each.content) : '')).join('\n'),
    });
    const call = decision.kind === 'call';
    if (!call) request.onDelta?.(decision.text);
    return {
      text: call ? '' : decision.text,
      toolCalls: call
        ? [{ id: `call_${newId()}`, name: decision.tool, arguments: JSON.stringify(decision.arguments) }]
        : [],
      finishReason: call ? 'tool-calls' : 'stop',
      quantities: { input_tokens: 0, cached_input_tokens: 0, output_tokens: 0, reasoning_tokens: 0 },
      estimated: false,
      target: request.target,
      attempts: [{ provider: 'lintel', model: 'router', status: 200, ms: 0 }],
      raw: undefined,
    };
  }
}

/** Bytes of the answer so far: `shown` went on to the client. */
type Progress = { shown: number; hidden: number };

const cancelled: ProblemKind = { type: 'cancelled', status: 499, title: 'The call was cancelled.' };

/** The smaller of what was asked for and what the model can write. */
function capOf(request: GenerateRequest, target: Target): number | undefined {
  const { maxOutputTokens: asked } = request;
  return asked !== undefined && target.maxOutputTokens !== null ? Math.min(asked, target.maxOutputTokens) : asked;
}

/** What a caller sent as arguments may be no JSON. */
function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
