import { expect, test } from 'vitest';

import { checkSettings, slugOf } from './check-settings.ts';
import { inOrder } from './erase-tenant.ts';

test('slugs come from names in any script', () => {
  expect(slugOf('Acme Corp.', 1)).toBe('acme-corp');
  expect(slugOf('Äçmé & Söhne', 2)).toBe('acme-sohne-2');
  expect(slugOf('门楣科技', 1)).toBe('tenant');
  expect(slugOf('Platform', 1)).toBe('tenant-platform');
  expect(slugOf('X', 1)).toBe('tenant-x');
});

test('every wrong setting is pointed at', () => {
  expect(() => checkSettings({ locale: 'zh-CN', timeZone: 'Asia/Shanghai', currency: 'CNY' })).not.toThrow();
  try {
    checkSettings({ name: ' ', locale: 'EN_us', timeZone: '+08:00', currency: 'XXX' });
    expect.unreachable();
  } catch (error) {
    const { errors } = (error as { details: { errors: { pointer: string }[] } }).details;
    expect(errors.map((place) => place.pointer)).toEqual(['/name', '/locale', '/timeZone', '/currency']);
  }
});

test('tables are erased before what they refer to', () => {
  const references = [
    { from: 'steps', to: 'runs' },
    { from: 'runs', to: 'agents' },
    { from: 'elsewhere', to: 'steps' },
  ];
  expect(inOrder(['agents', 'runs', 'steps'], references)).toEqual(['steps', 'runs', 'agents']);
  expect(() =>
    inOrder(
      ['a', 'b'],
      [
        { from: 'a', to: 'b' },
        { from: 'b', to: 'a' },
      ],
    ),
  ).toThrow('ring');
});
