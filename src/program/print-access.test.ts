import { afterEach, expect, test, vi } from 'vitest';

import { createLogger } from '#kernel/logger';
import type { FirstRun } from './first-run.ts';
import { printAccess } from './print-access.ts';

afterEach(() => vi.restoreAllMocks());

const all: FirstRun = {
  created: true,
  baseUrl: 'http://127.0.0.1:8080',
  operatorEmail: 'operator@lintel.local',
  loginUrl: 'http://127.0.0.1:8080/link#token=once',
  operatorKey: 'lt_live_operator',
  demo: { tenantId: 'tnt_demo', apiKey: 'lt_live_demo', agent: 'assistant', curl: 'curl it' },
};

function said(firstRun: FirstRun, isTty: boolean): string {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const log = createLogger('silent');
  const info = vi.spyOn(log, 'info').mockReturnValue(undefined);
  printAccess({ firstRun, baseUrl: 'http://127.0.0.1:8080', isTty, dataDir: '/data', log });
  return JSON.stringify((isTty ? write : info).mock.lastCall);
}

test('a terminal is shown what lets in now, and nothing that does not any more', () => {
  for (const secret of ['token=once', 'lt_live_demo', 'curl it', '/data/first-run.json'])
    expect(said(all, true)).toContain(secret);
  const later = said({ ...all, loginUrl: undefined, demo: undefined }, true);
  expect(later).toContain('with your e-mail address and password');
  expect(later).not.toMatch(/token=|lt_live|first-run/);
});

test('a log is told no secret, but the file that holds the link', () => {
  expect(said(all, false)).toMatch(/\/data\/first-run\.json/);
  expect(said(all, false)).not.toMatch(/token=|lt_live/);
  expect(said({ ...all, loginUrl: undefined }, false)).not.toContain('first-run');
});
