import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { formatId, newId } from '#kernel/ids';
import { type AgentHouse, agentHouse, deliver, principalOf, testCause } from '#test/agent-house';
import { type TestDatabase, testDatabase } from '#test/database';
import { type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';
import type { ExternalDefinition } from './definitions.ts';
import { eventsOfRun, RunBell } from './run-stream.ts';

let t: TestDatabase;
let h: AgentHouse;
let openai: OpenAiDouble;
let plain: Server;
let url: string;
let answer: (response: ServerResponse) => void;
const seen: { body: unknown; headers: Record<string, unknown> }[] = [];

beforeAll(async () => {
  t = await testDatabase();
  h = agentHouse(t.db);
  openai = await startOpenAiDouble();
  plain = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    seen.push({ body: text === '' ? null : JSON.parse(text), headers: request.headers });
    answer(response);
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/ask`;
});
beforeEach(() => {
  seen.length = 0;
  answer = (response) => response.end(JSON.stringify({ result: { said: 'fine', n: { in: 12, out: 3 } } }));
});
afterAll(async () => {
  plain.closeAllConnections();
  plain.close();
  await openai.close();
  await h.close();
  await t.close();
});

async function agentOf(definition: Omit<ExternalDefinition, 'kind'>, headers?: Record<string, string>) {
  const tenantId = newId();
  const agent = await h.module.agents.createAgent(
    tenantId,
    { name: 'far', definition: { kind: 'external', ...definition }, ...(headers === undefined ? {} : { headers }) },
    testCause,
  );
  const ask = (text: string, more: object = {}) =>
    h.module.runs.runInForeground({
      principal: principalOf(tenantId),
      agent: { agentId: agent.id, name: 'far', version: 1 },
      messages: [{ role: 'user', content: text }],
      callId: null,
      demo: false,
      ...more,
    });
  return { tenantId, agent, ask };
}

const mapped = () => ({
  protocol: 'http' as const,
  url,
  request: { fixed: { bot: 7 }, text: '/q/text', messages: '/q/all' },
  response: { text: '/result/said', inputTokens: '/result/n/in', outputTokens: '/result/n/out' },
});

test('an agent behind OpenAI’s protocol: plain, streamed, with its key, metered', async () => {
  const { ask, tenantId } = await agentOf(
    { protocol: 'openai', url: openai.url, model: 'double' },
    { authorization: 'Bearer sk-double' },
  );
  const plainly = await ask('say:hello there');
  expect(plainly.run).toMatchObject({ status: 'finished', output: { text: 'hello there', finishReason: 'stop' } });
  const deltas: string[] = [];
  const streamed = await ask('say:one two three four five six', {
    listener: { onText: (delta: string) => deltas.push(delta) },
  });
  expect(streamed.run.output?.text).toBe('one two three four five six');
  expect(deltas.length).toBeGreaterThan(1);
  expect(openai.requests.at(-1)?.headers['idempotency-key']).toMatch(/^run_[0-9a-z]{26}:0$/);
  await deliver(t.db, h, tenantId);
  const rows = [...h.usage.values()].filter((row) => row.tenantId === tenantId);
  expect(rows.map((row) => row.type)).toEqual(['agent.external', 'agent.run', 'agent.external', 'agent.run']);
  const { prompt_tokens: input, completion_tokens: output } = openai.requests.at(-1)?.usage ?? {};
  expect(rows[2]?.quantities).toEqual({ requests: 1, input_tokens: input, output_tokens: output });
});

test('any JSON over HTTP by mapping', async () => {
  const { ask } = await agentOf(mapped(), { 'x-key': 'k' });
  const { run } = await ask('how are you?');
  expect(run).toMatchObject({ status: 'finished', tokens: 15, output: { text: 'fine' } });
  expect(seen[0]?.body).toEqual({
    bot: 7,
    q: { text: 'how are you?', all: [{ role: 'user', content: 'how are you?' }] },
  });
  expect(seen[0]?.headers).toMatchObject({ 'x-key': 'k' });
});

test('what it says it used counts only as whole numbers; what it does not say is estimated from bytes', async () => {
  answer = (response) => response.end(JSON.stringify({ result: { said: 'eight by', n: { in: -5, out: '7' } } }));
  const { ask, tenantId } = await agentOf(mapped());
  const { run } = await ask('hi');
  expect(run).toMatchObject({ status: 'finished' });
  await deliver(t.db, h, tenantId);
  const [usage] = [...h.usage.values()].filter((row) => row.tenantId === tenantId);
  const bytes = Buffer.byteLength(JSON.stringify(run.input));
  expect(usage).toMatchObject({
    estimated: true,
    quantities: { input_tokens: Math.ceil(bytes / 4), output_tokens: 2 },
  });
  expect(run.tokens).toBe(Math.ceil(bytes / 4) + 2);
});

test('an upper bound of what it may use is set aside before it is asked, and shown', async () => {
  const { ask, tenantId } = await agentOf({ ...mapped(), guardrails: { maxOutputTokens: 300 } });
  h.quota.reserved.length = 0;
  const { run, steps } = await ask('how are you?');
  const bound = Buffer.byteLength(JSON.stringify(run.input)) + 16 + 300;
  expect(h.quota.reserved).toEqual([BigInt(bound)]);
  expect(steps[0]?.reserved).toMatchObject({ tokens: bound });
  expect(h.quota.settled.at(-1)).toBe(15n);
  expect(h.quota.open).toBe(0);
  const tight = await agentOf({ ...mapped(), guardrails: { maxTokens: 10 } });
  seen.length = 0;
  expect((await tight.ask('a text that is longer than what is left')).run.error).toMatchObject({
    extra: { guardrail: 'maxTokens' },
  });
  expect(seen).toEqual([]);
  expect(tenantId).not.toBe(tight.tenantId);
});

test('a cap that its owner sets is sent along to an agent behind OpenAI’s protocol', async () => {
  const external = { protocol: 'openai' as const, url: openai.url, model: 'double' };
  const headers = { authorization: 'Bearer sk-double' };
  const capped = await agentOf({ ...external, guardrails: { maxOutputTokens: 7 } }, headers);
  await capped.ask('say:hello');
  expect(openai.requests.at(-1)?.body.max_tokens).toBe(7);
  await (await agentOf(external, headers)).ask('say:hello');
  expect(openai.requests.at(-1)?.body).not.toHaveProperty('max_tokens');
});

test.each([
  ['an error', (response: ServerResponse) => response.writeHead(500).end('boom'), /answered 500: boom/],
  ['no JSON', (response: ServerResponse) => response.end('<html>'), /not JSON/],
  ['nothing where the answer should be', (response: ServerResponse) => response.end('{}'), /nothing at \/result\/said/],
  [
    'a redirect',
    (response: ServerResponse) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    /answered 302/,
  ],
])('%s fails the run', async (_name, answers, why) => {
  answer = (response) => void answers(response);
  const { ask } = await agentOf(mapped());
  const { run, problem } = await ask('hi');
  expect(run).toMatchObject({ status: 'failed', error: { code: 'run-failed', detail: expect.stringMatching(why) } });
  expect(problem?.kind.status).toBe(502);
  expect(seen).toHaveLength(1);
});

test('an answer that is lost puts the run before a person, who may give it', async () => {
  answer = (response) => response.destroy();
  const { ask, tenantId } = await agentOf(mapped());
  const { run } = await ask('hi');
  expect(run.status).toBe('needs_review');
  expect(seen).toHaveLength(1);
  await h.module.runs.reviewRun(tenantId, run.id, { decision: 'result', result: 'it said yes' }, testCause);
  for (const each of await h.module.engine.claim(5)) await h.module.engine.drive(each);
  expect((await h.module.runs.getRun(tenantId, run.id)).output?.text).toBe('it said yes');
  expect(seen).toHaveLength(1);
});

test.each([
  ['streamed', true],
  ['in one piece', false],
])('a client that goes in the middle of an answer pays for what there was: %s', async (_form, streamed) => {
  const headers = { authorization: 'Bearer sk-double' };
  const model = streamed ? 'double-hang-4' : 'double-hang';
  const { ask, tenantId } = await agentOf({ protocol: 'openai', url: openai.url, model }, headers);
  const client = new AbortController();
  const before = openai.count();
  let heard = '';
  const onText = (delta: string) => {
    heard += delta;
  };
  h.quota.settled.length = 0;
  const driven = ask('say:one two three four five six', {
    signal: client.signal,
    ...(streamed ? { listener: { onText } } : {}),
  });
  await expect.poll(() => openai.count() > before && (!streamed || heard.length > 3)).toBe(true);
  client.abort();
  const { run } = await driven;
  await deliver(t.db, h, tenantId);
  const input = Math.ceil(Buffer.byteLength(JSON.stringify(run.input)) / 4);
  const output = Math.ceil(heard.length / 4);
  expect(run).toMatchObject({ status: 'cancelled', tokens: input + output });
  expect([...h.usage.values()].filter((row) => row.tenantId === tenantId)).toMatchObject([
    {
      type: 'agent.external',
      estimated: true,
      quantities: { requests: 1, input_tokens: input, output_tokens: output },
    },
  ]);
  expect([h.quota.settled, h.quota.open]).toEqual([[BigInt(input + output)], 0]);
});

test('what an owner’s headers set stands, in whatever case it is written; what a model says does not change it', async () => {
  const { ask } = await agentOf(mapped(), { 'Content-Type': 'text/plain', 'Idempotency-Key': 'mine' });
  await ask('hi');
  expect(seen[0]?.headers).toMatchObject({
    'content-type': 'application/json',
    'idempotency-key': expect.stringMatching(/^run_/),
  });
  const tenantId = newId();
  const parameters = ['x-account', 'x-page'].map((name) => ({ name, in: 'header', schema: { type: 'string' } }));
  const document = {
    openapi: '3.1.0',
    servers: [{ url }],
    paths: { '/': { get: { operationId: 'get', parameters } } },
  };
  const tool = await h.module.tools.createTool(
    tenantId,
    { name: 's', config: { kind: 'openapi', document }, secrets: { 'X-Account': 'acme' } },
    testCause,
  );
  const definition = {
    kind: 'native' as const,
    instructions: '',
    model: 'double/m',
    tools: [{ tool: formatId('tool', tool.id) }],
  };
  const agent = await h.module.agents.createAgent(tenantId, { name: 'near', definition }, testCause);
  seen.length = 0;
  const { run } = await h.module.runs.runInForeground({
    principal: principalOf(tenantId),
    agent: { agentId: agent.id, name: 'near', version: 1 },
    messages: [{ role: 'user', content: 'call:s_get {"x-account":"other","x-page":"2"}' }],
    callId: null,
    demo: false,
  });
  expect(run.status).toBe('finished');
  expect(seen[0]?.headers).toMatchObject({ 'x-account': 'acme', 'x-page': '2' });
});

test('an address inside the network is refused when the agent is made', async () => {
  await expect(agentOf({ ...mapped(), url: 'http://10.0.0.1/' })).rejects.toThrow(/not on the public internet/);
});

test('a reader of a run’s events gets every step once, in order, also when it comes back', async () => {
  const tenantId = newId();
  const agent = await h.module.agents.createAgent(
    tenantId,
    {
      name: 'near',
      definition: {
        kind: 'native',
        instructions: '',
        model: 'double/m',
        tools: [{ tool: 'clock' }, { tool: 'lintel' }],
      },
    },
    testCause,
  );
  const { run } = await h.module.runs.runInForeground({
    principal: principalOf(tenantId),
    agent: { agentId: agent.id, name: 'near', version: 1 },
    messages: [{ role: 'user', content: 'call:clock then call:lintel_write {"method":"POST","path":"/v1/x"}' }],
    callId: null,
    demo: false,
  });
  const read = {
    run: () => h.module.runs.getRun(tenantId, run.id),
    steps: (from: number) => h.module.runs.getSteps(tenantId, run.id, from),
    bell: new RunBell(),
    mayStay: () => true,
  };
  const first = new AbortController();
  const ids: unknown[] = [];
  for await (const event of eventsOfRun(read, run.id, -1, first.signal)) {
    ids.push(event.event === 'step' ? (event.id ?? `open ${event.data.seq}`) : event.data.status);
    if (event.event === 'run') first.abort();
  }
  expect(ids).toEqual([0, 1, 2, 'open 3', 'waiting']);
  const [approval] = await h.module.approvals.pendingApprovals(tenantId, run.id);
  await h.module.approvals.decideApproval(
    tenantId,
    approval?.id as string,
    { approved: true, note: undefined },
    testCause,
  );
  const rest: unknown[] = [];
  const reader = (async () => {
    for await (const event of eventsOfRun(read, run.id, 1, new AbortController().signal)) {
      rest.push(event.event === 'step' ? (event.id ?? `open ${event.data.seq}`) : event.data.status);
    }
  })();
  for (const each of await h.module.engine.claim(5)) await h.module.engine.drive(each);
  await reader;
  expect(rest.filter((each) => typeof each === 'number')).toEqual([2, 3, 4, 5]);
  expect(rest.at(-1)).toBe('finished');
});

test('a reader whose right is gone is let go within a second', async () => {
  const tenantId = newId();
  let may = true;
  const read = {
    run: async () => ({ status: 'running' }) as never,
    steps: async () => [],
    bell: new RunBell(),
    mayStay: () => may,
  };
  const started = performance.now();
  setTimeout(() => {
    may = false;
  }, 50);
  for await (const _ of eventsOfRun(read, tenantId, -1, new AbortController().signal));
  expect(performance.now() - started).toBeGreaterThan(40);
});
