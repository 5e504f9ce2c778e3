import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { systemCause } from '#kernel/cause';
import { TestClock } from '#kernel/clock';
import { platformTenantId } from '#tenancy';
import { type TestDatabase, testDatabase } from '#test/database';
import { call, cookieOf, type IdentityNode, identityNode } from '#test/identity';

import { inProcessHasher, type PasswordHasher } from './password-hasher.ts';

let t: TestDatabase;
let node: IdentityNode;
const clock = new TestClock('2026-11-22T12:00:00Z', process.env['NODE_ENV']);
const cause = systemCause('test');
const password = 'correct horse battery';
const issued: string[] = [password];
const real = inProcessHasher();
let hashes = 0;
const counting: PasswordHasher = {
  hash: (text) => real.hash(text),
  verify: (stored, text) => {
    hashes++;
    return real.verify(stored, text);
  },
};
let people = 0;

beforeAll(async () => {
  t = await testDatabase();
  node = await identityNode(t, { clock, hasher: counting });
  await node.auth.signIn.warm();
});
afterAll(async () => {
  await node.close();
  await t.close();
});
beforeEach(() => {
  hashes = 0;
});

async function tenant(name = 'Acme') {
  return (await node.tenancy.manager.createTenant({ name }, cause)).id;
}
async function person(tenantId: string, roles = ['admin'], email = `p${++people}@acme.example`) {
  const passwordHash = await real.hash(password);
  return node.auth.members.createUser(tenantId, { email, name: `Person ${people}`, roles, passwordHash }, cause);
}
const login = (body: object, headers: Record<string, string> = {}) =>
  call(node.app, 'POST', '/v1/auth/login', {}, body, headers);
const who = (cookie: string) => call(node.app, 'GET', '/v1/auth/session', { cookie });
async function signIn(email: string) {
  const cookie = cookieOf(await login({ email, password }));
  issued.push(cookie.split('=')[1] ?? '');
  return cookie;
}

