import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

import { migrationFolders, readAppConfig, version } from '#app';
import { transportOf } from '#kernel/database-address';
import { connectPlainly } from '#kernel/database-connector';
import { createLogger } from '#kernel/logger';
import { readMigrations } from '#kernel/migrate';
import { AlreadyRunningError, acquireRunLock } from '#kernel/run-lock';
import { Sealer } from '#kernel/seal';
import { lookAtLogin } from './look-at-login.ts';
import { type Finding, lookAtSpool } from './look-at-spool.ts';
import { readOptions } from './options.ts';
import { findRootKey, openPremises } from './prepare.ts';

/** `npm start -- doctor`: looks at everything a start needs and says what is wrong and how to mend it. Changes nothing. Exit code 1 when something is wrong. */
export async function doctor(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const findings: Finding[] = [{ ok: true, what: 'Lintel', detail: `${version} on Node ${process.version}` }];
  const config = readAppConfig();
  findings.push({ ok: true, what: 'environment', detail: 'every variable can be read' });
  const space = await statfs(existsSync(options.dataDir) ? options.dataDir : '.');
  const free = (space.bavail * space.bsize) / 1024 ** 3;
  findings.push({
    ok: free > 1,
    what: 'disk',
    detail: `${free.toFixed(1)} GiB free${free > 1 ? '' : '; at least 1 GiB is needed'}`,
  });
  let running = false;
  // Looking must not make a data folder out of one that is none.
  const holds = (name: string) => existsSync(join(options.dataDir, name));
  try {
    if (holds('lintel.lock')) acquireRunLock(options.dataDir).release();
  } catch (error) {
    if (!(error instanceof AlreadyRunningError)) throw error;
    running = true;
    findings.push({ ok: true, what: 'process', detail: error.message });
  }
  findings.push(lookAtSpool(options.dataDir, running));
  if (config.DATABASE_URL !== undefined) {
    findings.push(
      config.DATABASE_ADMIN_URL === undefined
        ? {
            ok: 'weak',
            what: 'accounts',
            detail:
              'one account migrates and serves: SET LOCAL ROLE alone keeps tenants apart. Set DATABASE_ADMIN_URL to an owner account and give DATABASE_URL a plain one.',
          }
        : { ok: true, what: 'accounts', detail: 'migrations have an account of their own' },
      lookAtTransport([config.DATABASE_URL, config.DATABASE_ADMIN_URL ?? config.DATABASE_URL]),
    );
    findings.push(...(await lookAtDatabase(config.DATABASE_URL, await findRootKey(config, options.dataDir))));
  } else if (!running) {
    if (holds('root.key')) {
      const premises = await openPremises(config, options.dataDir, createLogger('error'));
      try {
        findings.push(...(await lookAtDatabase(premises.url, premises.rootKey)));
      } finally {
        await premises.embedded?.stop();
      }
    } else
      findings.push({
        ok: true,
        what: 'database',
        detail: `none yet: the first start makes one in ${options.dataDir}`,
      });
  } else findings.push({ ok: true, what: 'database', detail: 'in use by the running process' });
  for (const { ok, what, detail } of findings)
    process.stdout.write(`${ok === true ? '✓' : ok === 'weak' ? '!' : '✗'} ${what.padEnd(12)} ${detail}\n`);
  if (findings.some(({ ok }) => ok === false)) process.exitCode = 1;
}

function lookAtTransport(urls: readonly string[]): Finding {
  const ways = urls.map(transportOf);
  const what = 'transport';
  if (ways.includes('clear'))
    return {
      ok: 'weak',
      what,
      detail:
        'sslmode=disable: passwords and rows cross the network in clear. Leave it out, or say verify-full, where the database has TLS.',
    };
  return { ok: true, what, detail: ways.includes('verified') ? 'TLS, verified' : 'does not leave this machine' };
}

async function lookAtDatabase(url: string, rootKey: string): Promise<Finding[]> {
  let client: pg.Client;
  try {
    client = await connectPlainly(url);
  } catch (error) {
    return [{ ok: false, what: 'database', detail: (error as Error).message }];
  }
  try {
    const { rows } = await client.query(
      "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version",
    );
    const findings: Finding[] = [
      {
        ok: rows[0].number >= 150_000,
        what: 'database',
        detail: `PostgreSQL ${rows[0].version}${rows[0].number >= 150_000 ? '' : '; 15 or newer is needed'}`,
      },
      await lookAtLogin(client),
    ];
    const { rows: there } = await client.query("SELECT to_regclass('schema_migrations') IS NOT NULL AS migrated");
    if (!there[0].migrated)
      return [...findings, { ok: true, what: 'schema', detail: 'empty: the first start makes it' }];
    const wanted = await readMigrations(migrationFolders);
    const { rows: ran } = await client.query("SELECT has_table_privilege('schema_migrations', 'SELECT') AS readable");
    findings.push({
      ok: true,
      what: 'schema',
      detail: ran[0].readable ? `${wanted.length} migrations known` : 'made by an account of its own',
    });
    await client.query('BEGIN; SET LOCAL ROLE lintel_node_keeper');
    const { rows: kept } = await client.query('SELECT root_fingerprint FROM installation');
    await client.query('COMMIT');
    const same = kept.length === 0 || kept[0].root_fingerprint === new Sealer(rootKey).fingerprint;
    findings.push({
      ok: same,
      what: 'root secret',
      detail: same
        ? 'fits this database'
        : 'is another than the one this database was made with: its secrets cannot be opened',
    });
    return findings;
  } finally {
    await client.end();
  }
}
