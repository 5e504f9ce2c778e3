import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { systemCause } from '#kernel/cause';
import { idTime, parseId } from '#kernel/ids';
import { startTestApp, type TestApp, type TestTenant } from '#test/app';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

const hour = 3_600_000;
const day = 24 * hour;
const realNow = Date.now.bind(Date);

/** Noon of this month's last day in UTC: an hour earlier is the same day, a day later the next month. */
const noon = new Date(realNow());
noon.setUTCMonth(noon.getUTCMonth() + 1, 0);
noon.setUTCHours(12, 0, 0, 0);
const base = noon.getTime() - realNow();

/** What this machine's clock is ahead of the world's; the database keeps its own, and nothing monotonic jumps. */
let ahead = base;

let t: TestApp;
let double: OpenAiDouble;
let acme: TestTenant;

beforeEach(() => {
  ahead = base;
  vi.spyOn(Date, 'now').mockImplementation(() => realNow() + ahead);
  const instant = () => Temporal.Instant.fromEpochMilliseconds(realNow() + ahead);
  vi.spyOn(Temporal.Now, 'instant').mockImplementation(instant);
  vi.spyOn(Temporal.Now, 'plainDateISO').mockImplementation((zone = 'UTC') =>
    instant().toZonedDateTimeISO(zone).toPlainDate(),
  );
});
afterEach(() => {
  vi.restoreAllMocks();
});
beforeAll(async () => {
  ahead = base;
  const clock = {
    now: () => Temporal.Instant.fromEpochMilliseconds(realNow() + ahead),
    monotonic: () => performance.now(),
  };
  [t, double] = await Promise.all([startTestApp({ clock }), startOpenAiDouble()]);
  const made = await t.call(t.operatorKey, 'POST', '/v1/platform/providers', {
    preset: 'openai-compatible',
    name: 'house',
    baseUrl: double.url,
    apiKey: DOUBLE_KEY,
  });
  await t.call(t.operatorKey, 'POST', `/v1/platform/providers/${made.body['id']}/models`, { name: 'double' });
});
afterAll(() => Promise.all([t.close(), double.close()]));
beforeEach(async () => {
  acme = await t.tenant('Acme');
});

/** One call; its status, and its id and tokens when it was answered. */
async function ask(key = acme.key): Promise<{ status: number; id: string; tokens: number }> {
  const body = { model: 'house/double', max_tokens: 20, messages: [{ role: 'user', content: 'hello' }] };
  const answer = await t.call(key, 'POST', '/v1/chat/completions', body);
  const { usage } = answer.body as { usage?: { total_tokens: number } };
  const id = parseId('call', String(answer.headers.get('x-request-id'))) as string;
  return { status: answer.status, id, tokens: usage?.total_tokens ?? 0 };
}