describe('happy', () => {
  test('e-mail and password give a session that knows person, tenant and rights; logging out ends it', async () => {
    const tenantId = await tenant();
    const user = await person(tenantId, ['developer']);
    const answer = await login({ email: user.email.toUpperCase(), password }, { origin: 'http://localhost:8080' });
    expect(answer.json()).toEqual({ signedIn: true });
    const header = String(answer.headers['set-cookie']);
    expect(header).toMatch(/^lintel=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=86400$/);
    const cookie = cookieOf(answer);
    const session = (await who(cookie)).json();
    expect(session).toMatchObject({
      principal: { kind: 'user', name: user.name },
      tenant: { name: 'Acme' },
      roles: ['developer'],
      passwordSet: true,
    });
    expect(session.permissions).toContain('agents:create');
    expect(session.permissions).not.toContain('members:invite');
    const out = await call(node.app, 'POST', '/v1/auth/logout', { cookie });
    expect([out.statusCode, String(out.headers['set-cookie'])]).toEqual([204, expect.stringContaining('Max-Age=0')]);
    expect((await who(cookie)).statusCode).toBe(401);
  });

  test('a one-time link signs in once; of eight at once one succeeds', async () => {
    const user = await person(await tenant());
    const { token } = await node.auth.signIn.issueLoginLink(user.tenantId, user.id, 15, cause);
    issued.push(token);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => call(node.app, 'POST', '/v1/auth/link', {}, { token })),
    );
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([200, ...Array(7).fill(401)]);
    const cookie = cookieOf(answers.find((answer) => answer.statusCode === 200) as never);
    expect((await who(cookie)).json().principal.name).toBe(user.name);
  });

  test('who has accounts in two tenants chooses one, after the password matched', async () => {
    const [a, b] = [await tenant('Twin A'), await tenant('Twin B')];
    const email = 'twin@acme.example';
    await person(a, ['admin'], email);
    await person(b, ['viewer'], email);
    const wrong = await login({ email, password: 'not the right one at all' });
    expect([wrong.statusCode, wrong.body.includes('twin')]).toEqual([401, false]);
    const choice = await login({ email, password });
    expect(choice.json()).toEqual({
      signedIn: false,
      tenants: [
        { slug: 'twin-a', name: 'Twin A' },
        { slug: 'twin-b', name: 'Twin B' },
      ],
    });
    expect(choice.headers['set-cookie']).toBeUndefined();
    const cookie = cookieOf(await login({ email, password, tenant: 'twin-b' }));
    expect((await who(cookie)).json()).toMatchObject({ tenant: { slug: 'twin-b' }, roles: ['viewer'] });
  });

  test('a new password ends every other session and gives a new one', async () => {
    const user = await person(await tenant());
    const [first, second] = [await signIn(user.email), await signIn(user.email)];
    expect(first).not.toBe(second);
    const newPassword = 'a different long sentence';
    issued.push(newPassword);
    const wrong = await call(
      node.app,
      'POST',
      '/v1/auth/password',
      { cookie: first },
      { currentPassword: 'no', newPassword },
    );
    expect(wrong.statusCode).toBe(401);
    // An Idempotency-Key would undo the count of a wrong guess together with its transaction.
    const headers = { 'idempotency-key': 'guess' };
    const kept = await call(
      node.app,
      'POST',
      '/v1/auth/password',
      { cookie: first },
      { currentPassword: 'no', newPassword },
      headers,
    );
    expect(kept.statusCode).toBe(400);
    const changed = await call(
      node.app,
      'POST',
      '/v1/auth/password',
      { cookie: first },
      { currentPassword: password, newPassword },
    );
    expect(changed.statusCode).toBe(200);
    expect([(await who(first)).statusCode, (await who(second)).statusCode]).toEqual([401, 401]);
    expect((await who(cookieOf(changed))).statusCode).toBe(200);
    expect((await login({ email: user.email, password })).statusCode).toBe(401);
    expect((await login({ email: user.email, password: newPassword })).statusCode).toBe(200);
  });

  test('a forgotten password is set anew by whoever came by a fresh link', async () => {
    const user = await person(await tenant());
    const link = async () => {
      const { token } = await node.auth.signIn.issueLoginLink(user.tenantId, user.id, 15, cause);
      return cookieOf(await call(node.app, 'POST', '/v1/auth/link', {}, { token }));
    };
    const change = async (cookie: string) =>
      (await call(node.app, 'POST', '/v1/auth/password', { cookie }, { newPassword: 'brand new sentence here' }))
        .statusCode;
    const late = await link();
    clock.advance({ minutes: 20 });
    expect(await change(late)).toBe(401);
    expect(await change(await link())).toBe(200);
  });

  test('sessions are listed and ended one by one', async () => {
    const user = await person(await tenant());
    const [first, second] = [await signIn(user.email), await signIn(user.email)];
    const list = (await call(node.app, 'GET', '/v1/auth/sessions', { cookie: second })).json().data;
    expect(list.map((each: { current: boolean }) => each.current)).toEqual([true, false]);
    const ended = await call(node.app, 'DELETE', `/v1/auth/sessions/${list[1].id}`, { cookie: second });
    expect([ended.statusCode, (await who(first)).statusCode, (await who(second)).statusCode]).toEqual([204, 401, 200]);
  });

  test('the first start makes one operator with a link and a key, later ones none', async () => {
    const made = await Promise.all([
      node.auth.firstOperator('operator@lintel.local'),
      node.auth.firstOperator('somebody-else@lintel.local'),
    ]);
    const first = made.find((each) => each !== undefined);
    expect(made.filter((each) => each !== undefined)).toHaveLength(1);
    issued.push(first?.loginToken ?? '', first?.operatorKey ?? '');
    const cookie = cookieOf(await call(node.app, 'POST', '/v1/auth/link', {}, { token: first?.loginToken }));
    expect((await who(cookie)).json()).toMatchObject({
      principal: { kind: 'operator' },
      roles: ['platform_operator'],
      tenant: { slug: 'platform' },
    });
    expect((await call(node.app, 'GET', '/v1/platform/tenants', { cookie })).statusCode).toBe(200);
    expect((await call(node.app, 'GET', '/v1/platform/tenants', { key: first?.operatorKey ?? '' })).statusCode).toBe(
      200,
    );
    expect(await node.auth.firstOperator('another@lintel.local')).toBeUndefined();
  });
});

