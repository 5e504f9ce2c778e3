import { connect } from 'node:net';
import pg from 'pg';
import { describe, expect, test } from 'vitest';

import { createApp, readAppConfig } from '#app';
import { createLogger } from '#kernel/logger';
import { startTestApp, testRootKey } from '#test/app';
import { testDatabase } from '#test/database';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A house of one tenant with models of the double and an agent that may ask the house's own API. */
async function openHouse(models: readonly string[], env: Record<string, string> = {}) {
  const double = await startOpenAiDouble();
  const database = await testDatabase();
  const house = await startTestApp({ database, env });
  const tenant = await house.tenant('Late');
  const provider = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
    name: 'double',
    preset: 'openai-compatible',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  for (const name of models) {
    const path = `/v1/platform/providers/${provider.body['id']}/models`;
    expect((await house.call(house.operatorKey, 'POST', path, { name })).status).toBe(201);
  }
  const agent = await house.call(tenant.key, 'POST', '/v1/agents', {
    name: 'support',
    definition: { kind: 'native', instructions: '', model: `double/${models[0]}`, tools: [{ tool: 'lintel' }] },
  });
  expect(agent.status, agent.text).toBe(201);
  const asked = async (count: number) => {
    while (double.count() < count) await rest(10);
  };
  const chat = (model: string, content: string, stream = false) =>
    house.call(tenant.key, 'POST', '/v1/chat/completions', { model, stream, messages: [{ role: 'user', content }] });
  /** Asks the database behind the house, which may have ended. */
  const query = async (sql: string) => {
    const client = new pg.Client({ connectionString: database.adminUrl });
    await client.connect();
    const { rows } = await client.query(sql).finally(() => client.end());
    return rows as Record<string, unknown>[];
  };
  const fold = async () => {
    await house.close();
    await database.close();
    await double.close();
  };
  return { double, house, tenant, asked, chat, query, fold };
}

describe('happy', () => {
  test('the end waits for calls, refuses new ones, and is not held up by those who only watch', async () => {
    const double = await startOpenAiDouble();
    const house = await startTestApp();
    let closed = false;
    try {
      const provider = await house.call(house.operatorKey, 'POST', '/v1/platform/providers', {
        name: 'double',
        preset: 'openai-compatible',
        baseUrl: double.url,
        apiKey: DOUBLE_KEY,
      });
      expect(provider.status).toBe(201);
      const tenant = await house.tenant('Watcher');
      const model = await house.call(
        house.operatorKey,
        'POST',
        `/v1/platform/providers/${provider.body['id']}/models`,
        {
          name: 'double-gap-150',
          cheap: true,
        },
      );
      expect(model.status).toBe(201);
      const watching = house.call(tenant.key, 'GET', '/v1/stream?topics=calls');
      const headers = `host: lintel\r\nauthorization: Bearer ${tenant.key}\r\n`;
      const body = JSON.stringify({
        model: 'double/double-gap-150',
        stream: true,
        messages: [{ role: 'user', content: 'Tell me much.' }],
      });
      const socket = connect(Number(new URL(house.url).port), '127.0.0.1');
      let said = '';
      socket.on('data', (data) => (said += data.toString()));
      const ended = new Promise((resolve) => socket.once('close', resolve));
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\n${headers}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      while (!said.includes('data: ')) await rest(20);
      const end = house.close().then(() => {
        closed = true;
      });
      await rest(50);
      // On the connection that is kept for the call; then on a new one; those who watch over the process are answered.
      socket.write(`GET /v1/calls HTTP/1.1\r\n${headers}\r\n`);
      const late = await house.call(tenant.key, 'GET', '/v1/calls');
      expect(late.status).toBe(503);
      expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(late.headers.get('connection')).toBe('close');
      const ready = await house.call(undefined, 'GET', '/readyz');
      expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('this process is ending')]);
      expect((await watching).status).toBe(200);
      await Promise.race([Promise.all([end, ended]), rest(15_000)]);
      expect(closed).toBe(true);
      const [first, second = ''] = said.split(/(?=HTTP\/1\.1 503)/);
      expect(first).toMatch(/^HTTP\/1\.1 200/);
      expect(first).toContain('data: [DONE]');
      expect(second.toLowerCase()).toContain('connection: close');
      const id = /x-request-id: (req_\w+)/.exec(second)?.[1];
      expect(JSON.parse(second.slice(second.indexOf('{')))).toMatchObject({ status: 503, requestId: id });
    } finally {
      await double.close();
    }
  }, 60_000);

  test('a process that serves nobody compiles no routes, from its start to its end', async () => {
    const database = await testDatabase();
    const app = await createApp({
      role: 'setup',
      config: readAppConfig({}),
      connector: database.connector,
      rootKey: testRootKey,
      log: createLogger('silent'),
      baseUrl: 'http://127.0.0.1',
    });
    let ready = false;
    app.server.addHook('onReady', (done) => {
      ready = true;
      done();
    });
    await app.start();
    await app.close();
    expect(ready).toBe(false);
    await database.close();
  });

  test('while the process ends, an agent’s run under way may still ask the house’s own API', async () => {
    const { house, asked, chat, fold } = await openHouse(['double-slow-400']);
    try {
      const answer = chat('agent/support', 'call:lintel_read {"path":"/v1/agents"}');
      await asked(1);
      const end = house.close();
      const { status, body } = await answer;
      expect([status, body]).toMatchObject([
        200,
        { choices: [{ message: { content: expect.stringMatching(/^Done: 200 .*"latestVersion":1/) } }] },
      ]);
      await end;
    } finally {
      await fold();
    }
  }, 60_000);
});

