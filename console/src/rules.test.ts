import { readFileSync } from 'node:fs';

import { describe, expect, it, vi } from 'vitest';

import { newExternal, newNative, trimDefinition } from '#features/agents/definition.ts';
import { emptyRun, readRunEvent } from '#features/agents/run-view.ts';
import { serversOf } from '#features/agents/tool-trust-panel.tsx';
import { diffOf } from '#features/audit/diff.ts';
import { keyPresets, presetScopes } from '#features/auth/key-presets.ts';
import { draftOf, pricesOf } from '#features/billing/plan-draft.ts';
import { perMillion, perUnit } from '#features/models/models-panel.tsx';
import { isRefusal, onceKnown } from '#lib/api.ts';
import { clientName } from '#lib/client-name.ts';
import { csvOf } from '#lib/csv.ts';
import { addDecimals, decimalText, subtractDecimals } from '#lib/decimal.ts';
import { moneyText } from '#lib/format.tsx';
import { translator } from '#lib/i18n.tsx';
import { MissingPart, part } from '#lib/missing-part.ts';
import { minPasswordLength } from '#lib/password.ts';
import { navigationFor } from '#lib/screens.ts';
import { civilOf, instantOf } from '#lib/zone.ts';
import { isolatedPoints } from '#ui/chart-points.ts';

describe('prices', () => {
  it.each([
    ['2.5', '0.0000025'],
    ['15', '0.000015'],
    ['0', '0'],
    ['1234567.25', '1.23456725'],
    ['0.075', '0.000000075'],
  ])('%s per million is %s per unit, and back', (million, unit) => {
    expect(perUnit(million, 'input_tokens')).toBe(unit);
    expect(perMillion(unit, 'input_tokens')).toBe(million);
  });

  it('leaves prices per request as they are', () => {
    expect(perUnit('0.01', 'requests')).toBe('0.01');
  });

  it('adds and subtracts decimals exactly', () => {
    expect(addDecimals('0.1', '0.2')).toBe('0.3');
    expect(addDecimals('-0.05', '1')).toBe('0.95');
    expect(subtractDecimals('0.3', '0.1')).toBe('0.2');
    expect(subtractDecimals('1', '1.05')).toBe('-0.05');
    expect(subtractDecimals('-2', '3')).toBe('-5');
    expect(subtractDecimals('9007199254740993.000001', '1')).toBe('9007199254740992.000001');
  });
});

describe('amounts', () => {
  it.each([
    [1.5e-7, '0.00000015'],
    [-2e-9, '-0.000000002'],
    [1e21, '1000000000000000000000'],
    [1.25e22, '12500000000000000000000'],
    ['12.345e+2', '1234.5'],
    [0.5, '0.5'],
    ['', ''],
    ['0.10', '0.10'],
  ])('%s from a field is sent as %s', (value, text) => {
    expect(decimalText(value)).toBe(text);
  });

  it.each([
    ['0.0000025', 'USD', '$0.0000025'],
    ['0.00000000015', 'USD', '$0.00000000015'],
    ['0.0000012345678', 'USD', '$0.00000123457'],
    ['12.3456789', 'USD', '$12.345679'],
    ['3', 'JPY', '¥3'],
    ['3', 'CNY', 'CN¥3.00'],
    ['-0.015', 'EUR', '-€0.015'],
    ['9007199254740993.01', 'USD', '$9,007,199,254,740,993.01'],
  ])('%s %s reads %s', (amount, currency, text) => {
    expect(moneyText('en', amount, currency)).toBe(text);
  });
});

