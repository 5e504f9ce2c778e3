import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { App } from '#app';
import { systemCause } from '#kernel/cause';
import { formatId } from '#kernel/ids';
import { keepFile } from './keep-file.ts';

/** How a visitor calls the demo: the key and a ready curl. */
export type DemoAccess = { tenantId: string; apiKey: string; agent: string; curl: string };

/** What the demo's traffic is made with: ordinary keys of each demo tenant. Stands in `<data-dir>/demo.json` (0600). */
export type DemoKeys = {
  tenants: { locale: string; agent: string; keys: { good: string; slow: string; poor: string; viewer: string } }[];
};

/** The file that holds {@link DemoKeys}. */
export const demoFile = 'demo.json';

const tenants = [
  {
    name: 'Northwind Outfitters',
    locale: 'en',
    timeZone: 'America/New_York',
    currency: 'USD',
    description: 'Answers questions about time and sums.',
    instructions: 'Help with dates, times and sums. Use the tools.',
  },
  {
    name: '云帆科技',
    locale: 'zh-CN',
    timeZone: 'Asia/Shanghai',
    currency: 'CNY',
    description: '回答时间与计算问题。',
    instructions: '用工具回答时间、日期与计算问题。',
  },
  {
    name: 'Alpenblick GmbH',
    locale: 'de',
    timeZone: 'Europe/Berlin',
    currency: 'EUR',
    description: 'Beantwortet Fragen zu Zeit und Rechnungen.',
    instructions: 'Hilf bei Datum, Uhrzeit und Rechnen. Nutze die Werkzeuge.',
  },
] as const;

const agent = 'assistant';

/** Makes the demo tenants with an agent, keys and limits by the ordinary operations. Traffic and visitors use ordinary keys. */
export async function makeDemo(app: App, dataDir: string): Promise<void> {
  const cause = systemCause('demo');
  const { tenancy, auth, agents, quota } = app.services;
  const made: DemoKeys = { tenants: [] };
  for (const each of tenants) {
    const { name, locale, timeZone, currency } = each;
    // What a start that was broken off has left of it: nobody has its keys.
    const left = await tenancy.manager.listTenants({ demo: true, search: name }, undefined, 50);
    for (const { id } of left.data.filter((tenant) => tenant.name === name))
      await tenancy.manager.deleteTenant(id, { graceDays: 0 }, cause);
    const tenant = await tenancy.manager.createTenant({ name, locale, timeZone, currency, demo: true }, cause);
    await agents.agents.createAgent(
      tenant.id,
      {
        name: agent,
        description: each.description,
        definition: {
          kind: 'native',
          instructions: each.instructions,
          model: 'lintel/router',
          tools: [{ tool: 'clock' }, { tool: 'calculator' }],
          guardrails: { maxSteps: 4 },
        },
      },
      cause,
    );
    const key = (label: string, role: string) => auth.keys.createKey(tenant.id, { name: label, role }, cause);
    const [good, slow, poor, viewer] = [
      await key('Demo', 'admin'),
      await key('Demo, slow', 'developer'),
      await key('Demo, small budget', 'developer'),
      await key('Demo, viewer', 'viewer'),
    ];
    await quota.quota.setQuota(
      tenant.id,
      { scope: 'key', scopeId: slow.key.id, resource: 'requests', window: 'second', amount: '1' },
      'platform',
      cause,
    );
    await quota.quota.setQuota(
      tenant.id,
      {
        scope: 'key',
        scopeId: poor.key.id,
        resource: 'money',
        window: 'day',
        amount: currency === 'CNY' ? '1' : '0.1',
      },
      'platform',
      cause,
    );
    made.tenants.push({
      locale,
      agent,
      keys: { good: good.secret, slow: slow.secret, poor: poor.secret, viewer: viewer.secret },
    });
  }
  await keepFile(join(dataDir, demoFile), made);
}

/** How a visitor calls the demo now: by the first of its tenants that is there. Undefined when none was made or all were removed. */
export async function findDemo(app: App, baseUrl: string, dataDir: string): Promise<DemoAccess | undefined> {
  const { tenancy, auth } = app.services;
  const file = join(dataDir, demoFile);
  const made = existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as DemoKeys) : { tenants: [] };
  for (const { agent, keys } of made.tenants) {
    const key = await auth.keys.findLive(keys.good);
    if (key === undefined || tenancy.tenants.get(key.tenantId)?.status !== 'active') continue;
    const { good: apiKey } = keys;
    return { tenantId: formatId('tenant', key.tenantId), apiKey, agent, curl: curlFor(baseUrl, agent, apiKey) };
  }
  return undefined;
}

function curlFor(baseUrl: string, agent: string, key: string): string {
  const body = JSON.stringify({ model: `agent/${agent}`, messages: [{ role: 'user', content: 'What is 12 * 34?' }] });
  return [
    `curl ${baseUrl}/v1/chat/completions \\`,
    `  -H "Authorization: Bearer ${key}" \\`,
    `  -H "Content-Type: application/json" \\`,
    `  -d '${body}'`,
  ].join('\n');
}