describe('happy', () => {
  test('calls have ids of their own in the order of the clock, and rows in the month they belong to', async () => {
    const all: { id: string; at: number }[] = [];
    for (const jump of [0, -hour, 0, day, 0, -hour, 70 * day, 0]) {
      ahead = base + jump;
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        const call = await ask();
        expect(call.status).toBe(200);
        ids.push(call.id);
        // The time in an id is the row's, and what invoices and lists go by.
        expect(Math.abs(idTime(call.id) - Date.now())).toBeLessThan(15_000);
        all.push({ id: call.id, at: idTime(call.id) });
      }
      expect(ids).toEqual([...ids].sort());
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const table of ['calls', 'usage']) {
      const rows = await t.app.db.forPlatform((tx) =>
        tx.query<{ id: string; at: string; part: string }>(
          `SELECT id, at, tableoid::regclass::text AS part FROM ${table} WHERE tenant_id = $1 ORDER BY at, id`,
          [acme.uuid],
        ),
      );
      expect(rows.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort());
      for (const { at, part } of rows) expect(part).toBe(`${table}_${at.slice(0, 4)}${at.slice(5, 7)}`);
    }
    // Pages go through all of them once, newest first by the time they carry.
    const paged: string[] = [];
    let cursor: string | null = null;
    do {
      const next: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page = (await t.call(acme.key, 'GET', `/v1/calls?limit=7${next}`)).body as unknown as {
        data: { id: string }[];
        nextCursor: string | null;
      };
      paged.push(...page.data.map(({ id }) => parseId('call', id) as string));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(paged).toEqual(
      all
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
  });

  test('what happens is told on, also far ahead of the database’s own clock, and back', async () => {
    const { auth } = t.app.services;
    for (const jump of [70 * day, 0, -40 * day, 0]) {
      ahead = base + jump;
      const { key } = await auth.keys.createKey(acme.uuid, { name: `at ${jump}` }, systemCause('test'));
      await vi.waitFor(async () => {
        const rows = await t.app.db.forPlatform((tx) =>
          tx.query('SELECT 1 FROM audit_events WHERE subject_id = $1 AND type = $2', [key.id, 'auth.key.created']),
        );
        expect([jump, rows.length]).toEqual([jump, 1]);
      }, 10_000);
    }
    // The overview shows what is called now, whatever was called while the clock was ahead.
    const seen = async () => {
      const { body } = await t.call(t.operatorKey, 'GET', '/v1/platform/overview');
      const { byTenant } = body as unknown as { byTenant: { tenantId: string; requests: number }[] };
      return byTenant.find(({ tenantId }) => tenantId === acme.id)?.requests ?? 0;
    };
    expect(await seen()).toBe(0);
    for (const jump of [day, 0]) {
      ahead = base + jump;
      await vi.waitFor(async () => expect([jump, await seen()]).toEqual([jump, 0]), 10_000);
      await ask();
      // A reading that was under way may come too early for it; the clock stands until it was taken in.
      await vi.waitFor(async () => expect([jump, await seen()]).toEqual([jump, 1]), 10_000);
    }
  }, 60_000);
});

describe('errors', () => {
  test('a day’s budget is spent once, whichever way the clock goes', async () => {
    const amount = 200;
    const made = await t.call(t.operatorKey, 'POST', `/v1/platform/tenants/${acme.id}/limits`, {
      scope: 'tenant',
      resource: 'tokens',
      window: 'day',
      amount: String(amount),
    });
    expect(made.status).toBe(201);
    let spent = 0;
    const pay = async () => {
      const call = await ask();
      expect(call.status).toBe(200);
      expect(call.tokens).toBeGreaterThan(0);
      spent += call.tokens;
      return call.tokens;
    };
    const standing = async () => {
      const { data } = (await t.call(acme.key, 'GET', '/v1/limits')).body as unknown as {
        data: { used: string; remaining: string; resetsAt: string }[];
      };
      const [limit] = data;
      expect(Number(limit?.used) + Number(limit?.remaining)).toBe(amount);
      return { used: Number(limit?.used), resetsAt: limit?.resetsAt };
    };
    const today = `${new Date(noon.getTime() + day / 2).toISOString().slice(0, 10)}T00:00:00Z`;
    await pay();
    expect(await standing()).toEqual({ used: spent, resetsAt: today });
    ahead = base - hour;
    await pay();
    expect(await standing()).toEqual({ used: spent, resetsAt: today });
    ahead = base;
    let last = { status: 200, tokens: 0 };
    for (let i = 0; i < 100 && last.status === 200; i++) {
      last = await ask();
      spent += last.tokens;
    }
    expect(last.status).toBe(402);
    const full = await standing();
    expect(full).toEqual({ used: spent, resetsAt: today });
    expect(spent).toBeLessThanOrEqual(amount);

    ahead = base + day;
    const tomorrow = await pay();
    expect((await standing()).used).toBe(tomorrow);
    // Back: tomorrow's lease is held, and today's budget is spent all the same.
    for (const jump of [0, -hour]) {
      ahead = base + jump;
      expect((await ask()).status).toBe(402);
      expect(await standing()).toEqual(full);
    }
    ahead = base + day;
    expect((await standing()).used).toBe(tomorrow);
    const rows = await t.app.db.forPlatform((tx) =>
      tx.query<{ used: number }>(
        'SELECT sum(used)::int AS used FROM leases WHERE tenant_id = $1 GROUP BY window_start',
        [acme.uuid],
      ),
    );
    expect(rows.every(({ used }) => used >= 0 && used <= amount)).toBe(true);
    expect(rows.reduce((sum, { used }) => sum + used, 0)).toBe(spent);
  });
});

describe('security', () => {
  test('keys and sessions end by the clock, and nothing that waits waits longer than it would', async () => {
    const { auth } = t.app.services;
    const cause = systemCause('test');
    const expiresAt = new Date(Date.now() + hour / 2).toISOString();
    const { secret } = await auth.keys.createKey(acme.uuid, { name: 'half an hour', role: 'owner', expiresAt }, cause);
    const email = 'ada@acme.example';
    const user = await auth.members.createUser(acme.uuid, { email, name: 'Ada', roles: ['viewer'] }, cause);
    const { token } = await auth.signIn.issueLoginLink(acme.uuid, user.id, 5, cause);
    const signedIn = await fetch(`${t.url}/v1/auth/link`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    const cookie = String(signedIn.headers.get('set-cookie')).split(';')[0] as string;
    const seen = async () => [
      (await t.call(secret, 'GET', '/v1/tenant')).status,
      (await t.call(undefined, 'GET', '/v1/auth/session', undefined, { cookie })).status,
    ];
    for (const [jump, wanted] of [
      [0, 200],
      [-hour, 200],
      [day + hour, 401],
      [0, 200],
    ] as const) {
      ahead = base + jump;
      expect([jump, await seen()]).toEqual([jump, [wanted, wanted]]);
    }
    // Guesses while the clock was a day ahead don't lock the account for that day.
    const guess = () => t.call(undefined, 'POST', '/v1/auth/login', { email, password: 'guess guess guess' });
    ahead = base + day;
    let status = 401;
    for (let i = 0; i < 12 && status === 401; i++) status = (await guess()).status;
    expect(status).toBe(429);
    ahead = base;
    expect((await guess()).status).toBe(401);
  }, 60_000);
});
