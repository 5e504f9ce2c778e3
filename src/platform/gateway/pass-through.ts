import { killPoint } from '#kernel/faults';
import type { Context } from '#kernel/http';
import { parseDecimal, toMicros } from '#kernel/money';
import { invalidInput } from '#kernel/problem';
import { toProblem } from '#kernel/server';
import { atMost, type Bound, boundCall, estimateTokens, mostOutput, readUsage, type Target } from '#models';
import { boundInput, outputCap } from './bound-usage.ts';
import { CallDraft, type CallEnd, type Outcome } from './call-draft.ts';
import { DuplicateMember, editMembers, findMembers, type Members } from './edit-body.ts';
import type { GatewayPorts, Held, Quantities, Subjects } from './ports.ts';
import { recordRefusal } from './record-refusal.ts';
import { relayPlain, relayStream } from './relay-answer.ts';
import { sendUpstream } from './send-upstream.ts';
import type { UpstreamTimeouts } from './upstream.ts';

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
      const answered = await sendUpstream(this.#ports, draft, plan.target, {
        path,
        body: (each) => upstreamBody(text, members, body, each, plan.capOf?.(each)),
        timeouts: this.#timeouts,
        gone: gone.signal,
      });
      draft.target = answered.target;
      const finish = (outcome: Outcome) => this.#finish(context, draft, held as Held, outcome);
      const read = {
        usage: (usage: unknown) => readUsage(answered.target.preset, usage),
        estimate: (outputBytes: number) =>
          estimateOf(answered.target, plan.inputBytes, outputBytes, plan.boundAt(answered.target.id)),
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
      throw await recordRefusal(this.#ports, context, draft, toProblem(error));
    }
  }

  /** What to reserve, whoever answers, and the output cap that each is sent (undefined: none, as it came). */
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
    const { inputTokens, media } = boundInput(text, members, body);
    const asked = outputCap(body);
    const writes = path !== 'embeddings';
    const capOf = (each: Target) => asked ?? each.maxOutputTokens ?? this.#defaultCap;
    const choices = typeof body.n === 'number' ? body.n : 1;
    const output = (each: Target) => mostOutput(each, capOf(each)) * choices;
    const call = boundCall(target, limited, { inputTokens, media, ...(writes ? { output } : {}) }, (each, quantities) =>
      this.#ports.price(subjects.tenantId, 'model.call', dimensionsOf(each), quantities),
    );
    const { bound, price, leftOut } = call;
    draft.step('price', price === null ? 'skip' : 'pass', {
      bound,
      price,
      ...(leftOut.length === 0 ? {} : { leftOut }),
    });
    return {
      ...call,
      inputBytes: inputTokens,
      capOf: writes && (asked !== undefined || limited.tokens || limited.money) ? capOf : undefined,
      amounts: {
        tokens: BigInt(bound.input_tokens + (bound.output_tokens ?? 0)),
        money: price === null ? 0n : toMicros(parseDecimal(price.amount), 'ceil'),
      },
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

/** Usage of a call whose provider told none: from bytes, never above what was reserved. */
function estimateOf(target: Target, inputBytes: number, outputBytes: number, bound: Bound): Quantities {
  const tokens = (bytes: number) => estimateTokens(bytes, target.bytesPerToken);
  const { input_tokens, output_tokens } = atMost(
    { input_tokens: tokens(inputBytes), output_tokens: tokens(outputBytes) },
    bound,
  );
  return { requests: 1, input_tokens, ...(bound.output_tokens === undefined ? {} : { output_tokens }) };
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

/** The body as it goes to a target: an output cap stands where the target reads it, and nowhere else. */
function upstreamBody(
  text: string,
  members: Members,
  body: ModelRequest,
  target: Target,
  cap: number | undefined,
): string {
  const edits = new Map<string, string | null>([['model', JSON.stringify(target.model)]]);
  if (cap !== undefined) {
    for (const field of ['max_tokens', 'max_completion_tokens'])
      edits.set(field, field === target.outputCap.field ? String(cap) : null);
  }
  if (body.stream === true && target.streamUsage)
    edits.set('stream_options', JSON.stringify({ ...body.stream_options, include_usage: true }));
  return editMembers(text, members, edits);
}
