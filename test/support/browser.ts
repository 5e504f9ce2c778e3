import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page, type Request } from 'playwright-core';
import { expect } from 'vitest';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = new URL('../output/', import.meta.url);

/** Chromium without a word to any other host. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Milliseconds to wait for what a page should come to; a busy machine needs some. */
const patience = 45_000;

const underWay = new WeakMap<Page, Set<Request>>();

/** A page that notes what goes wrong on it: script errors, refused and failed requests, requests to another host. */
export async function watchedPage(context: BrowserContext, origin: string): Promise<{ page: Page; faults: string[] }> {
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const faults: string[] = [];
  const open = new Set<Request>();
  underWay.set(page, open);
  page.on('pageerror', (error) => faults.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
  });
  page.on('request', (request) => {
    // Streams stay open: nothing is waited for there.
    if (!/\/v1\/stream\?|\/events(\?|$)/.test(request.url())) open.add(request);
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:') && !request.url().startsWith('blob:'))
      faults.push(`left the house: ${request.url()}`);
  });
  page.on('requestfinished', (request) => open.delete(request));
  page.on('requestfailed', (request) => {
    open.delete(request);
    // Going to another screen ends what the one before still asked.
    const why = request.failure()?.errorText ?? '';
    if (why !== 'net::ERR_ABORTED') faults.push(`${why} ${request.url()}`);
  });
  return { page, faults };
}

/** Waits until a screen is whole: nothing is asked any more, nothing says it is busy, and it was painted since. */
async function settled(page: Page): Promise<void> {
  const isQuiet = async () =>
    underWay.get(page)?.size === 0 &&
    (await page.evaluate(
      `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
        done(document.querySelector('main h1, [role=dialog]') !== null && document.querySelector('[aria-busy="true"]') === null))))`,
    )) === true &&
    underWay.get(page)?.size === 0;
  const end = performance.now() + patience;
  // A screen that is just being left cannot be asked.
  while (!(await isQuiet().catch(() => false))) {
    if (performance.now() > end)
      throw new Error(
        `${page.url()} did not come to rest: ${[...(underWay.get(page) ?? [])].map((request) => request.url()).join(' ')}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Keeps a screenshot as test output, once the screen is whole. */
export async function shoot(page: Page, name: string): Promise<void> {
  await settled(page);
  await picture(page, name);
}

/** Keeps a screenshot of a page as it is. */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: new URL(`${name}.png`, shots).pathname });
}

/** Fails on serious and critical findings of axe. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  // The page's own policy forbids foreign scripts, so axe is evaluated, not loaded.
  await page.evaluate(axe);
  const findings = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
    violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  const serious = findings.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(
    serious.map(
      ({ id, nodes }) => `${where}: ${id}: ${nodes[0]?.html.slice(0, 200)} — ${nodes[0]?.failureSummary.slice(0, 200)}`,
    ),
    where,
  ).toEqual([]);
}
