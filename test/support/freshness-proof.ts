import { setTimeout as sleep } from 'node:timers/promises';

import { api, connectDouble, openGround, openSetup, operatorKeyOf, startInstallation } from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';
import { seededRandom } from '#test/seeded-random';

/** Middle and worst of what was measured, milliseconds. */
export type Spread = { count: number; median: number; worst: number };

/** How late each node learns what happened on the other. */
export type FreshnessFigures = {
  boundMs: number;
  /** From the answer to the revocation until the first refusal, on the node that revoked and on the other. */
  revocationHere: Spread;
  revocationThere: Spread;
  /** From the same answer until a stream that the key holds open on the other node is closed. */
  streamClosed: Spread;
  /** From the last byte of a call's answer until the operator's live list shows it, on the node that took it and on the other. */
  callShownHere: Spread;
  callShownThere: Spread;
};

/** What a change may take to be seen everywhere (house: freshness; the story's "appears within a second"), milliseconds. */
const boundMs = 1_000;
/** Time after which what has not been seen is given up. */
const patienceMs = 15_000;

/**
 * Measures, `count` times each on two installations over one database: how long a revoked key is still taken on either node, how long a
 * stream stays open that it holds on the other, and how long a call takes to appear in the live lists of both nodes. Each worst figure
 * must be within a second. No test asserts on time: this is a proof, which is run by hand on a machine that does nothing else.
 */
export async function proveFreshness(options: {
  seed: number;
  count: number;
  /** A server to use; absent: one is started. */
  adminUrl?: string;
}): Promise<{ ok: boolean; figures: FreshnessFigures; failures: string[] }> {
  const { seed, count } = options;
  const random = seededRandom(seed);
  const ground = await openGround(options.adminUrl === undefined ? {} : { adminUrl: options.adminUrl });
  const double = await startOpenAiDouble({ record: 0 });
  const close: (() => Promise<unknown>)[] = [() => double.close(), () => ground.close()];
  try {
    const nodes = [await startInstallation(ground, 'one'), await startInstallation(ground, 'two')] as const;
    close.unshift(...nodes.map((node) => () => node.stop()));
    const [here, there] = [nodes[0].url, nodes[1].url];
    const operator = await operatorKeyOf(nodes[0]);
    await connectDouble(here, operator, double.url, DOUBLE_KEY, [{ name: 'double' }]);
    const setup = await openSetup(ground);
    close.unshift(() => setup.close());
    const tenant = await setup.tenant('Fresh');
    const owner = (await setup.key(tenant.uuid, 'owner')).secret;
    const took: Record<'revocationHere' | 'revocationThere' | 'streamClosed', number[]> = {
      revocationHere: [],
      revocationThere: [],
      streamClosed: [],
    };
    for (let n = 0; n < count; n++) {
      const { id, secret } = await setup.key(tenant.uuid);
      for (const url of [here, there]) await until(async () => (await call(url, secret)).status === 200);
      const stream = await openStream(there, secret, 'calls');
      // Beats and polls of the nodes have a phase; revocations fall anywhere in it.
      await sleep(random() * 1_000);
      await api(here, owner, 'DELETE', `/v1/api-keys/${id}`);
      const from = performance.now();
      const refused = async (url: string) => {
        await until(async () => (await call(url, secret)).status === 401);
        return performance.now() - from;
      };
      const [a, b, c] = await Promise.all([
        refused(here),
        refused(there),
        until(() => Promise.resolve(stream.closedAt !== undefined)).then(() => (stream.closedAt as number) - from),
      ]);
      took.revocationHere.push(a);
      took.revocationThere.push(b);
      took.streamClosed.push(c);
      stream.end();
    }

    const lists = [await openStream(here, operator, 'calls'), await openStream(there, operator, 'calls')] as const;
    close.unshift(async () => {
      for (const list of lists) list.end();
    });
    const shown: [number[], number[]] = [[], []];
    for (let n = 0; n < count; n++) {
      await sleep(random() * 400);
      const { id, status } = await call(here, owner);
      if (status !== 200) throw new Error(`a call was answered with ${status}`);
      const from = performance.now();
      for (const [index, list] of lists.entries()) {
        await until(() => Promise.resolve(list.seen.has(id)));
        shown[index as 0 | 1].push(Math.max(0, (list.seen.get(id) as number) - from));
      }
    }
    const figures: FreshnessFigures = {
      boundMs,
      revocationHere: spread(took.revocationHere),
      revocationThere: spread(took.revocationThere),
      streamClosed: spread(took.streamClosed),
      callShownHere: spread(shown[0]),
      callShownThere: spread(shown[1]),
    };
    const failures = Object.entries(figures).flatMap(([name, figure]) =>
      typeof figure === 'number' || (figure.worst <= boundMs && figure.count === count)
        ? []
        : [`${name}: ${figure.worst} ms at worst of ${figure.count}, which must be ${boundMs} at most of ${count}`],
    );
    return { ok: failures.length === 0, figures, failures };
  } finally {
    for (const each of close) await each();
  }
}

async function call(url: string, key: string): Promise<{ status: number; id: string }> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'double/double',
      messages: [{ role: 'user', content: 'say:hello' }],
      max_tokens: 20,
    }),
  });
  await answer.text();
  return { status: answer.status, id: answer.headers.get('x-request-id') ?? '' };
}

/** Holds a live stream open: when each call was first seen on it, and when it was closed from the other side. */
async function openStream(
  url: string,
  key: string,
  topics: string,
): Promise<{ seen: ReadonlyMap<string, number>; closedAt: number | undefined; end(): void }> {
  const abort = new AbortController();
  const answer = await fetch(`${url}/v1/stream?topics=${topics}`, {
    headers: { authorization: `Bearer ${key}` },
    signal: abort.signal,
  });
  if (answer.status !== 200) throw new Error(`/v1/stream: ${answer.status} ${await answer.text()}`);
  const seen = new Map<string, number>();
  const stream = { seen, closedAt: undefined as number | undefined, end: () => abort.abort() };
  const read = async () => {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
      const at = performance.now();
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const [id] of lines.join('\n').matchAll(/call_[0-9a-hjkmnp-tv-z]{26}/g)) if (!seen.has(id)) seen.set(id, at);
    }
  };
  read()
    .catch(() => undefined)
    .finally(() => {
      stream.closedAt ??= performance.now();
    });
  return stream;
}

/** Asks again at once, or after a moment where nothing is sent, until it holds; throws after {@link patienceMs}. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + patienceMs; !(await holds()); await sleep(2))
    if (performance.now() > end) throw new Error(`not within ${patienceMs} ms`);
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    median: Math.round(sorted[sorted.length >> 1] ?? Number.NaN),
    worst: Math.round(sorted.at(-1) ?? Number.NaN),
  };
}