describe('times of a zone', () => {
  it.each([
    ['2026-11-22T20:30', 'Asia/Shanghai', '2026-11-22T12:30:00.000Z'],
    ['2026-07-01T00:00', 'Europe/Berlin', '2026-06-30T22:00:00.000Z'],
    ['2026-12-31T23:59', 'America/New_York', '2027-01-01T04:59:00.000Z'],
    ['2026-03-29T01:59', 'Europe/Berlin', '2026-03-29T00:59:00.000Z'],
    ['2026-03-29T03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
    ['2026-01-01T05:45', 'Asia/Kathmandu', '2026-01-01T00:00:00.000Z'],
  ])('%s in %s is %s, and back', (civil, zone, instant) => {
    expect(instantOf(civil, zone)).toBe(instant);
    expect(civilOf(instant, zone)).toBe(civil);
  });

  it('an hour that clocks skip is read as if they had not', () => {
    expect(instantOf('2026-03-29T02:30', 'Europe/Berlin')).toBe('2026-03-29T01:30:00.000Z');
  });

  it('what is no time is none', () => {
    expect(instantOf('', 'UTC')).toBeUndefined();
    expect(civilOf('x', 'UTC')).toBe('');
  });
});

describe('failures', () => {
  it.each([
    [{ status: 404 }, true],
    [{ status: 403 }, true],
    [{ status: 429 }, false],
    [{ status: 408 }, false],
    [{ status: 500 }, false],
    [{ status: 0 }, false],
    [new Error('x'), false],
    [null, false],
  ])('%j takes away what is shown: %j', (error, isOne) => {
    expect(isRefusal(error)).toBe(isOne);
  });

  it('what was made a moment ago is asked for again while it is not known, and no longer than six seconds', async () => {
    vi.useFakeTimers();
    try {
      let asked = 0;
      const unknown = (until: number) => async () => {
        if (++asked < until) throw Object.assign(new Error('none'), { status: 404 });
        return asked;
      };
      const found = onceKnown(unknown(3));
      await vi.advanceTimersByTimeAsync(600);
      expect(await found).toBe(3);
      asked = 0;
      const never = onceKnown(unknown(100)).catch((error: Error) => error.message);
      await vi.advanceTimersByTimeAsync(6_000);
      expect([await never, asked]).toEqual(['none', 20]);
      const refused = vi.fn(async () => {
        throw Object.assign(new Error('no'), { status: 403 });
      });
      await expect(onceKnown(refused)).rejects.toThrow('no');
      expect(refused).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('a screen that cannot be loaded is an error of ours, not one that the router loads the page anew for', async () => {
    const failure = new TypeError('Failed to fetch dynamically imported module: /assets/limits.js');
    const error = await part(() => Promise.reject(failure))().catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(MissingPart);
    expect((error as Error).message).not.toMatch(/dynamically imported module|module script/);
    expect(await part(async () => 7)()).toBe(7);
  });
});

describe('passwords', () => {
  it('are as long in forms as the server asks', () => {
    const server = readFileSync(`${import.meta.dirname}/../../src/security/auth/check-password.ts`, 'utf8');
    expect(server).toContain(`minPasswordLength = ${minPasswordLength};`);
  });
});

describe('clients', () => {
  const chrome =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
  it.each([
    [chrome, 'Chrome · Linux'],
    [`${chrome} Edg/142.0.0.0`, 'Edge · Linux'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
      'Safari · iOS',
    ],
    ['Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox · Windows'],
    ['openai-node/6.1.0', 'openai-node/6.1.0'],
    ['', ''],
  ])('%s is %s', (userAgent, name) => {
    expect(clientName(userAgent)).toBe(name);
  });
});

describe('charts', () => {
  it('find the points that no line reaches', () => {
    expect(isolatedPoints([null, 5, null, 1, 2, null, 0])).toEqual([1, 6]);
    expect(isolatedPoints([7])).toEqual([0]);
    expect(isolatedPoints([1, 2])).toEqual([]);
    expect(isolatedPoints([undefined, null])).toEqual([]);
  });
});

describe('plans', () => {
  it('go through the form and back unchanged, whatever their prices are', () => {
    const prices = [
      { id: 'prc_1', meter: 'agent.run.runs', price: { model: 'graduated', tiers: [{ upTo: null, unit: '0.01' }] } },
      {
        id: 'prc_2',
        meter: 'model.call.input_tokens',
        where: { model: 'openai/gpt' },
        price: { model: 'package', unit: '2.5', per: '1000000', roundUp: false, included: '1000' },
      },
      { id: 'prc_3', meter: 'model.call.requests', price: { model: 'per_unit', unit: '0.001' } },
      { id: 'prc_4', meter: 'model.call.requests', where: { key: 'x' }, price: { model: 'per_unit', unit: '1' } },
    ];
    expect(pricesOf(prices.map((price) => draftOf(price as never)))).toEqual(prices);
  });
});

describe('diff', () => {
  it('names changed fields by their path', () => {
    expect(diffOf({ a: 1, b: { c: 'x', d: [1] } }, { a: 1, b: { c: 'y', d: [1] }, e: null })).toEqual([
      { field: 'b.c', before: '"x"', after: '"y"' },
      { field: 'e', before: undefined, after: 'null' },
    ]);
  });

  it('shows a creation and an end', () => {
    expect(diffOf(undefined, { a: 1 })).toEqual([{ field: 'a', before: undefined, after: '1' }]);
    expect(diffOf({ a: {} }, undefined)).toEqual([{ field: 'a', before: '{}', after: undefined }]);
  });
});

describe('keys', () => {
  const vocabulary = ['models:invoke', 'models:read', 'agents:invoke', 'agents:update', 'members:delete', 'calls:read'];

  it('gives presets only what they are for', () => {
    expect(presetScopes('invoke', vocabulary)).toEqual(['models:invoke', 'models:read', 'agents:invoke']);
    expect(presetScopes('observe', vocabulary)).toEqual(['models:read', 'calls:read']);
    for (const preset of keyPresets) expect(presetScopes(preset, vocabulary)).not.toContain('members:delete');
  });
});

describe('runs', () => {
  it('are put together from their events, in any repetition', () => {
    const events: [string, unknown][] = [
      ['step', { seq: 0, kind: 'model', status: 'intent' }],
      ['text', { delta: 'Let me ' }],
      ['text', { delta: 'see.' }],
      ['step', { seq: 0, kind: 'model', status: 'done' }],
      ['step', { seq: 1, kind: 'tool', status: 'done', tool: 'clock' }],
      ['step', { seq: 1, kind: 'tool', status: 'done', tool: 'clock' }],
      ['unknown', {}],
      ['run', { id: 'run_1', status: 'finished', output: { text: 'It is noon.' }, error: null }],
    ];
    const view = events.reduce((now, [event, data]) => readRunEvent(now, event, data), emptyRun);
    expect(view).toMatchObject({ id: 'run_1', status: 'finished', text: 'It is noon.', error: undefined });
    expect(view.steps.map(({ seq, status }) => [seq, status])).toEqual([
      [0, 'done'],
      [1, 'done'],
    ]);
  });

  it('forget the text of an earlier model step when the next begins', () => {
    const view = readRunEvent({ ...emptyRun, text: 'old' }, 'step', { seq: 2, kind: 'model', status: 'intent' });
    expect(view.text).toBe('');
  });
});

describe('definitions', () => {
  it('are sent without empty members', () => {
    expect(
      trimDefinition({ ...newExternal, url: 'https://a.example', model: '', request: { text: '' } } as never),
    ).toEqual({
      kind: 'external',
      protocol: 'openai',
      url: 'https://a.example',
      guardrails: { maxSeconds: 600 },
    });
    expect(trimDefinition(newNative)).toMatchObject({ kind: 'native', instructions: '' });
  });
});

describe('exports', () => {
  it('quote what needs it and leave numbers alone', () => {
    expect(
      csvOf(
        ['a', 'b'],
        [
          ['x,y', 'say "hi"'],
          [1, null],
          [-0.5, true],
          ['-2.50', undefined],
        ],
      ),
    ).toBe('\uFEFFa,b\r\n"x,y","say ""hi"""\r\n1,\r\n-0.5,true\r\n-2.50,\r\n');
  });

  it.each(['=1+1', '+1', '-1+1', '@SUM(A1)', '\tx', '\r=1', '\n=1', '＝1', "-2+3+cmd|' /C calc'!A0"])(
    'do not let %j be a formula',
    (cell) => {
      const line = csvOf([], [[cell]])
        .slice(1)
        .split('\r\n')
        .slice(1)
        .join('\r\n');
      expect(line.replace(/^"/, '')).toMatch(/^'/);
    },
  );
});

describe('tool servers', () => {
  const event = (type: string, id: string, after?: object) => ({
    type: `agents.tool.${type}`,
    subject: { kind: 'tool', id, name: id },
    data: after === undefined ? { before: {} } : { after },
  });
  const server = { kind: 'mcp_http', place: 'https://a.example', trusted: false, functions: 2 };

  it('are what the newest event of each says, without deleted ones and OpenAPI documents', () => {
    const servers = serversOf([
      event('updated', 'b', { ...server, trusted: true }),
      event('created', 'b', server),
      event('deleted', 'c'),
      event('created', 'c', server),
      event('created', 'd', { ...server, kind: 'openapi' }),
      event('created', 'a', server),
    ]);
    expect(servers.map(({ name, trusted }) => [name, trusted])).toEqual([
      ['a', false],
      ['b', true],
    ]);
  });
});

describe('language', () => {
  it('formats MessageFormat 2 and leaves plain text alone', () => {
    const t = translator('en', {
      'a.b': 'Plain',
      'a.c': 'Hello {$name}',
      'a.d': '.input {$n :integer} .match $n one {{one day}} * {{{$n} days}}',
    }) as (key: string, values?: Record<string, string | number>) => string;
    expect(t('a.b')).toBe('Plain');
    expect(t('a.c', { name: 'Ada' })).toBe('Hello Ada');
    expect([t('a.d', { n: 1 }), t('a.d', { n: 1200 })]).toEqual(['one day', '1,200 days']);
    expect(t('unknown')).toBe('');
  });

  it('isolates values in right-to-left text', () => {
    const t = translator('ar', { k: 'مرحبا {$name}' }) as (key: string, values?: Record<string, string>) => string;
    expect(t('k', { name: 'Ada' })).toBe('مرحبا \u2068Ada\u2069');
  });
});

describe('navigation', () => {
  it('shows only what may be read, by area', () => {
    expect(navigationFor(false, () => false)).toEqual([]);
    const viewer = navigationFor(false, (permission) => permission === 'calls:read');
    expect(viewer.flatMap(({ items }) => items.map(({ to }) => to))).toEqual(['/app/calls']);
    const operator = navigationFor(true, () => true).flatMap(({ items }) => items);
    expect(operator.every(({ to }) => to.startsWith('/operator'))).toBe(true);
  });
});
