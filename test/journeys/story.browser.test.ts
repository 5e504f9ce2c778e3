import OpenAI from 'openai';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { expectAccessible, launchBrowser, shoot, watchedPage } from '#test/browser';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';
import { type RunningProgram, startProgram } from '#test/program';

vi.setConfig({ testTimeout: 120_000 });

let program: RunningProgram;
let browser: Browser;
let double: OpenAiDouble;
let operator: BrowserContext;
let owner: BrowserContext;
const password = 'a sentence is long enough';

beforeAll(async () => {
  double = await startOpenAiDouble();
  program = await startProgram();
  browser = await launchBrowser();
  const options = { viewport: { width: 1360, height: 850 }, locale: 'en-US', colorScheme: 'light' as const };
  operator = await browser.newContext(options);
  owner = await browser.newContext(options);
}, 120_000);
afterAll(async () => {
  await browser.close();
  expect(await program.stop()).toBe(0);
  await program.remove();
  await double.close();
});

async function api(key: string, method: string, path: string, body?: unknown): Promise<Record<string, never>> {
  const response = await fetch(`${program.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Record<string, never>;
  expect(response.ok, JSON.stringify(answer)).toBe(true);
  return answer;
}

const heading = (page: Page) => page.locator('main h1').first();

describe('the story', () => {
  test('the one-time link opens a live overview, once', async () => {
    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(program.first.loginUrl);
    await page.waitForURL('**/operator');
    await page.getByText('Northwind Outfitters').first().waitFor();
    await expect.poll(() => page.getByText('DEMO').count()).toBeGreaterThan(0);
    await shoot(page, 'overview');
    await expectAccessible(page, 'overview');
    expect(faults).toEqual([]);
    const again = await browser.newContext();
    const { page: second } = await watchedPage(again, program.url);
    await second.goto(program.first.loginUrl);
    await second.getByRole('alert').first().waitFor();
    expect(second.url()).toContain('/link');
    await again.close();
    await page.close();
  });

  test('the curl from the terminal works, and the call appears within a second with its trace', async () => {
    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(`${program.url}/operator/calls`);
    await page.locator('table tbody tr').first().waitFor();
    const demo = program.first.demo;
    const answer = await fetch(`${program.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${demo?.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        model: `agent/${demo?.agent}`,
        messages: [{ role: 'user', content: 'What is 12 * 34?' }],
      }),
    });
    const started = performance.now();
    expect(answer.headers.get('x-lintel-price')).toBe('0.02 USD');
    expect(await answer.text()).toContain('408');
    const id = answer.headers.get('x-request-id') as string;
    // Live rows carry the call's id; how long it took is printed, not asserted.
    await page.locator(`[data-row="${id}"]`).waitFor({ timeout: 10_000 });
    process.stdout.write(`the call was on the screen after ${Math.round(performance.now() - started)} ms\n`);
    await page.locator(`[data-row="${id}"]`).click();
    await page.getByText('agents:invoke').first().waitFor();
    await shoot(page, 'call-trace');
    await expectAccessible(page, 'call drawer');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('a model is connected, Acme is onboarded, its owner accepts and calls an agent with the stock client', async () => {
    const key = program.first.operatorKey;
    const provider = await api(key, 'POST', '/v1/platform/providers', {
      preset: 'openai-compatible',
      name: 'double',
      baseUrl: double.url,
      apiKey: DOUBLE_KEY,
    });
    await api(key, 'POST', `/v1/platform/providers/${provider['id']}/models`, { name: 'double', kind: 'chat' });

    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(`${program.url}/operator/tenants`);
    await page.getByRole('button', { name: 'Onboard a tenant' }).first().click();
    await page.getByLabel('Name', { exact: false }).first().fill('Acme');
    await shoot(page, 'onboard');
    await expectAccessible(page, 'onboard wizard');
    await page.close();
    expect(faults).toEqual([]);

    const tenant = await api(key, 'POST', '/v1/platform/tenants', { name: 'Acme', timeZone: 'Europe/Berlin' });
    const invitation = await api(key, 'POST', `/v1/platform/tenants/${tenant['id']}/invitations`, {
      email: 'ada@acme.example',
      roles: ['owner'],
    });
    const link = String(invitation['link']);
    expect(link).toContain(`${program.url}/invite#token=`);

    const own = await watchedPage(owner, program.url);
    await own.page.goto(link);
    await own.page.getByLabel('Name').fill('Ada');
    await own.page.locator('input[type=password]').first().fill(password);
    await shoot(own.page, 'accept-invitation');
    await expectAccessible(own.page, 'accept invitation');
    await own.page.getByRole('button', { name: 'Join' }).click();
    await own.page.waitForURL('**/app**');
    await heading(own.page).waitFor();
    await shoot(own.page, 'tenant-home');
    await expectAccessible(own.page, 'tenant home');
    expect(own.faults).toEqual([]);

    // What the console does, the API does: the owner's session makes a key and an agent.
    const made = (await own.page.evaluate(async () => {
      const post = async (path: string, body: unknown) =>
        (
          await fetch(path, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          })
        ).json();
      const agent = await post('/v1/agents', {
        name: 'helper',
        definition: { kind: 'native', instructions: 'Help.', model: 'double/double', tools: [{ tool: 'calculator' }] },
      });
      const apiKey = await post('/v1/api-keys', { name: 'first' });
      return { agent, apiKey };
    })) as { agent: { id: string; name: string }; apiKey: { key: string } };
    expect(made.agent.name, JSON.stringify(made)).toBe('helper');
    const client = new OpenAI({ baseURL: `${program.url}/v1`, apiKey: made.apiKey.key, maxRetries: 0 });
    const answer = await client.chat.completions.create({
      model: 'agent/helper',
      messages: [{ role: 'user', content: 'say:welcome' }],
    });
    expect(answer.choices[0]?.message.content).toBe('welcome');
    await own.page.goto(`${program.url}/app/invoices`);
    await heading(own.page).waitFor();
    await shoot(own.page, 'invoice');
    await own.page.close();
  });
});

