import { setTimeout as sleep } from 'node:timers/promises';

import { api } from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';
import { spread } from './load.ts';
import type { Stage } from './stage.ts';

/**
 * Milliseconds of a durable step (intent, effect, outcome) of a run, from one tool step's end to the next one's where a model asked
 * for twenty at once; the tool is the built-in calculator, whose own work is nothing.
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
    const input = Array.from({ length: 20 }, (_, n) => `call:calculator {"expression":"${n} + 1"}`).join(' ');
    for (let n = 0; n < runs; n++) await api(stage.lintel.url, key, 'POST', `/v1/agents/${agent.id}/runs`, { input });
    const rows = await stage.ground.query<{ ms: string }>(
      `SELECT extract(epoch FROM finished_at - lag(finished_at) OVER (PARTITION BY run_id ORDER BY seq)) * 1000 AS ms
       FROM steps WHERE tenant_id = $1 AND kind = 'tool' ORDER BY run_id, seq`,
      [stage.tenants[0]?.uuid],
    );
    const times = rows.map(({ ms }) => Number(ms)).filter((ms) => ms > 0);
    if (times.length < runs * 19) throw new Error(`${times.length} steps were found, ${runs * 19} expected`);
    return { steps: times.length, ms: spread(times) };
  } finally {
    await double.close();
  }
}
