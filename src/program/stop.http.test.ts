import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';

import { connectDouble, kill, openGround, openSetup, operatorKeyOf, startInstallation } from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';

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
