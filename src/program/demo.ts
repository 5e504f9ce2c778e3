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

/** Between calls, milliseconds: a call every two seconds on average (a few percent of a core with all that follows from it), never more than three a second. */
const rest = { least: 400, spread: 3_200 };

/** One call of the demo, and what to rest after it, milliseconds. */
type DemoCall = { tenant: DemoTenant; key: keyof DemoTenant['keys']; question: string; restMs: number };

/** The demo's calls one after the other, until there is no tenant left: most by the good key, some by those that are going to be refused. */
export function* planCalls(tenants: ReadonlySet<DemoTenant>, random: () => number = Math.random): Generator<DemoCall> {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  while (tenants.size > 0) {
    const tenant = pick([...tenants]);
    const call = (key: DemoCall['key'], restMs: number): DemoCall => {
      return { tenant, key, question: pick(questions[tenant.locale] ?? questions['en'] ?? []), restMs };
    };
    const chance = random();
    const key = chance < 0.78 ? 'good' : chance < 0.86 ? 'slow' : chance < 0.93 ? 'poor' : 'viewer';
    // The slow key may call once a second: of two calls within one the second is refused.
    if (key === 'slow') yield call(key, rest.least);
    yield call(key, rest.least + random() * rest.spread);
  }
}

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
  const made = JSON.parse(await readFile(join(dataDir, demoFile), 'utf8')) as DemoKeys;
  const tenants = new Set(made.tenants);
  let trouble = 0;
  for (const call of planCalls(tenants)) {
    try {
      const status = await ask(baseUrl, call);
      trouble = 0;
      if (status === 401 || (status === 403 && call.key !== 'viewer' && !(await lives(baseUrl, call.tenant))))
        tenants.delete(call.tenant);
    } catch {
      trouble = Math.min(trouble + 1, 6);
    }
    await sleep(call.restMs * 2 ** trouble, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  // Nothing to do until the end: a process that ended would be started again.
  await new Promise(() => undefined);
}

async function ask(baseUrl: string, { tenant, key, question }: DemoCall): Promise<number> {
  const response = await fetch(`${baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tenant.keys[key]}`,
      'content-type': 'application/json',
      'user-agent': 'lintel-demo',
    },
    body: JSON.stringify({ model: `agent/${tenant.agent}`, messages: [{ role: 'user', content: question }] }),
    signal: AbortSignal.timeout(20_000),
  });
  await response.arrayBuffer();
  return response.status;
}

async function lives(baseUrl: string, tenant: DemoTenant): Promise<boolean> {
  const response = await fetch(`${baseUrl}/v1/tenant`, { headers: { authorization: `Bearer ${tenant.keys.good}` } });
  await response.arrayBuffer();
  return response.status === 200;
}
