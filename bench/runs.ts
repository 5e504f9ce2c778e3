import { setTimeout as sleep } from 'node:timers/promises';

import { parseId } from '#kernel/ids';
import { api } from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';
import { spread } from './load.ts';
import type { Stage } from './stage.ts';

/**
 * Milliseconds of a durable step (intent, effect, outcome) of a run: from a model's answer to its next turn where it asks for one tool
 * at a time (two transactions), mean of each run; and of one call where it asks for twenty at once. The tool is the built-in
 * calculator, whose own work is nothing.
 */
export async function durableStep(stage: Stage, runs: number): Promise<Record<string, unknown>> {
  const double = await startOpenAiDouble({ record: 0 });
  try {
    const key = stage.keys[0] as string;
    const provider = await api<{ id: string }>(stage.lintel.url, stage.operator, 'POST', '/v1/platform/providers', {
      preset: 'openai-compatible',
      name: 'thinking',
      baseUrl: double.url,
      apiKey: DOUBLE_KEY,
    });
    await api(stage.lintel.url, stage.operator, 'POST', `/v1/platform/providers/${provider.id}/models`, {
      name: 'double',
      kind: 'chat',
    });
    await sleep(1_200);
    const agent = await api<{ id: string }>(stage.lintel.url, key, 'POST', '/v1/agents', {
      name: 'counter',
      definition: {
        kind: 'native',
        instructions: '',
        model: 'thinking/double',
        tools: [{ tool: 'calculator' }],
        guardrails: { maxSteps: 50 },
      },
    });
    await sleep(1_200);
    const calls = Array.from({ length: 20 }, (_, n) => `call:calculator {"expression":"${n} + 1"}`);
    const millisecondsOf = async (input: string) => {
      const ids: string[] = [];
      for (let n = 0; n < runs; n++) {
        const run = await api<{ id: string }>(stage.lintel.url, key, 'POST', `/v1/agents/${agent.id}/runs`, { input });
        ids.push(parseId('run', run.id) as string);
      }
      const rows = await stage.ground.query<{ ms: string; tools: string }>(
        `SELECT run_id, sum(extract(epoch FROM next - finished_at)) * 1000 / sum(tools) AS ms, sum(tools) AS tools FROM (
           SELECT run_id, finished_at, lead(started_at) OVER (PARTITION BY run_id ORDER BY seq) AS next,
             lead(seq) OVER (PARTITION BY run_id ORDER BY seq) - seq - 1 AS tools
           FROM steps WHERE tenant_id = $1 AND run_id = ANY ($2) AND kind = 'model') turns
         WHERE next IS NOT NULL GROUP BY run_id`,
        [stage.tenants[0]?.uuid, ids],
      );
      if (rows.length !== runs || rows.some(({ tools }) => Number(tools) !== calls.length))
        throw new Error(`${rows.length} runs with ${rows[0]?.tools} steps were found`);
      return spread(rows.map(({ ms }) => Number(ms)));
    };
    return {
      steps: runs * calls.length,
      ms: await millisecondsOf(calls.join(' then ')),
      msOfTwentyAtOnce: await millisecondsOf(calls.join(' ')),
    };
  } finally {
    await double.close();
  }
}
