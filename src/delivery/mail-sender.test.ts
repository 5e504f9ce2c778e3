import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createLogger } from '#kernel/logger';
import { catalogueLocale, createMessages } from '#kernel/messages';

import { catalogues, type TextKey } from './catalogues.ts';
import { createDeliveryModule } from './module.ts';

/** A mail server that takes everything but mails to `nobody@…`. */
const taken: { to: string; data: string }[] = [];
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((socket) => {
    let to = '';
    let data: string | undefined;
    socket.write('220 double\r\n');
    let rest = '';
    socket.on('data', (chunk) => {
      rest += chunk.toString();
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (data !== undefined) {
          if (line === '.') {
            taken.push({ to, data });
            data = undefined;
            socket.write('250 taken\r\n');
          } else data += `${line}\n`;
        } else if (line.startsWith('RCPT')) {
          to = /<(.*)>/.exec(line)?.[1] ?? '';
          socket.write(to.startsWith('nobody@') ? '550 no such person\r\n' : '250 ok\r\n');
        } else if (line === 'DATA') {
          data = '';
          socket.write('354 go on\r\n');
        } else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `smtp://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

function mailer(lines: string[] = []) {
  const log = createLogger('info', {}, { write: (line) => lines.push(line) });
  const { mailer } = createDeliveryModule({
    config: { LINTEL_SMTP_URL: url, LINTEL_MAIL_FROM: 'Lintel <l@acme.example>' },
    log,
  });
  if (mailer === undefined) throw new Error('no mailer');
  return mailer;
}

/** Headers and text of a mail, decoded. */
function read(data: string): string {
  const [head = '', ...body] = data.split('\n\n');
  const text = body.join('\n\n');
  const decoded = /base64/i.test(head)
    ? Buffer.from(text, 'base64').toString()
    : Buffer.from(
        text
          .replace(/=\n/g, '')
          .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        'latin1',
      ).toString();
  const subject = /^Subject: ([\s\S]*?)\n\S/m.exec(head)?.[1] ?? '';
  const words = subject
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?utf-8\?([BQ])\?(.*?)\?=/gi, (_, kind: string, word: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(word, 'base64').toString()
        : Buffer.from(
            word
              .replaceAll('_', ' ')
              .replace(/=([0-9A-F]{2})/g, (__, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
            'latin1',
          ).toString(),
    );
  return `${head}\n---\n${words}\n---\n${decoded}`;
}

test('invitations and login links go out in the language of the reader', async () => {
  const sender = mailer();
  const link = 'https://lintel.example/invitation#token=abc_DEF-123';
  const invitation = { to: 'ada@acme.example', link, tenant: '门楣 & Co', inviter: 'Grace' };
  expect(await sender.invitation({ ...invitation, locale: 'en' })).toBe(true);
  expect(await sender.invitation({ ...invitation, locale: 'zh-TW' })).toBe(true);
  expect(await sender.loginLink({ to: 'ada@acme.example', link, name: 'Ada', minutes: 15, locale: 'de-DE' })).toBe(
    true,
  );
  const mails = taken.map((mail) => read(mail.data));
  expect(taken.map((mail) => mail.to)).toEqual(Array(3).fill('ada@acme.example'));
  for (const mail of mails) {
    expect(mail).toContain(link);
    expect(mail).toContain('From: Lintel <l@acme.example>');
    expect(mail).toContain('Auto-Submitted: auto-generated');
    expect(mail).not.toMatch(/[\u2066-\u2069]/);
  }
  expect(mails[0]).toContain('Grace invites you to 门楣 & Co');
  expect(mails[1]).toContain('Grace 邀请您加入 门楣 & Co');
  expect(mails[2]).toContain('It works once and for 15 minutes');
});

test('a mail that the server does not take is said to be undelivered, and the link is in no log', async () => {
  const lines: string[] = [];
  const link = 'https://lintel.example/sign-in#token=SECRETSECRET';
  const mail = { to: 'nobody@acme.example', link, name: 'N', minutes: 15, locale: 'en' };
  expect(await mailer(lines).loginLink(mail)).toBe(false);
  expect(lines.join()).toContain('did not take');
  expect(lines.join()).not.toContain('SECRET');
});

test('an address with a line break sends no second header', async () => {
  const mail = { link: 'x', name: 'N\r\nBcc: evil@x.example', minutes: 1, locale: 'en' };
  const before = taken.length;
  expect(await mailer().loginLink({ ...mail, to: 'ada@acme.example\r\nRCPT TO:<evil@x.example>' })).toBe(false);
  await mailer().invitation({
    to: 'ada@acme.example',
    link: 'x',
    tenant: 'T\r\nBcc: evil@x.example',
    inviter: 'I',
    locale: 'en',
  });
  for (const { to, data } of taken.slice(before)) {
    expect(to).not.toContain('evil');
    expect(data.split('\n\n')[0]).not.toMatch(/^Bcc:/m);
  }
});

test('without a mail server there is no mailer', () => {
  const config = { LINTEL_SMTP_URL: undefined, LINTEL_MAIL_FROM: 'x' };
  expect(createDeliveryModule({ config, log: createLogger('silent') }).mailer).toBeUndefined();
});

test('both catalogues have the same texts, with the same variables, and all parse', () => {
  const { en, 'zh-CN': zhCN } = catalogues;
  expect(Object.keys(zhCN)).toEqual(Object.keys(en));
  const text = createMessages<TextKey>(catalogues);
  const variables = (source: string) => [...new Set(source.match(/\$\w+/g) ?? [])].sort();
  const values = { inviter: 'I', tenant: 'T', link: 'L', name: 'N', minutes: 1 };
  for (const key of Object.keys(en) as TextKey[]) {
    expect(variables(zhCN[key])).toEqual(variables(en[key]));
    for (const locale of ['en', 'zh-CN']) expect(text(locale, key, values)).not.toMatch(/[{}$]/);
    if (variables(en[key]).length > 0) expect(() => text('en', key, {})).toThrow();
  }
  expect(text('en', 'loginLinkText', { ...values, minutes: 1 })).toContain('one minute');
  expect(['zh', 'zh-Hant-TW', 'en-GB', 'de'].map(catalogueLocale)).toEqual(['zh-CN', 'zh-CN', 'en', 'en']);
});