describe('errors', () => {
  test('sessions end when idle for an hour, and after a day however busy', async () => {
    const user = await person(await tenant());
    const idle = await signIn(user.email);
    clock.advance({ minutes: 59 });
    expect((await who(idle)).statusCode).toBe(200);
    clock.advance({ minutes: 61 });
    expect((await who(idle)).statusCode).toBe(401);
    const busy = await signIn(user.email);
    for (let hour = 0; hour < 47; hour++) {
      clock.advance({ minutes: 30 });
      expect((await who(busy)).statusCode).toBe(200);
    }
    clock.advance({ minutes: 30 });
    expect((await who(busy)).statusCode).toBe(401);
  });

  test('links end: expired, made anew, for a disabled person, of another purpose, made up', async () => {
    const user = await person(await tenant());
    const make = async () => (await node.auth.signIn.issueLoginLink(user.tenantId, user.id, 15, cause)).token;
    const use = async (token: string) => (await call(node.app, 'POST', '/v1/auth/link', {}, { token })).statusCode;
    const [old, newer] = [await make(), await make()];
    expect(await use(old)).toBe(401);
    clock.advance({ minutes: 15 });
    expect(await use(newer)).toBe(401);
    const last = await make();
    const giver = { tenantId: user.tenantId, roles: ['owner'] };
    await node.auth.members.updateMember(user.tenantId, user.id, { status: 'disabled' }, cause, giver);
    expect(await use(last)).toBe(401);
    expect(await use('A'.repeat(43))).toBe(401);
    expect(await use('')).toBe(401);
  });

  test('an API key has no session to end', async () => {
    const { secret } = await node.auth.keys.createKey(await tenant(), { name: 'k' }, cause);
    expect((await call(node.app, 'POST', '/v1/auth/logout', { key: secret })).statusCode).toBe(409);
  });
});

