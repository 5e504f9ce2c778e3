import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { onStopAsked } from '#kernel/supervisor';
import { type DemoKeys, demoFile } from './make-demo.ts';

type DemoTenant = DemoKeys['tenants'][number];

const questions: Record<string, readonly string[]> = {
  en: [
    'What is 12 * 34?',
    'Calculate (17 + 5) * 3',
    'What time is it in Europe/Berlin?',
    'Show me the clock',
    'Tell me a joke',
    'Calculate 1999 / 12',
  ],
  'zh-CN': ['计算 12 * 34', '现在几点？', '计算 (17 + 5) * 3', '给我讲个笑话', '计算 1999 / 12'],
  de: ['Calculate 12 * 34', 'What time is it in Europe/Berlin?', 'Calculate 7 * 8', 'Erzähl mir einen Witz'],
};

/** Between calls, milliseconds: 1.4 calls a second on average, never more than three. */
const restMs = { least: 334, spread: 760 };

/**
 * The demo's traffic: ordinary keys over HTTP through the front door. Some calls are refused, by a rate, a permission or a spent
 * budget. Goes quiet when the demo tenants are gone.
 */
export async function demo(env: NodeJS.ProcessEnv): Promise<void> {
  const { baseUrl, dataDir } = JSON.parse(env['LINTEL_INTERNAL_DEMO'] ?? '{}') as { baseUrl: string; dataDir: string };
  const stop = new AbortController();
  onStopAsked('child', () => {
    stop.abort();
    process.exit(0);
  });
  let { tenants } = JSON.parse(await readFile(join(dataDir, demoFile), 'utf8')) as DemoKeys;
  let trouble = 0;
  while (tenants.length > 0) {
    const tenant = pick(tenants);
    try {
      const status = await ask(baseUrl, tenant);
      trouble = 0;
      if (status === 401 || (status === 403 && !(await lives(baseUrl, tenant))))
        tenants = tenants.filter((each) => each !== tenant);
    } catch {
      trouble = Math.min(trouble + 1, 6);
    }
    await sleep((restMs.least + Math.random() * restMs.spread) * 2 ** trouble, undefined, {
      signal: stop.signal,
    }).catch(() => undefined);
  }
  // Nothing to do until the end: a process that ended would be started again.
  await new Promise(() => undefined);
}

/** One call; most by the good key, some by those that are going to be refused. */
async function ask(baseUrl: string, { locale, agent, keys }: DemoTenant): Promise<number> {
  const chance = Math.random();
  const key = chance < 0.78 ? keys.good : chance < 0.86 ? keys.slow : chance < 0.93 ? keys.poor : keys.viewer;
  const send = async () => {
    const response = await fetch(`${baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'user-agent': 'lintel-demo' },
      body: JSON.stringify({
        model: `agent/${agent}`,
        messages: [{ role: 'user', content: pick(questions[locale] ?? questions['en'] ?? []) }],
      }),
      signal: AbortSignal.timeout(20_000),
    });
    await response.arrayBuffer();
    return response.status;
  };
  // The slow key may call once a second: of two calls at once one is refused.
  if (key === keys.slow) return Math.max(...(await Promise.all([send(), send()])));
  const status = await send();
  return key === keys.viewer && status === 403 ? 200 : status;
}

async function lives(baseUrl: string, tenant: DemoTenant): Promise<boolean> {
  const response = await fetch(`${baseUrl}/v1/tenant`, { headers: { authorization: `Bearer ${tenant.keys.good}` } });
  await response.arrayBuffer();
  return response.status === 200;
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
