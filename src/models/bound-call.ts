import { parseDecimal } from '#kernel/money';
import { Problem } from '#kernel/problem';

import { modelProblems } from './problems.ts';
import type { Target } from './types.ts';

/** What of a target bounds a call to it. */
export type BoundTarget = Pick<Target, 'id' | 'contextTokens' | 'maxImageTokens' | 'maxAudioTokens'> & {
  readonly outputCap: { readonly coversReasoning: boolean };
};

/** Parts of messages that their bytes do not bound, by kind. */
export type Media = { readonly image: number; readonly audio: number; readonly file: number };

/** What a call sends, and the most that each target may write in answer (absent: it writes no text, as for embeddings). */
export type CallSize<T> = {
  /** An upper bound of the tokens of the text. */
  readonly inputTokens: number;
  readonly media: Media;
  readonly output?: (target: T) => number;
};

/** The most that a call may use, by meter name. */
export type Bound = { requests: 1; input_tokens: number; output_tokens?: number };

/** An amount of money: decimal string and ISO 4217 code. */
export type Money = { readonly amount: string; readonly currency: string };

/** A fallback that may not answer, and the type of the problem that a call to it alone would get. */
export type LeftOut = { readonly model: string; readonly reason: string };

/** What a call may use, whichever of its targets answers. */
export type CallBound<T> = {
  /** The target with those of its fallbacks that may answer. */
  readonly target: T;
  readonly leftOut: readonly LeftOut[];
  readonly bound: Bound;
  /** The most that one of them may charge; null where nothing is priced. */
  readonly price: Money | null;
  /** What the call may use at one of them (by its id). */
  boundAt(id: string): Bound;
};

/** Tokens of hidden reasoning where neither the cap nor a known context bounds them (the largest thinking budget documented by a preset's provider is below it). */
const unboundedReasoning = 65_536;

/** The most that a target writes under a cap. Where hidden reasoning does not count towards it, the context is all that bounds it. */
export function mostOutput(target: Pick<BoundTarget, 'contextTokens' | 'outputCap'>, cap: number): number {
  return target.outputCap.coversReasoning ? cap : Math.max(cap, target.contextTokens ?? cap + unboundedReasoning);
}

/** Usage that was estimated, cut down to what was reserved for it. */
export function atMost<Q extends { readonly input_tokens?: number; readonly output_tokens?: number }>(
  used: Q,
  bound: Bound,
): Q {
  const { input_tokens: input = 0, output_tokens: output = 0 } = used;
  return {
    ...used,
    input_tokens: Math.min(input, bound.input_tokens),
    output_tokens: Math.min(output, bound.output_tokens ?? 0),
  };
}

/**
 * Bounds a call over its target and the fallbacks that may answer in its place: whoever does, what it uses and charges is reserved.
 * Under a money limit a fallback without a price is left out, under any limit one at which the message's parts have no known bound;
 * for the target itself either is a refusal: 402 `model-unpriced`, 400 `media-unbounded`.
 */
export function boundCall<T extends BoundTarget & { readonly fallbacks: readonly T[] }>(
  target: T,
  limited: { readonly tokens: boolean; readonly money: boolean },
  size: CallSize<T>,
  priceOf: (target: T, quantities: Record<string, number>) => Money | null,
): CallBound<T> {
  const bounds = new Map<string, Bound>();
  const fallbacks: T[] = [];
  const leftOut: LeftOut[] = [];
  const most: Bound = { requests: 1, input_tokens: 0 };
  let dearest: Money | null = null;
  for (const each of [target, ...target.fallbacks]) {
    const media = mediaTokens(each, size.media);
    const bound: Bound = {
      requests: 1,
      input_tokens: size.inputTokens + (media ?? 0),
      ...(size.output === undefined ? {} : { output_tokens: size.output(each) }),
    };
    const price = highestPrice(bound, (quantities) => priceOf(each, quantities));
    const wrong =
      media === undefined && (limited.tokens || limited.money)
        ? mediaUnbounded(each)
        : price === null && limited.money
          ? unpriced(each)
          : undefined;
    if (wrong !== undefined && each === target) throw wrong;
    if (wrong !== undefined) {
      leftOut.push({ model: each.id, reason: wrong.kind.type });
      continue;
    }
    if (each !== target) fallbacks.push(each);
    bounds.set(each.id, bound);
    most.input_tokens = Math.max(most.input_tokens, bound.input_tokens);
    if (bound.output_tokens !== undefined) most.output_tokens = Math.max(most.output_tokens ?? 0, bound.output_tokens);
    dearest = dearer(dearest, price);
  }
  return {
    target: leftOut.length === 0 ? target : { ...target, fallbacks },
    leftOut,
    bound: most,
    price: dearest,
    boundAt: (id) => bounds.get(id) ?? most,
  };
}

/** The most that so much can cost: a plan may price parts (cache writes, reasoning) above their whole. */
function highestPrice(bound: Bound, priceOf: (quantities: Record<string, number>) => Money | null): Money | null {
  const written = { cache_write_input_tokens: bound.input_tokens };
  const reasoned = { reasoning_tokens: bound.output_tokens ?? 0 };
  let most = priceOf(bound);
  if (most === null) return null;
  for (const parts of [written, reasoned, { ...written, ...reasoned }])
    most = dearer(most, priceOf({ ...bound, ...parts }));
  return most;
}

function dearer(one: Money | null, other: Money | null): Money | null {
  if (one === null || other === null) return one ?? other;
  if (one.amount === other.amount) return one;
  return parseDecimal(other.amount) > parseDecimal(one.amount) ? other : one;
}

/** Tokens of image and audio parts at most; undefined where the price book does not know them. Nothing bounds a file. */
function mediaTokens(
  target: Pick<BoundTarget, 'maxImageTokens' | 'maxAudioTokens'>,
  { image, audio, file }: Media,
): number | undefined {
  const { maxImageTokens, maxAudioTokens } = target;
  if (file > 0 || (image > 0 && maxImageTokens === null) || (audio > 0 && maxAudioTokens === null)) return undefined;
  return image * (maxImageTokens ?? 0) + audio * (maxAudioTokens ?? 0);
}

function unpriced({ id }: BoundTarget): Problem {
  return new Problem(modelProblems.unpriced, {
    detail: `The model "${id}" has no price in this tenant's plan.`,
    param: 'model',
    headers: { 'x-should-retry': 'false' },
  });
}

function mediaUnbounded({ id }: BoundTarget): Problem {
  return new Problem(modelProblems.mediaUnbounded, {
    detail: `The messages hold image, audio or file parts, and what one may use at "${id}" is not known.`,
    param: 'messages',
  });
}
