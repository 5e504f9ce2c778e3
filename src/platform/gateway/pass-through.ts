import { killPoint } from '#kernel/faults';
import type { Context } from '#kernel/http';
import { parseDecimal, toMicros } from '#kernel/money';
import { invalidInput, Problem } from '#kernel/problem';
import { toProblem } from '#kernel/server';
import { estimateTokens, readUsage, type Target } from '#models';
import { boundInput, outputCap } from './bound-usage.ts';
import { CallDraft, type CallEnd, type Outcome } from './call-draft.ts';
import { DuplicateMember, editMembers, findMembers, type Members } from './edit-body.ts';
import type { Amount, GatewayPorts, Held, Quantities, Subjects } from './ports.ts';
import { gatewayProblems } from './problems.ts';
import { recordRefusal } from './record-refusal.ts';
import { relayPlain, relayStream } from './relay-answer.ts';
import { sendUpstream } from './send-upstream.ts';
import type { UpstreamTimeouts } from './upstream.ts';

/** Tokens of hidden reasoning reserved where neither the cap nor a known context bounds them (the largest thinking budget documented by a preset's provider is below it). */
const unboundedReasoning = 65_536;

/** The parts of a call's request that the gateway reads. */
type ModelRequest = Record<string, unknown> & {
  model: string;
  stream?: boolean;
  n?: number;
  stream_options?: Record<string, unknown>;
};

/**
 * A call that passes through to a model provider: reserve → handle → settle → record → respond. The request goes on as it came
 * but for model, output cap and `stream_options.include_usage`; the answer comes back as it comes. Its last byte leaves after the
 * call's row is durable.
 */
export class PassThrough {
  readonly #ports: GatewayPorts;
  readonly #timeouts: UpstreamTimeouts;
  readonly #maxAnswerBytes: number;
  readonly #defaultCap: number;

  constructor(deps: {
    ports: GatewayPorts;
    timeouts: UpstreamTimeouts;
    maxAnswerBytes: number;
    defaultOutputCap: number;
  }) {
    this.#ports = deps.ports;
    this.#timeouts = deps.timeouts;
    this.#maxAnswerBytes = deps.maxAnswerBytes;
    this.#defaultCap = deps.defaultOutputCap;
  }

  /** Serves one call; throws the problem it is refused or fails with (its row is written by then). */
  async serve(context: Context, path: 'chat/completions' | 'embeddings'): Promise<void> {
    const body = context.body as ModelRequest;
    const draft = new CallDraft(
      context,
      path === 'embeddings' ? 'embedding' : 'chat',
      body.model,
      body.stream === true,
    );
    const gone = new AbortController();
    // A client may leave while its request is still at the front door.
    if (context.reply.raw.destroyed) gone.abort();
    context.reply.raw.once('close', () => {
      if (!context.reply.raw.writableFinished) gone.abort();
    });
    let held: Held | undefined;
    try {
      const decision = this.#ports.authorize(context.principal, 'models:invoke');
      draft.step('authorize', 'pass', { permission: 'models:invoke', role: decision.role, reason: decision.reason });
      const text = context.request.rawBody as string;
      const members = membersOf(text);
      const target = this.#ports.resolve(context.tenantId, body.model, context.principal.mode);
      draft.target = target;
      const subjects = subjectsOf(context);
      const plan = this.#plan(draft, subjects, text, members, body, target, path);
      const reserved = this.#ports.reserve(subjects, plan.amounts);
      held = reserved instanceof Promise ? await reserved : reserved;
      draft.reserved = { tokens: Number(plan.amounts.tokens), money: plan.price?.amount ?? null };
      draft.step('reserve', 'pass', held.detail());
      killPoint('call-after-intent');
      const answered = await sendUpstream(this.#ports, draft, target, {
        path,
        body: (each) => upstreamBody(text, members, body, each, plan.fillCap),
        timeouts: this.#timeouts,
        gone: gone.signal,
      });
      draft.target = answered.target;
      const finish = (outcome: Outcome) => this.#finish(context, draft, held as Held, outcome);
      const read = {
        usage: (usage: unknown) => readUsage(answered.target.preset, usage),
        estimate: (outputBytes: number) => this.#estimate(answered.target, plan.inputBytes, outputBytes, plan.bound),
        learn: (bytes: number, tokens: number) => this.#ports.learn(answered.target, bytes, tokens),
      };
      context.reply.hijack();
      const relay =
        body.stream === true && String(answered.headers['content-type'] ?? '').includes('event-stream')
          ? relayStream
          : relayPlain;
      await relay({
        context,
        draft,
        answered,
        read,
        finish,
        gone: gone.signal,
        keepUsage: body.stream_options?.['include_usage'] === true,
        maxBytes: this.#maxAnswerBytes,
      });
    } catch (error) {
      held?.release();
      if (context.reply.sent) {
        context.request.log.error(
          { err: error, requestId: context.requestId },
          'a call broke while its answer was relayed',
        );
        context.reply.raw.destroy();
        return;
      }
      await recordRefusal(this.#ports, context, draft, toProblem(error));
      throw error;
    }
  }

