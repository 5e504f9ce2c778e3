import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';

import { systemCause } from '#kernel/cause';
import { formatId } from '#kernel/ids';
import {
  api,
  connectDouble,
  type Ground,
  openGround,
  openSetup,
  operatorKeyOf,
  startInstallation,
} from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';
import { seededRandom } from '#test/seeded-random';

/** How one flood against one budget went. */
export type BudgetFigures = {
  resource: 'tokens' | 'money';
  /** Part of its reservation that each call uses. */
  uses: string;
  calls: number;
  affordable: number;
  succeeded: number;
  spent: number;
  budget: number;
  /** 429s that clients waited out. */
  waits: number;
  seconds: number;
};

/** What a call reserves, tokens; money is priced at a thousandth of a unit per token. */
const reserves = 200;
const messages = [{ role: 'user', content: 'How much is the fish?' }];
/** The gateway's bound of the input: its bytes and 16 for the message (house: reserve and settle). */
const inputBound = Buffer.byteLength(JSON.stringify(messages)) + 16;
const cap = reserves - inputBound;

/**
 * Floods a budget for `count / 10` calls with `count` concurrent ones over two installations on one database, of which every call uses
 * all it reserves, or 30 %, of tokens or of money. Spend (counter, calls, usage and the provider's own count agree) must stay within the
 * budget, and at least 95 % of what it affords must succeed; clients wait out a 429 for its Retry-After.
 */
export async function proveBudget(options: {
  seed: number;
  count: number;
  /** A server to use; absent: one is started. */
  adminUrl?: string;
  resources?: readonly ('tokens' | 'money')[];
}): Promise<{ ok: boolean; figures: BudgetFigures[]; failures: string[] }> {
  const { seed, count, resources = ['tokens', 'money'] } = options;
  const random = seededRandom(seed);
  const ground = await openGround(options.adminUrl === undefined ? {} : { adminUrl: options.adminUrl });
  const double = await startOpenAiDouble({ record: 0 });
  const close: (() => Promise<unknown>)[] = [() => double.close(), () => ground.close()];
  const figures: BudgetFigures[] = [];
  const failures: string[] = [];
  try {
    const nodes = [await startInstallation(ground, 'one'), await startInstallation(ground, 'two')] as const;
    close.unshift(...nodes.map((node) => () => node.stop()));
    const operator = await operatorKeyOf(nodes[0]);
    const agent = new Agent({ connections: count });
    close.unshift(() => agent.close());
    const variants = resources.flatMap((resource) => [
      { resource, uses: 'all', prompt: inputBound, tokens: cap },
      { resource, uses: '30 %', prompt: 20, tokens: reserves * 0.3 - 20 },
    ]);
    const models = variants.map(({ prompt, tokens }) => `double-prompt-${prompt}-tokens-${tokens}`);
    await connectDouble(
      nodes[0].url,
      operator,
      double.url,
      DOUBLE_KEY,
      [...new Set(models)].flatMap((name) => [10, 60, 120].map((ms) => ({ name: `${name}-slow-${ms}` }))),
    );
    const plan = await api<{ id: string }>(nodes[0].url, operator, 'POST', '/v1/platform/plans', {
      name: 'By the token',
      currency: 'USD',
      prices: ['input_tokens', 'output_tokens'].map((quantity) => ({
        meter: `model.call.${quantity}`,
        price: { model: 'per_unit', unit: '0.001' },
      })),
    });
    const setup = await openSetup(ground);
    close.unshift(() => setup.close());
    for (const [index, variant] of variants.entries()) {
      const { resource, uses } = variant;
      const used = variant.prompt + variant.tokens;
      const affordable = count / 10;
      const tenant = await setup.tenant(`Budget ${resource} ${uses}`);
      const key = await setup.key(tenant.uuid);
      // Changes are visible on every node within a second (house: freshness).
      await sleep(1_200);
      await api(nodes[0].url, operator, 'PUT', `/v1/platform/tenants/${tenant.id}/subscription`, { planId: plan.id });
      const amount = resource === 'tokens' ? String(affordable * used) : String((affordable * used) / 1_000);
      await setup.app.services.quota.quota.setQuota(
        tenant.uuid,
        { scope: 'tenant', scopeId: null, resource, window: 'day', amount },
        'platform',
        systemCause('proof'),
      );
      await sleep(1_200);
      const before = double.count();
      const started = performance.now();
      let waits = 0;
      const calls = Array.from({ length: count }, (_, n) => {
        const model = `double/${models[index]}-slow-${[10, 60, 120][Math.floor(random() * 3)]}`;
        const jitter = random();
        return call(agent, nodes[n % 2 === 0 ? 0 : 1].url, key.secret, model, (waitMs) => {
          waits++;
          return sleep(waitMs * (1 + jitter / 4));
        });
      });
      const answers = await Promise.all(calls);
      const seconds = (performance.now() - started) / 1000;
      const succeeded = answers.filter((status) => status === 200).length;
      const odd = answers.filter((status) => status !== 200 && status !== 402);
      const sums = await readSums(ground, tenant.uuid, resource);
      const limits = await api<{ data: { used: string }[] }>(
        nodes[1].url,
        operator,
        'GET',
        `/v1/platform/tenants/${formatId('tenant', tenant.uuid)}/limits`,
      );
      const counter = Math.round(Number(limits.data[0]?.used) * (resource === 'tokens' ? 1 : 1_000));
      const spent = succeeded * used;
      const label = `${resource}, ${uses}`;
      const must = (holds: boolean, words: string) => {
        if (!holds) failures.push(`${label}: ${words}`);
      };
      must(counter <= affordable * used, `spent ${counter} of ${affordable * used}`);
      must(counter === spent, `the counter says ${counter}, ${succeeded} calls used ${spent}`);
      must(
        sums.calls === spent && sums.usage === spent,
        `calls say ${sums.calls}, usage ${sums.usage}, clients ${spent}`,
      );
      must(sums.rows === succeeded, `${sums.rows} calls are on the bill, ${succeeded} were answered`);
      must(
        double.count() - before === succeeded,
        `the provider saw ${double.count() - before} calls, ${succeeded} succeeded`,
      );
      // The last calls must still be able to reserve: a small budget ends before the 95 % do.
      const reachable = Math.floor((affordable * used - reserves) / used) + 1;
      const needed = Math.min(Math.ceil(0.95 * affordable), reachable);
      must(succeeded >= needed, `${succeeded} of ${affordable} affordable calls succeeded, ${needed} must`);
      must(odd.length === 0, `answers besides 200, 402 and 429: ${[...new Set(odd)].join(', ')}`);
      figures.push({
        resource,
        uses,
        calls: count,
        affordable,
        succeeded,
        spent: counter,
        budget: affordable * used,
        waits,
        seconds: Math.round(seconds * 10) / 10,
      });
    }
  } finally {
    for (const each of close) await each();
  }
  return { ok: failures.length === 0, figures, failures };
}

