import { type ConceptKind, kindOf } from './concepts.ts';
import type { Draft } from './draft.ts';
import { isUsed } from './draft.ts';
import { isQuestion, openingVerb, strangeVerb } from './request-words.ts';
import { overlaps, type Span } from './types.ts';

/** What the message wants done, beside what the tool does. */
export type Wanted = {
  /** Actions both name. */
  readonly shared: number;
  /** Actions only the message names, outside its arguments: those no near word stands for, and the others. */
  readonly distinct: number;
  readonly other: number;
  /** Whether the message opens with a verb that the tool does not know in any sense, and does not say what the tool does. */
  readonly opensOtherwise: boolean;
  /** How much it counts that the message does not say what the tool's name says it does. */
  readonly unsaid: number;
};

/** What it costs a tool that the message does not say what the tool does: who wants a meeting cancelled says so, a new one is often only named. */
const UNSAID: { readonly [kind in ConceptKind | 'question']: number } = {
  distinct: 10,
  peculiar: 10,
  specific: 3,
  answering: 0,
  changing: 0.8,
  making: 0.8,
  reading: 0,
  viewing: 0,
  talking: 0,
  thing: 0,
  value: 0,
  question: 8,
};

/** Compares what the message wants done, outside the arguments found, with what the tool does. */
export function compareActions(draft: Draft): Wanted {
  const { entry, message } = draft;
  const hits = message.actions.filter((hit) => entry.concepts.has(hit.concept) || !isUsed(draft, hit));
  const shared = hits.filter((hit) => entry.concepts.has(hit.concept));
  const strange = strangeVerb(message);
  const foreignVerb = strange !== undefined && !draft.vocabulary.has(strange) ? 1 : 0;
  // 关闭 is to close and to turn off: a word the tool knows in one sense is not foreign in another.
  const familiar = message.concepts.filter((hit) => entry.concepts.has(hit.concept));
  const foreign = hits.filter((hit) => !familiar.some((other) => overlaps(other, hit)));
  const count = (...kinds: ConceptKind[]): number =>
    new Set(
      foreign
        .filter(
          (hit) =>
            kinds.includes(kindOf(hit.concept)) && !foreign.some((wider) => wider !== hit && contains(wider, hit)),
        )
        .map((hit) => hit.start),
    ).size;
  // A verb everyone uses counts as said only where a verb stands: `an update on my order` updates nothing.
  const said = [...entry.nameActions].some((action) =>
    (kindOf(action) === 'changing' || kindOf(action) === 'making' ? message.actions : message.concepts).some(
      (hit) => hit.concept === action,
    ),
  );
  const isOwnSubject = [...entry.nameActions].some((action) => ['specific', 'peculiar'].includes(kindOf(action)));
  const unsaid =
    said || entry.nameActions.size === 0
      ? 0
      : isQuestion(message)
        ? UNSAID.question
        : Math.min(...[...entry.nameActions].map((action) => UNSAID[kindOf(action)]));
  return {
    shared: new Set(shared.map((hit) => hit.concept)).size,
    distinct:
      foreignVerb +
      (unsaid >= UNSAID.distinct && doesOtherwise(draft) ? 1 : 0) +
      count('talking') +
      (isQuestion(message) ? 0 : count('distinct', 'peculiar')),
    other: said || isQuestion(message) ? 0 : count('specific', 'changing'),
    unsaid,
    // `Send an invitation` invites: what the tool does is said, only not by the verb.
    opensOtherwise: shared.length === 0 && !(said && isOwnSubject) && opensOtherwise(draft),
  };
}

/** `Schedule a meeting` cancels none, although the tool that cancels speaks of scheduled ones. */
function doesOtherwise({ message, entry }: Draft): boolean {
  const verb = openingVerb(message);
  return (
    verb !== undefined &&
    message.actions.some(
      (hit) => hit.start === verb.start && DOING.has(kindOf(hit.concept)) && !entry.nameActions.has(hit.concept),
    )
  );
}

/** `Book a flight` asks a tool that searches for something else; a verb of looking or wanting asks any, and to book is to make. */
function opensOtherwise({ message, entry, vocabulary }: Draft): boolean {
  const verb = openingVerb(message);
  if (verb === undefined || vocabulary.has(verb) || entry.nameVerbs.length === 0) return false;
  const meant = message.concepts.filter((hit) => hit.start === verb.start).map((hit) => hit.concept);
  const makes = entry.nameVerbs.some((known) => kindOf(known) === 'making');
  const doing = meant.map(kindOf).filter((kind) => DOING.has(kind) && !(makes && kind === 'making'));
  return doing.length > 0 && !meant.some((concept) => entry.concepts.has(concept));
}

const DOING: ReadonlySet<ConceptKind> = new Set<ConceptKind>([
  'distinct',
  'peculiar',
  'specific',
  'changing',
  'making',
  'answering',
]);

function contains(wider: Span, span: Span): boolean {
  return wider.start <= span.start && wider.end >= span.end && wider.end - wider.start > span.end - span.start;
}