describe('errors', () => {
  test.each(['the limit', 'a second request to stop'])(
    'at %s a stream is cut and settled, and a run that a client waits for goes on in background',
    async (why) => {
      const limit = why === 'the limit' ? '1' : '300';
      const { house, asked, chat, query, fold } = await openHouse(['double-hang-3', 'double-tokens-50-hang-20'], {
        LINTEL_DRAIN_SECONDS: limit,
      });
      try {
        const run = chat('agent/support', 'hello');
        await asked(1);
        const stream = chat('double/double-tokens-50-hang-20', `say:${'word '.repeat(40)}`, true).catch(
          (error: unknown) => error,
        );
        await asked(2);
        await rest(200);
        const end = house.close();
        if (limit === '300') house.app.hurry();
        const answer = await run;
        expect([answer.status, answer.body]).toMatchObject([200, { lintel: { status: 'queued' } }]);
        expect(await stream).toBeInstanceOf(Error);
        await end;
        expect(
          await query(`SELECT kind, status, estimated, output_tokens > 0 AS used FROM calls ORDER BY at`),
        ).toMatchObject([
          { kind: 'run', status: 'ok' },
          { kind: 'chat', status: 'cancelled', estimated: true, used: true },
        ]);
        expect(await query('SELECT status FROM runs')).toEqual([{ status: 'queued' }]);
      } finally {
        await fold();
      }
    },
    60_000,
  );
});

describe('security', () => {
  test('while the process ends, an agent’s run may ask no more than its caller may', async () => {
    const { house, tenant, asked, fold } = await openHouse(['double-slow-400']);
    try {
      const key = await tenant.keyOf('developer', { scopes: ['agents:invoke'] });
      const answer = house.call(key, 'POST', '/v1/chat/completions', {
        model: 'agent/support',
        messages: [{ role: 'user', content: 'call:lintel_read {"path":"/v1/agents"}' }],
      });
      await asked(1);
      const end = house.close();
      const { status, body } = await answer;
      expect([status, body]).toMatchObject([
        200,
        { choices: [{ message: { content: expect.stringMatching(/^Done: 403 /) } }] },
      ]);
      await end;
    } finally {
      await fold();
    }
  }, 60_000);
});
