import { expect, test } from 'vitest';

import { Problem, problems } from '#kernel/problem';
import { explainSpool } from './explain-spool.ts';

const failed = (fields: object) => Object.assign(new Error('failed'), fields);

test.each([
  [new Problem(problems.unavailable, { cause: failed({ code: 'ECONNREFUSED' }) }), 'database', false, 'database back'],
  [failed({ code: '57P01' }), 'database', false, 'database back'],
  [failed({ code: 'EACCES', path: '/spool/x' }), 'EACCES', true, 'readable'],
  [failed({ code: 'ENOSPC', syscall: 'write' }), 'ENOSPC', true, 'space'],
  [failed({ code: '42501' }), '42501', false, 'DATABASE_ADMIN_URL'],
  [failed({ code: '53100' }), '53100', false, 'no room'],
  [new RangeError('odd'), 'RangeError', false, 'error beside'],
])('%o is named with what to do', (error, cause, inFolder, advice) => {
  expect(explainSpool(error)).toEqual({ cause, inFolder, advice: expect.stringContaining(advice) });
});
