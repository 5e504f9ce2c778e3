import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import OpenAI from 'openai';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { expectAccessible, launchBrowser, picture, shoot, watchedPage } from '#test/browser';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';
import { type RunningProgram, startProgram } from '#test/program';

// Generous: on a busy machine a screen takes seconds. Nothing here waits for time to pass.
vi.setConfig({ testTimeout: 240_000 });

let program: RunningProgram;
let browser: Browser;
let double: OpenAiDouble;
let operator: BrowserContext;
let owner: BrowserContext;

const password = 'a sentence is long enough';
const bin = new URL('../../node_modules/.bin/', import.meta.url).pathname;
// Three chunks, a fifth of a second apart: an answer that can be seen to grow.
const slowModel = 'double-gap-200-chunks-3';
// What a step hands to the next: links and ids as the screens showed them.
const seen = { tenant: '', invitation: '', key: '', agent: '', run: '', call: '', refused: '' };

/** A window without animations: a screen is what it is at once, and no screenshot catches it half-way. */
const look = (more: object = {}) =>
  browser.newContext({
    viewport: { width: 1360, height: 850 },
    locale: 'en-US',
    colorScheme: 'light',
    reducedMotion: 'reduce',
    ...more,
  });

beforeAll(async () => {
  double = await startOpenAiDouble();
  program = await startProgram([], {
    LINTEL_MCP_COMMANDS: `everything[GREETING]=${join(bin, 'mcp-server-everything')} stdio`,
    PATH: `${dirname(process.execPath)}:${bin}:${process.env['PATH']}`,
  });
  browser = await launchBrowser();
  operator = await look();
  owner = await look();
}, 120_000);
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const pages = browser.contexts().flatMap((context) => context.pages());
  await Promise.all(pages.map((page, at) => picture(page, `failed-${at}`).catch(() => undefined)));
});
afterAll(async () => {
  await browser?.close();
  expect(await program.stop()).toBe(0);
  await program.remove();
  await double.close();
});

const heading = (page: Page) => page.locator('main h1').first();
const button = (page: Page | Locator, name: string) => page.getByRole('button', { name, exact: true });
const dialog = (page: Page) => page.getByRole('dialog');

/** Shows a screen of one's own, keeps its picture, and fails on what is wrong with it. */
async function check(page: Page, name: string): Promise<void> {
  await shoot(page, name);
  await expectAccessible(page, name);
}

/** Chooses from a list as a person would: opens it, takes the option. */
async function pick(page: Page | Locator, label: string, option: string): Promise<void> {
  const field = page.getByLabel(label, { exact: true }).and(page.locator('input'));
  await field.click();
  const whole = 'page' in page ? page.page() : page;
  await whole.getByRole('option', { name: option, exact: true }).click();
}

/** The text of a box that is shown once. */
async function shownOnce(page: Page): Promise<string> {
  return ((await page.locator('section[aria-label="Secret"] pre').textContent()) ?? '').trim();
}

/** The stock client with the key that the screen showed. */
const stockClient = () => new OpenAI({ baseURL: `${program.url}/v1`, apiKey: seen.key, maxRetries: 0 });

