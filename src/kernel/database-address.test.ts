import { expect, test } from 'vitest';

import { kernelSettings, readConfig } from './config.ts';
import { readServers, transportOf } from './database-address.ts';

const all = { rejectUnauthorized: true };

test.each([
  ['postgres://a:b@db/c', all, 'verified'],
  ['postgres://a:b@10.0.0.7/c?sslmode=require', all, 'verified'],
  ['postgres://a:b@localhost/c?sslmode=verify-ca', all, 'verified'],
  ['postgres://a:b@db/c?application_name=x&sslmode=verify-full', all, 'verified'],
  ['postgres://a:b@db/c?sslmode=disable', false, 'clear'],
  ['postgres://a:b@127.0.0.1/c', false, 'local'],
  ['postgres://a:b@[::1]/c', false, 'local'],
  ['postgres://a:b@%2Frun%2Fpostgresql:5433/c', false, 'local'],
  ['postgres://a:b@localhost/c?host=/run/postgresql', false, 'local'],
  ['postgres://a:b@/c?host=/run/postgresql', false, 'local'],
] as const)('%s is spoken to as it says, and else safely', (url, ssl, transport) => {
  const [{ ssl: seen, user, database }] = readServers(url);
  expect([seen, user, database]).toEqual([ssl, 'a', 'c']);
  expect(transportOf(url)).toBe(transport);
});

test('every host of an address has its own way, and the least safe one counts', () => {
  const servers = readServers('postgres://a:b@db-1,[::1]:5433,db-2:5434/c').map(({ host, port, ssl }) => [
    host,
    port,
    ssl,
  ]);
  expect(servers).toEqual([
    ['db-1', 5432, all],
    ['::1', 5433, false],
    ['db-2', 5434, all],
  ]);
  expect(transportOf('postgres://a:b@db-1,127.0.0.1/c?sslmode=disable')).toBe('clear');
});

test.each(['prefer', 'allow', 'no-verify'])('sslmode=%s is refused with what to say instead', (mode) => {
  const address = `postgres://a:secret@db/c?sslmode=${mode}`;
  expect(() => readServers(address)).toThrow(/verify-full.*disable/);
});

test('a database in the environment that could be spoken to in clear by accident is a wrong variable', () => {
  const env = {
    DATABASE_URL: 'postgres://a:secret@db/c?sslmode=prefer',
    DATABASE_ADMIN_URL: 'postgres://db/c?sslrootcert=/no/ca',
  };
  const read = () => readConfig(kernelSettings, env);
  expect(read).toThrow(/DATABASE_URL has sslmode=prefer[\s\S]*DATABASE_ADMIN_URL ENOENT.*\/no\/ca/);
  expect(read).not.toThrow('secret');
});
