import { expect, test } from 'vitest';

import { checkPassword } from './check-password.ts';

const person = { email: 'ada.lovelace@acme.example', name: 'Ada Lovelace' };

test.each([
  ['correct horse battery'],
  ['门楣门楣是承重的横梁屋顶墙壁窗户'],
  ['x7#kk2!pp9?zz4&aa'],
  ['a'.repeat(3) + 'sentence that is rather long '.repeat(8)],
])('%s is taken', (password) => {
  expect(checkPassword(password, person)).toBe(password.normalize('NFKC'));
});

test.each([
  ['shorttt', 'at least 15'],
  ['a'.repeat(300), 'at most 256'],
  ['aaaaaaaaaaaaaaaaaaaa', 'few different'],
  ['1234567890123456789', 'row'],
  ['qwertyuiopasdfgh', 'row'],
  ['ada.lovelace@acme.example', 'too close'],
  ['AdaLovelaceAdaLovelace', 'too close'],
  ['lintelpassword123', 'too close'],
])('%s is refused: %s', (password, why) => {
  expect(() => checkPassword(password, person)).toThrow(why);
});

test('the same password from two keyboards is the same', () => {
  expect(checkPassword('ﬁne ﬁne ﬁne horses run', person)).toBe(checkPassword('fine fine fine horses run', person));
});