/** One client: sends its call until it gets something else than a 429 (at most 60 times); the last status. */
async function call(
  agent: Agent,
  url: string,
  key: string,
  model: string,
  wait: (ms: number) => Promise<unknown>,
): Promise<number> {
  for (let tries = 1; ; tries++) {
    const answer = await request(`${url}/v1/chat/completions`, {
      method: 'POST',
      dispatcher: agent,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages, max_tokens: cap }),
    });
    await answer.body.text();
    if (answer.statusCode !== 429 || tries === 60) return answer.statusCode;
    await wait(Number(answer.headers['retry-after'] ?? 1) * 1_000);
  }
}

/** What the tables say was used: tokens, or thousandths of money. */
async function readSums(
  ground: Ground,
  tenantId: string,
  resource: 'tokens' | 'money',
): Promise<{ rows: number; calls: number; usage: number }> {
  const sum = async (table: string, tokens: string, where: string) => {
    const amount = resource === 'tokens' ? tokens : 'price * 1000';
    const [row] = await ground.query<{ n: string; total: string | null }>(
      `SELECT count(*) AS n, round(sum(${amount})) AS total FROM ${table} WHERE tenant_id = $1 ${where}`,
      [tenantId],
    );
    return { n: Number(row?.n), total: Number(row?.total ?? 0) };
  };
  const calls = await sum('calls', 'input_tokens + output_tokens', "AND status = 'ok'");
  const usage = await sum(
    'usage',
    "(quantities->>'input_tokens')::numeric + (quantities->>'output_tokens')::numeric",
    '',
  );
  return { rows: calls.n, calls: calls.total, usage: usage.total };
}