  /** What to reserve, and whether an output cap is filled in. */
  #plan(
    draft: CallDraft,
    subjects: Subjects,
    text: string,
    members: Members,
    body: ModelRequest,
    target: Target,
    path: string,
  ) {
    const limited = this.#ports.limited(subjects);
    const input = boundInput(text, members, body);
    const perMedia = mostPerMedia(target);
    if (input.media > 0 && perMedia === undefined && (limited.tokens || limited.money)) {
      throw new Problem(gatewayProblems.mediaUnbounded, {
        param: 'messages',
        errors: [{ pointer: '/messages', detail: 'holds image, audio or file parts' }],
      });
    }
    const asked = outputCap(body);
    const choices = typeof body.n === 'number' ? body.n : 1;
    const cap = asked ?? target.maxOutputTokens ?? this.#defaultCap;
    const bound: Quantities = {
      requests: 1,
      input_tokens: input.inputTokens + input.media * (perMedia ?? 0),
      ...(path === 'embeddings' ? {} : { output_tokens: mostOutput(target, cap) * choices }),
    };
    const price = this.#highestPrice(subjects.tenantId, target, bound);
    if (price === null && limited.money) {
      throw new Problem(gatewayProblems.unpriced, {
        detail: `The model "${target.provider}/${target.model}" has no price in this tenant's plan.`,
        param: 'model',
        headers: { 'x-should-retry': 'false' },
      });
    }
    draft.step('price', price === null ? 'skip' : 'pass', { bound, price });
    return {
      bound,
      price,
      inputBytes: input.inputTokens,
      fillCap: asked === undefined && path !== 'embeddings' && (limited.tokens || limited.money) ? cap : undefined,
      amounts: {
        tokens: BigInt((bound['input_tokens'] ?? 0) + (bound['output_tokens'] ?? 0)),
        money: price === null ? 0n : toMicros(parseDecimal(price.amount), 'ceil'),
      },
    };
  }

  /** The most that so much can cost: a plan may price parts (cache writes, reasoning) above their whole. */
  #highestPrice(tenantId: string, target: Target, bound: Quantities): Amount | null {
    const { input_tokens: input = 0, output_tokens: output = 0 } = bound;
    const dimensions = dimensionsOf(target);
    const price = this.#ports.price(tenantId, 'model.call', dimensions, bound);
    const parts = this.#ports.price(tenantId, 'model.call', dimensions, {
      ...bound,
      cache_write_input_tokens: input,
      reasoning_tokens: output,
    });
    if (price === null || parts === null) return price;
    return parseDecimal(parts.amount) > parseDecimal(price.amount) ? parts : price;
  }

  /** Usage of a call whose provider told none: from bytes, never above what was reserved. */
  #estimate(target: Target, inputBytes: number, outputBytes: number, bound: Quantities): Quantities {
    const tokens = (bytes: number, most: number | undefined) =>
      Math.min(estimateTokens(bytes, target.bytesPerToken), most ?? 0);
    return {
      requests: 1,
      input_tokens: tokens(inputBytes, bound['input_tokens']),
      ...(bound['output_tokens'] === undefined ? {} : { output_tokens: tokens(outputBytes, bound['output_tokens']) }),
    };
  }

  /** Settles what was used and records the call; returns its price. */
  async #finish(context: Context, draft: CallDraft, held: Held, outcome: Outcome): Promise<CallEnd> {
    killPoint('call-after-effect');
    const target = draft.target as Target;
    const { quantities } = outcome;
    const used = Object.keys(quantities).length > 0;
    const price = used ? this.#ports.price(context.tenantId, 'model.call', dimensionsOf(target), quantities) : null;
    const end: CallEnd = {
      ...outcome,
      price,
      cost: used ? this.#ports.cost(target, quantities, draft.startedAt) : null,
    };
    draft.step('handle', outcome.status === 'ok' ? 'pass' : 'refuse', {
      status: outcome.httpStatus,
      provider: target.provider,
      attempts: draft.attempts.length,
    });
    const charges = held.settle({
      tokens: BigInt((quantities['input_tokens'] ?? 0) + (quantities['output_tokens'] ?? 0)),
      money: price === null ? 0n : toMicros(parseDecimal(price.amount), 'ceil'),
    });
    draft.step('settle', 'pass', { quantities, price, estimated: outcome.estimated });
    const demo = this.#ports.isDemo(context.tenantId);
    await this.#ports.record({ call: draft.record(end, demo), usage: draft.usage(end, demo), charges });
    killPoint('call-after-commit');
    return end;
  }
}

/** Dimensions that prices of calls are told apart by. */
export function dimensionsOf(target: Target): Record<string, string> {
  return { model: `${target.provider}/${target.model}`, provider: target.provider };
}

/** Where hidden reasoning does not count towards the cap, the context is all that bounds it. */
function mostOutput(target: Target, cap: number): number {
  return target.outputCap.coversReasoning ? cap : Math.max(cap, target.contextTokens ?? cap + unboundedReasoning);
}

/** Tokens of one image or audio part at most, where the price book knows both. */
function mostPerMedia(target: Target): number | undefined {
  return target.maxImageTokens === null || target.maxAudioTokens === null
    ? undefined
    : Math.max(target.maxImageTokens, target.maxAudioTokens);
}

function subjectsOf(context: Context): Subjects {
  return { tenantId: context.tenantId, ...(context.principal.kind === 'key' ? { keyId: context.principal.id } : {}) };
}

function membersOf(text: string): Members {
  try {
    return findMembers(text);
  } catch (error) {
    if (error instanceof DuplicateMember) throw invalidInput(`/${error.member}`, 'stands twice');
    throw error;
  }
}

/** The body as it goes to a target. */
function upstreamBody(
  text: string,
  members: Members,
  body: ModelRequest,
  target: Target,
  fillCap: number | undefined,
): string {
  return editMembers(text, members, {
    model: JSON.stringify(target.model),
    ...(fillCap === undefined ? {} : { [target.outputCap.field]: String(fillCap) }),
    ...(body.stream === true && target.streamUsage
      ? { stream_options: JSON.stringify({ ...body.stream_options, include_usage: true }) }
      : {}),
  });
}