const operatorScreens = [
  '/operator',
  '/operator/calls',
  '/operator/audit',
  '/operator/nodes',
  '/operator/tenants',
  '/operator/providers',
  '/operator/plans',
];
const tenantScreens = [
  '/app',
  '/app/agents',
  '/app/agents/new',
  '/app/tools',
  '/app/providers',
  '/app/keys',
  '/app/keys/new',
  '/app/calls',
  '/app/runs',
  '/app/approvals',
  '/app/usage',
  '/app/audit',
  '/app/limits',
  '/app/invoices',
  '/app/members',
  '/app/settings',
];

describe.each([
  { name: 'en-light', locale: 'en-US', colorScheme: 'light' as const, width: 1360 },
  { name: 'zh-dark', locale: 'zh-CN', colorScheme: 'dark' as const, width: 1360 },
  { name: 'zh-phone', locale: 'zh-CN', colorScheme: 'light' as const, width: 390 },
])('every screen, $name', ({ name, locale, colorScheme, width }) => {
  test.each([
    ['operator', operatorScreens],
    ['owner', tenantScreens],
  ] as const)(
    'of the %s: no fault, no serious finding, nothing wider than the window',
    async (who, screens) => {
      const state = await (who === 'operator' ? operator : owner).storageState();
      const context = await browser.newContext({
        viewport: { width, height: 850 },
        locale,
        colorScheme,
        storageState: { cookies: state.cookies, origins: [] },
      });
      const { page, faults } = await watchedPage(context, program.url);
      for (const path of screens) {
        await page.goto(`${program.url}${path}`);
        await heading(page).waitFor();
        await page.waitForTimeout(300);
        await shoot(page, `${name}${path.replaceAll('/', '-')}`);
        await expectAccessible(page, `${name} ${path}`);
        const overflow = (await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')) as number;
        expect(overflow, `${name} ${path} is wider than the window`).toBeLessThanOrEqual(1);
        expect(await page.locator('html').getAttribute('lang')).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en');
      }
      expect(faults).toEqual([]);
      await context.close();
    },
    120_000,
  );
});