describe('the story', () => {
  test('the one-time link opens a live overview, once; it offers to connect a model', async () => {
    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(program.first.loginUrl);
    await page.waitForURL('**/operator');
    await page.getByText('Northwind Outfitters').first().waitFor();
    await page.getByText('DEMO').first().waitFor();
    await page.getByText('Connect a real model').waitFor();
    await check(page, 'story-01-overview');
    expect(faults).toEqual([]);
    const again = await look();
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
    const row = page.locator(`[data-row="${id}"]`);
    await row.waitFor();
    process.stdout.write(`the call was on the screen after ${Math.round(performance.now() - started)} ms\n`);
    await row.click();
    await page.getByText('agents:invoke').first().waitFor();
    await check(page, 'story-02-call-trace');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the operator connects a model and prices it in a plan', async () => {
    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(`${program.url}/operator`);
    await button(page, 'Choose a provider').click();
    await dialog(page).waitFor();
    await pick(page, 'Provider', 'OpenAI-compatible');
    await page.getByLabel('Name', { exact: false }).fill('double');
    await page.getByLabel('Base address', { exact: false }).fill(double.url);
    await dialog(page).locator('input[type=password]').fill(DOUBLE_KEY);
    await dialog(page).getByLabel('Models').and(page.locator('input')).fill('double');
    await page.keyboard.press('Enter');
    await check(page, 'story-03-connect');
    await button(dialog(page), 'Connect a provider').click();
    await dialog(page).waitFor({ state: 'detached' });
    await button(page, 'Test').click();
    await page.getByText('Reached. It lists 2 models.').waitFor();
    await page.getByText('double/double', { exact: true }).waitFor();
    await page.getByLabel('Add a model', { exact: false }).and(page.locator('input')).fill(slowModel);
    await button(page, 'Add').click();
    await page.getByText(`double/${slowModel}`, { exact: true }).waitFor();
    await check(page, 'story-04-provider');

    await page.goto(`${program.url}/operator/plans?plan=new`);
    await dialog(page).getByLabel('Name', { exact: false }).fill('Business');
    for (const [at, what, price, per] of [
      [0, 'Input tokens', '2.5', 'million'],
      [1, 'Output tokens', '10', 'million'],
      [2, 'Agent runs', '0.05', 'one'],
    ] as const) {
      if (at > 0) await button(dialog(page), 'Add a price').click();
      const field = (label: string) =>
        dialog(page).getByLabel(label, { exact: false }).and(page.locator('input')).nth(at);
      await field('What').click();
      await page.getByRole('option', { name: what, exact: true }).click();
      await field('Price').fill(price);
      await field('per').click();
      await page.getByRole('option', { name: per, exact: true }).click();
    }
    await check(page, 'story-05-plan');
    await button(dialog(page), 'Save').click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.getByText('Business', { exact: true }).first().waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the operator onboards Acme; the invitation link is shown once', async () => {
    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(`${program.url}/operator/tenants`);
    await button(page, 'Onboard a tenant').first().click();
    await dialog(page).getByLabel('Organisation', { exact: false }).fill('Acme');
    const zone = dialog(page).getByLabel('Time zone', { exact: false }).and(page.locator('input'));
    await zone.fill('Europe/Berlin');
    await page.getByRole('option', { name: 'Europe/Berlin', exact: true }).click();
    await check(page, 'story-06-onboard-who');
    await button(page, 'Next').click();
    await pick(page, 'Plan', 'Business (USD)');
    await page.getByLabel('Requests per second', { exact: false }).fill('100');
    await page.getByLabel('Money per month (USD)', { exact: false }).fill('50');
    await check(page, 'story-07-onboard-limits');
    await button(page, 'Next').click();
    await page.getByLabel('E-mail of the first owner', { exact: false }).fill('ada@acme.example');
    await check(page, 'story-08-onboard-owner');
    await button(page, 'Create and invite').click();
    seen.invitation = await shownOnce(page);
    expect(seen.invitation).toContain(`${program.url}/invite#token=`);
    await check(page, 'story-09-onboard-link');
    await button(page, 'Open tenant').click();
    await page.waitForURL('**/operator/tenants/tnt_*');
    seen.tenant = new URL(page.url()).pathname.split('/').pop() as string;
    await page.getByText('Money per month').first().waitFor();
    await check(page, 'story-10-tenant');
    expect(await page.getByText('#token=').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the owner accepts, and finds what is still to do', async () => {
    const { page, faults } = await watchedPage(owner, program.url);
    await page.goto(seen.invitation);
    await page.getByText('Join Acme as ada@acme.example.').waitFor();
    await page.getByLabel('Your name', { exact: false }).fill('Ada');
    await page.locator('input[type=password]').fill(password);
    await check(page, 'story-11-accept-invitation');
    await button(page, 'Join').click();
    await page.waitForURL('**/app');
    await page.getByText('Welcome, Acme').waitFor();
    await page.getByText('Getting started').waitFor();
    // The platform's model is there already; a key is next.
    await page.getByRole('img', { name: 'Done' }).first().waitFor();
    await button(page, 'Make a key').waitFor();
    await check(page, 'story-12-checklist');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the owner makes a key: purpose, resources, permissions, review, shown once', async () => {
    const { page, faults } = await watchedPage(owner, program.url);
    await page.goto(`${program.url}/app`);
    await button(page, 'Make a key').click();
    await page.waitForURL('**/app/keys/new');
    await page.getByLabel('Name', { exact: false }).first().fill('Ada’s laptop');
    await check(page, 'story-13-key-purpose');
    await button(page, 'Next').click();
    await page.getByLabel('Expires after (days)', { exact: false }).fill('30');
    await check(page, 'story-14-key-resources');
    await button(page, 'Next').click();
    await page.getByText('high risk').first().waitFor();
    expect(await page.locator('input[type=checkbox]:checked').count()).toBeGreaterThan(2);
    await check(page, 'story-15-key-permissions');
    await button(page, 'Next').click();
    await page.getByText('agents:invoke').waitFor();
    await check(page, 'story-16-key-review');
    await button(page, 'Make the key').click();
    seen.key = await shownOnce(page);
    expect(seen.key).toMatch(/^lt_live_[0-9A-Za-z]{46}$/);
    await check(page, 'story-17-key-shown');
    await page.goto(`${program.url}/app/keys`);
    await page.getByText('Ada’s laptop').waitFor();
    expect(await page.getByText(seen.key).count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the owner connects a tool server with a variable; the operator trusts it', async () => {
    const { page, faults } = await watchedPage(owner, program.url);
    await page.goto(`${program.url}/app/tools?add=yes`);
    await dialog(page).getByLabel('Name', { exact: false }).first().fill('everything');
    await pick(page, 'Kind', 'MCP server (local command)');
    await page.getByLabel('Command', { exact: false }).fill('everything');
    await page.getByLabel('Environment variables').fill('GREETING=hello=you\n');
    await check(page, 'story-18-add-tool');
    await button(dialog(page), 'Add tools').click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.getByText('Its hints are not believed').waitFor();
    await page.getByText('With secrets').waitFor();
    const platform = await watchedPage(operator, program.url);
    await platform.page.goto(`${program.url}/operator/tenants/${seen.tenant}`);
    const trust = platform.page.getByRole('switch', { name: 'Trust everything' });
    await trust.waitFor();
    expect(await trust.isChecked()).toBe(false);
    // The box itself is covered by what is drawn for it.
    await trust.locator('xpath=..').click();
    await expect.poll(() => trust.isChecked(), { timeout: 45_000 }).toBe(true);
    await trust.scrollIntoViewIfNeeded();
    await check(platform.page, 'story-19-trust');
    await page.reload();
    await page.getByText('Its hints are believed').waitFor();
    await check(page, 'story-20-tools');
    expect([...faults, ...platform.faults]).toEqual([]);
    await platform.page.close();
    await page.close();
  });

  test('the owner defines an agent and tries it: streaming, a tool step, an approval', async () => {
    const { page, faults } = await watchedPage(owner, program.url);
    await page.goto(`${program.url}/app/agents`);
    await button(page, 'New agent').first().click();
    await page.getByLabel('Name', { exact: false }).first().fill('helper');
    await page.getByLabel('Description').fill('Helps with sums and times.');
    await page.getByLabel('Instructions').fill('Help. Use the tools you have.');
    await page
      .getByLabel(/^Model( \*)?$/)
      .and(page.locator('input'))
      .fill(`double/${slowModel}`);
    // Tools come with the form: the calculator first, asked for each time here.
    const approvals = page.getByLabel('Approval', { exact: true }).and(page.locator('input'));
    await approvals.first().click();
    await page.getByRole('option', { name: 'Always ask a person' }).click();
    await page.getByLabel('Money (USD)', { exact: false }).fill('1');
    await check(page, 'story-21-define-agent');
    await page.locator('form').getByRole('button', { name: 'New agent', exact: true }).click();
    await page.waitForURL('**/app/agents/agt_*');
    seen.agent = new URL(page.url()).pathname.split('/').pop() as string;

    // Every text that the growing answer had is kept, however fast it went.
    await page.evaluate(`globalThis.grown = new Set();
      new MutationObserver(() => {
        const last = [...document.querySelectorAll('.bubble[data-role=assistant]')].at(-1);
        if (last) globalThis.grown.add(last.textContent);
      }).observe(document.body, { subtree: true, childList: true, characterData: true });`);
    await page.getByLabel('Message').fill('call:clock {}');
    await button(page, 'Send').click();
    await page.getByText('Tool · clock').waitFor();
    await page.locator('.bubble[data-role=assistant]').getByText('Done:').waitFor();
    await button(page, 'Send').waitFor();
    expect(await page.evaluate('globalThis.grown.size')).toBeGreaterThan(1);
    await check(page, 'story-22-playground');

    await page.getByLabel('Message').fill('call:calculator {"expression":"12 * 34"}');
    await button(page, 'Send').click();
    await page.getByText('helper wants to call').waitFor();
    await check(page, 'story-23-approval');
    const inbox = await watchedPage(owner, program.url);
    await inbox.page.goto(`${program.url}/app/approvals`);
    await button(inbox.page, 'Approve').waitFor();
    await check(inbox.page, 'story-24-inbox');
    await inbox.page.close();
    await button(page, 'Approve').click();
    await page.locator('.bubble[data-role=assistant]').getByText('408').waitFor();
    await page.getByText('Finished').first().waitFor();
    await check(page, 'story-25-approved');
    await page.getByText('Open run').click();
    await page.waitForURL('**/app/runs/run_*');
    seen.run = new URL(page.url()).pathname.split('/').pop() as string;
    await page.getByText('Tool · calculator').waitFor();
    await check(page, 'story-26-run');
    expect([...faults, ...inbox.faults]).toEqual([]);
    await page.close();
  });

  test('the stock client calls it with that key; the call is in the log with its trace, and on the invoice', async () => {
    const { page, faults } = await watchedPage(owner, program.url);
    await page.goto(`${program.url}/app/calls`);
    await heading(page).waitFor();
    const { data, response } = await stockClient()
      .chat.completions.create({ model: 'agent/helper', messages: [{ role: 'user', content: 'say:welcome' }] })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe('welcome');
    expect(response.headers.get('x-lintel-price')).toMatch(/^0\.05\d* USD$/);
    seen.call = response.headers.get('x-request-id') as string;
    const row = page.locator(`[data-row="${seen.call}"]`);
    await row.getByText('agent/helper').waitFor();
    await row.click();
    await page.getByText('agents:invoke').first().waitFor();
    expect(await dialog(page).textContent()).toContain('Ada’s laptop');
    await check(page, 'story-27-call');
    await page.keyboard.press('Escape');
    await dialog(page).waitFor({ state: 'detached' });
    const calls = await exported(page);
    expect(calls.name).toMatch(/^calls-\d{4}-\d\d-\d\d\.csv$/);
    expect(calls.lines.find((line) => line.includes(seen.call))).toContain('agent/helper');
    await page.getByText(/^Saved \d+ rows\.$/).waitFor();

    await page.goto(`${program.url}/app/invoices`);
    await page.getByText('Agent runs', { exact: true }).first().waitFor();
    await check(page, 'story-28-invoice');
    const lines = await exported(page);
    expect(lines.lines.join('\n')).toContain('Agent runs,usage,agent.run.runs');
    await page
      .getByRole('row', { name: /Agent runs|agent\.run\.runs/ })
      .first()
      .click();
    await dialog(page).getByText('Quantity at list price').waitFor();
    await check(page, 'story-29-why');
    await page.goto(`${program.url}/app`);
    await page.getByText('All set').waitFor();
    await check(page, 'story-30-all-set');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('the operator suspends Acme and lets it in again', async () => {
    const { page, faults } = await watchedPage(operator, program.url);
    await page.goto(`${program.url}/operator/tenants/${seen.tenant}`);
    const ask = () =>
      stockClient()
        .chat.completions.create({ model: 'double/double', messages: [{ role: 'user', content: 'say:hello' }] })
        .then(
          () => 'answered',
          ({ status, headers }: { status: number; headers: Headers }) => {
            seen.refused = headers.get('x-request-id') as string;
            return `refused: ${status}`;
          },
        );
    expect(await ask()).toBe('answered');
    await button(page, 'Suspend').click();
    await button(dialog(page), 'Suspend').click();
    await page.getByText('Suspended', { exact: true }).waitFor();
    await check(page, 'story-31-suspended');
    await expect.poll(ask, { timeout: 45_000 }).toBe('refused: 403');
    await button(page, 'Reactivate').click();
    await button(dialog(page), 'Reactivate').click();
    await page.getByText('Active', { exact: true }).waitFor();
    await expect.poll(ask, { timeout: 45_000 }).toBe('answered');
    expect(faults).toEqual([]);
    await page.close();
  });
});

/** Clicks the export of a screen and reads the file that comes: its name, and its lines without the head. */
async function exported(page: Page): Promise<{ name: string; lines: string[] }> {
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Export CSV').click()]);
  const text = await readFile(await download.path(), 'utf8');
  return { name: download.suggestedFilename(), lines: text.split('\r\n').slice(1).filter(Boolean) };
}

const operatorScreens = () => [
  '/operator',
  '/operator/calls',
  `/operator/calls?call=${seen.call}`,
  `/operator/calls?status=refused&call=${seen.refused}`,
  '/operator/audit',
  '/operator/nodes',
  '/operator/tenants',
  '/operator/tenants?onboard=yes',
  `/operator/tenants/${seen.tenant}`,
  '/operator/providers',
  '/operator/plans',
];
const tenantScreens = () => [
  '/app',
  '/app/agents',
  '/app/agents/new',
  `/app/agents/${seen.agent}`,
  '/app/tools',
  '/app/tools?add=yes',
  '/app/providers',
  '/app/keys',
  '/app/keys/new',
  '/app/calls',
  `/app/calls?call=${seen.call}`,
  '/app/runs',
  `/app/runs/${seen.run}`,
  '/app/approvals?status=approved',
  '/app/usage',
  '/app/audit',
  '/app/limits',
  '/app/invoices',
  '/app/members',
  '/app/settings',
];

/** Screens that the story has shown in English and light colours already, and looked through with axe. */
const inStory = () =>
  new Set([
    '/operator',
    `/operator/calls?call=${seen.call}`,
    '/operator/tenants?onboard=yes',
    `/operator/tenants/${seen.tenant}`,
    '/operator/providers',
    '/app',
    '/app/agents/new',
    `/app/agents/${seen.agent}`,
    '/app/tools',
    '/app/tools?add=yes',
    '/app/keys/new',
    `/app/calls?call=${seen.call}`,
    `/app/runs/${seen.run}`,
    '/app/approvals?status=approved',
    '/app/invoices',
  ]);

describe.each([
  { name: 'en-light', locale: 'en-US', colorScheme: 'light' as const, width: 1360 },
  { name: 'zh-dark', locale: 'zh-CN', colorScheme: 'dark' as const, width: 1360 },
  { name: 'zh-phone', locale: 'zh-CN', colorScheme: 'light' as const, width: 390 },
])('every screen, $name', ({ name, locale, colorScheme, width }) => {
  // Two windows at a time: each waits for the server most of the time.
  test.concurrent.each([
    ['operator', operatorScreens],
    ['owner', tenantScreens],
  ] as const)('of the %s: no fault, no serious finding, nothing wider than the window', async (who, screens) => {
    const state = await (who === 'operator' ? operator : owner).storageState();
    const context = await look({
      viewport: { width, height: 850 },
      locale,
      colorScheme,
      storageState: { cookies: state.cookies, origins: [] },
    });
    const { page, faults } = await watchedPage(context, program.url);
    for (const path of screens().filter((each) => name !== 'en-light' || !inStory().has(each))) {
      await page.goto(`${program.url}${path}`);
      const named = path.replace(/_[0-9a-z]{26}/, '').replaceAll(/[/?=&]/g, '-');
      await check(page, `${name}${named}`);
      const overflow = (await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')) as number;
      expect(overflow, `${name} ${path} is wider than the window`).toBeLessThanOrEqual(1);
      // A refusal in the reader's language, with the server's own words under it.
      if (path.includes('status=refused') && locale === 'zh-CN') {
        await dialog(page).getByText('租户已暂停。').first().waitFor();
        await dialog(page).getByText('The tenant is suspended', { exact: false }).first().waitFor();
      }
      expect(await page.locator('html').getAttribute('lang')).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en');
    }
    expect(faults).toEqual([]);
    await context.close();
  });
});
