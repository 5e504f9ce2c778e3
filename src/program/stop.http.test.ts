import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, test } from 'vitest';

import { embeddedPostgresHome } from '#kernel/postgres/cluster-home';
import { connectDouble, kill, openGround, openSetup, operatorKeyOf, startInstallation } from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';
import { startProgram } from '#test/program';

describe('happy', () => {
  test('SIGTERM to the whole process group, as systemd sends it, drains in order: no call is cut, no process comes back', async () => {
    const ground = await openGround({ adminUrl: inject('adminUrl') });
    const double = await startOpenAiDouble();
    const lintel = await startInstallation(ground, 'grouped');
    const setup = await openSetup(ground);
    try {
      const operator = await operatorKeyOf(lintel);
      await connectDouble(lintel.url, operator, double.url, DOUBLE_KEY, [{ name: 'double-chunks-20-gap-100' }]);
      const { secret } = await setup.key((await setup.tenant('Acme')).uuid, 'owner');
      await sleep(1_000);
      const answer = await fetch(`${lintel.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'double/double-chunks-20-gap-100',
          stream: true,
          messages: [{ role: 'user', content: `say:${'word '.repeat(40)}` }],
        }),
      });
      expect(answer.status).toBe(200);
      kill(-lintel.pid, 'SIGTERM');
      expect(await answer.text()).toContain('data: [DONE]');
      await lintel.stop();
      expect(await ground.query('SELECT status FROM calls')).toEqual([{ status: 'ok' }]);
      expect(await lintel.log()).not.toMatch(/ended \(|next start|sending SIG|not orderly|Cannot use a pool|\n {4}at /);
    } finally {
      await lintel.stop();
      await setup.close();
      await double.close();
      await ground.close();
    }
  }, 120_000);
});

describe('errors', () => {
  test('SIGTERM waits for a call and says so; a second one ends it, settled', async () => {
    const ground = await openGround({ adminUrl: inject('adminUrl') });
    const double = await startOpenAiDouble();
    const lintel = await startInstallation(ground, 'stopped');
    const setup = await openSetup(ground);
    try {
      const operator = await operatorKeyOf(lintel);
      await connectDouble(lintel.url, operator, double.url, DOUBLE_KEY, [{ name: 'double-tokens-50-hang-20' }]);
      const tenant = await setup.tenant('Acme');
      const { secret } = await setup.key(tenant.uuid, 'owner');
      await sleep(1_000);
      const call = fetch(`${lintel.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'double/double-tokens-50-hang-20',
          stream: true,
          messages: [{ role: 'user', content: `say:${'word '.repeat(40)}` }],
        }),
      });
      const answer = await call;
      expect(answer.status).toBe(200);
      const body = answer.text().catch((error: unknown) => error);
      kill(lintel.pid, 'SIGTERM');
      while (!(await lintel.log()).includes('waiting for calls to end')) await sleep(50);
      expect(await lintel.log()).toContain('"calls":1');
      expect((await fetch(`${lintel.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })).status).toBe(
        503,
      );
      kill(lintel.pid, 'SIGTERM');
      await lintel.stop();
      expect(await body).toBeInstanceOf(Error);
      const rows = await ground.query('SELECT status, estimated, output_tokens > 0 AS used FROM calls');
      expect(rows).toEqual([{ status: 'cancelled', estimated: true, used: true }]);
      expect(await lintel.log()).not.toMatch(/sending SIG|not orderly/);
    } finally {
      await lintel.stop();
      await setup.close();
      await double.close();
      await ground.close();
    }
  }, 120_000);

  test('a program whose output nobody reads any more goes on, and drains', async () => {
    const program = await startProgram(['--no-demo']);
    try {
      const pid = program.child.pid as number;
      const children = async () =>
        (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number);
      program.child.stdout?.destroy();
      program.child.stderr?.destroy();
      const [before, died] = [(await children()).length, (await children()).at(-1) as number];
      kill(died, 'SIGKILL');
      for (const patience = performance.now() + 30_000; performance.now() < patience; await sleep(50)) {
        const now = await children();
        if (
          !now.includes(died) &&
          now.length === before &&
          (await fetch(`${program.url}/readyz`).catch(() => undefined))?.ok
        )
          break;
      }
      expect([await children(), program.child.exitCode]).toEqual([expect.not.arrayContaining([died]), null]);
      expect(await program.stop()).toBe(0);
    } finally {
      await program.stop();
      await rm(await embeddedPostgresHome(program.dataDir), { recursive: true, force: true });
      await program.remove();
    }
  }, 120_000);
});

describe('security', () => {
  test('what a program that is stopped twice wrote down holds no key, and nothing of what was said', async () => {
    const ground = await openGround({ adminUrl: inject('adminUrl') });
    const double = await startOpenAiDouble();
    const lintel = await startInstallation(ground, 'silent', { env: { LINTEL_LOG_LEVEL: 'trace' } });
    const setup = await openSetup(ground);
    try {
      const operator = await operatorKeyOf(lintel);
      await connectDouble(lintel.url, operator, double.url, DOUBLE_KEY, [{ name: 'double-tokens-50-hang-20' }]);
      const { secret } = await setup.key((await setup.tenant('Acme')).uuid, 'owner');
      await sleep(1_000);
      const answer = await fetch(`${lintel.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'double/double-tokens-50-hang-20',
          stream: true,
          messages: [{ role: 'user', content: `say:${'confided '.repeat(40)}` }],
        }),
      });
      expect(answer.status).toBe(200);
      const body = answer.text().catch((error: unknown) => error);
      kill(lintel.pid, 'SIGTERM');
      while (!(await lintel.log()).includes('waiting for calls to end')) await sleep(50);
      kill(lintel.pid, 'SIGTERM');
      await lintel.stop();
      expect(await body).toBeInstanceOf(Error);
      const log = await lintel.log();
      expect(log).toContain('"level":"debug"');
      for (const told of [operator, secret, DOUBLE_KEY, ground.rootKey, 'confided']) expect(log).not.toContain(told);
    } finally {
      await lintel.stop();
      await setup.close();
      await double.close();
      await ground.close();
    }
  }, 120_000);
});