describe('security', () => {
  test('unknown address, wrong password, disabled person, person without password: the same answer after one hash', async () => {
    const tenantId = await tenant();
    const [known, disabled] = [await person(tenantId), await person(tenantId)];
    await node.auth.members.updateMember(tenantId, disabled.id, { status: 'disabled' }, cause, {
      tenantId,
      roles: ['owner'],
    });
    const none = await node.auth.members.createUser(
      tenantId,
      { email: 'link@acme.example', name: 'Link', roles: ['viewer'] },
      cause,
    );
    const answers = [];
    let looks = 0;
    const { forTenant } = t.db;
    t.db.forTenant = (...door) => {
      looks++;
      return forTenant.apply(t.db, door) as never;
    };
    for (const [email, word] of [
      ['nobody@acme.example', password],
      [known.email, 'wrong horse battery'],
      [disabled.email, password],
      [none.email, password],
    ] as const) {
      hashes = 0;
      looks = 0;
      const answer = await login({ email, password: word });
      const { requestId: _, ...body } = answer.json();
      answers.push({ status: answer.statusCode, body, hashes, looks });
    }
    t.db.forTenant = forTenant;
    expect(new Set(answers.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, hashes: 1, looks: 1 });
  });

  test('the first sign-in of a process does as much for an unknown address as for a wrong password', async () => {
    const known = await person(await tenant());
    for (const email of ['nobody@acme.example', known.email]) {
      const done: string[] = [];
      const hasher: PasswordHasher = {
        hash: () => {
          done.push('hash');
          return Promise.resolve('$argon2id$of-nobody');
        },
        verify: () => {
          done.push('verify');
          return Promise.resolve(false);
        },
      };
      const cold = await identityNode(t, { clock, hasher });
      const answer = await call(cold.app, 'POST', '/v1/auth/login', {}, { email, password: 'wrong horse battery' });
      expect([email, answer.statusCode, done]).toEqual([email, 401, ['hash', 'verify']]);
      await cold.close();
    }
  });

  test('guessing is slowed down per account and address, also when all guesses come at once; success forgets', async () => {
    const user = await person(await tenant());
    const guess = () => login({ email: user.email, password: 'guess guess guess' });
    const answers = await Promise.all(Array.from({ length: 14 }, guess));
    const codes = answers.map((answer) => answer.statusCode);
    expect(codes.filter((code) => code === 401)).toHaveLength(10);
    const throttled = answers.find((answer) => answer.statusCode === 429);
    expect(Number(throttled?.headers['retry-after'])).toBe(2);
    // Even the right password waits: an answer would tell a guesser that it is right.
    expect((await login({ email: user.email, password })).statusCode).toBe(429);
    clock.advance({ seconds: 2 });
    expect((await guess()).statusCode).toBe(401);
    expect(Number((await guess()).headers['retry-after'])).toBe(4);
    // From elsewhere the account is open.
    const elsewhere = await node.app.inject({
      method: 'POST',
      url: '/v1/auth/login',
      remoteAddress: '198.51.100.9',
      headers: { host: 'localhost:8080' },
      payload: { email: user.email, password },
    });
    expect(elsewhere.statusCode).toBe(200);
    clock.advance({ seconds: 4 });
    expect((await login({ email: user.email, password })).statusCode).toBe(200);
    for (let i = 0; i < 9; i++) expect((await guess()).statusCode).toBe(401);
  });

  test('who hammers on from one address, though told to wait, shuts nobody out elsewhere', async () => {
    const user = await person(await tenant());
    const from = (remoteAddress: string, word: string) =>
      node.app.inject({
        method: 'POST',
        url: '/v1/auth/login',
        remoteAddress,
        headers: { host: 'localhost:8080' },
        payload: { email: user.email, password: word },
      });
    const codes: number[] = [];
    for (let i = 0; i < 120; i++) codes.push((await from('198.51.100.20', 'guess guess guess')).statusCode);
    expect(codes.filter((code) => code === 401)).toHaveLength(10);
    expect((await from('198.51.100.21', password)).statusCode).toBe(200);
  });

  test('at an address with many failures a good sign-in makes the next person wait for nothing', async () => {
    const acme = await tenant();
    const [first, second] = [await person(acme), await person(acme)];
    const at = (email: string, word: string) =>
      node.app.inject({
        method: 'POST',
        url: '/v1/auth/login',
        remoteAddress: '198.51.100.30',
        headers: { host: 'localhost:8080' },
        payload: { email, password: word },
      });
    for (let i = 0; i < 100; i++) expect((await at(`p${i}@nowhere.example`, 'mistyped')).statusCode).toBe(401);
    expect((await at(first.email, password)).statusCode).toBe(429);
    clock.advance({ minutes: 15 });
    for (const { email } of [first, second]) expect((await at(email, password)).statusCode).toBe(200);
    expect((await at(first.email, 'mistyped')).statusCode).toBe(401);
    expect((await at(second.email, password)).statusCode).toBe(429);
    // A day after the first of them they are forgotten, though somebody has signed in there all the time.
    clock.advance({ hours: 12 });
    expect((await at(second.email, password)).statusCode).toBe(200);
    clock.advance({ hours: 12 });
    for (const { email } of [first, second]) {
      expect((await at(email, 'mistyped')).statusCode).toBe(401);
      expect((await at(email, password)).statusCode).toBe(200);
    }
  });

  test('an account of the same address elsewhere, made by a guesser, forgives the guesses at nobody else’s', async () => {
    const victim = await person(await tenant('Victim'));
    const evil = await tenant('Evil');
    const own = 'the guesser knows this';
    const passwordHash = await real.hash(own);
    await node.auth.members.createUser(
      evil,
      { email: victim.email, name: 'Eve', roles: ['owner'], passwordHash },
      cause,
    );
    const slug = (await node.tenancy.manager.getTenantInfo(evil)).slug;
    const codes: number[] = [];
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 4; i++)
        codes.push((await login({ email: victim.email, password: 'guess guess guess' })).statusCode);
      const tried = round % 2 === 0 ? { tenant: slug } : {};
      codes.push((await login({ email: victim.email, password: own, ...tried })).statusCode);
    }
    expect(codes).toContain(429);
  });

  test('over plain http only this machine may sign in; https has a __Host- cookie', async () => {
    const user = await person(await tenant());
    const plain = await login({ email: user.email, password }, { host: 'lintel.example' });
    expect([plain.statusCode, plain.json().type]).toEqual([403, 'https://lintel.dev/problems/tls-needed']);
    expect(plain.json().detail).toContain('--trusted-proxy');
    const cookie = await signIn(user.email);
    const elsewhere = await node.app.inject({ url: '/v1/auth/session', headers: { host: 'lintel.example', cookie } });
    expect(elsewhere.json().type).toContain('tls-needed');
    for (const host of ['127.0.0.1:8080', '[::1]:8080', 'localhost'])
      expect((await node.app.inject({ url: '/v1/auth/session', headers: { host, cookie } })).statusCode).toBe(200);
  });

  test('a write with a cookie must come from the same origin', async () => {
    const cookie = await signIn((await person(await tenant())).email);
    const write = (headers: Record<string, string>) =>
      node.app.inject({
        method: 'POST',
        url: '/v1/api-keys',
        headers: { host: 'localhost:8080', cookie, ...headers },
        payload: { name: 'x' },
      });
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'http://localhost:9090' },
      { origin: 'null' },
      { origin: 'https://localhost:8080' },
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ] as Record<string, string>[]) {
      const answer = await write(headers);
      expect([headers, answer.statusCode, answer.json().type]).toEqual([
        headers,
        403,
        'https://lintel.dev/problems/wrong-origin',
      ]);
    }
    expect((await write({ origin: 'http://localhost:8080' })).statusCode).toBe(201);
    expect((await write({ 'sec-fetch-site': 'same-origin' })).statusCode).toBe(201);
    const crossLogin = await login({ email: 'x@acme.example', password }, { origin: 'https://evil.example' });
    expect(crossLogin.statusCode).toBe(403);
  });

  test('a cookie that is made up, or of another purpose, is none', async () => {
    for (const value of ['A'.repeat(43), 'x', '', issued[1] ?? ''])
      expect((await who(`lintel=${value}`)).statusCode).toBe(401);
  });

  test('no secret that was issued is in the database', async () => {
    const tenantId = await tenant();
    const made = await node.auth.keys.createKey(tenantId, { name: 'dump' }, cause);
    const { token } = await node.auth.invitations.invite(
      tenantId,
      { email: 'dump@acme.example', roles: ['viewer'] },
      cause,
    );
    const operator = await node.auth.firstOperator('x@y.example');
    expect(operator).toBeUndefined();
    await node.audit.flush();
    const client = new pg.Client({ connectionString: t.adminUrl });
    await client.connect();
    try {
      const { rows: names } = await client.query(
        `SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
      );
      let dump = '';
      for (const { schemaname, tablename } of names)
        dump += JSON.stringify((await client.query(`SELECT * FROM "${schemaname}"."${tablename}"`)).rows);
      // The dump holds what it should hold, so that finding nothing means something.
      for (const there of ['dump@acme.example', made.key.shown, platformTenantId, '$argon2id$'])
        expect(dump).toContain(there);
      const secrets = [...issued, made.secret, token].filter((secret) => secret !== '');
      expect(secrets.length).toBeGreaterThan(10);
      for (const secret of secrets) expect(dump.includes(secret)).toBe(false);
    } finally {
      await client.end();
    }
  });
});
