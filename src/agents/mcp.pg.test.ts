import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { formatId, newId } from '#kernel/ids';
import { type AgentHouse, agentHouse, principalOf, testCause } from '#test/agent-house';
import { type TestDatabase, testDatabase } from '#test/database';
import { McpStdioTransport } from './mcp-stdio.ts';

const bin = new URL('../../node_modules/.bin/', import.meta.url).pathname;
const everything = join(bin, 'mcp-server-everything');
const path = `${dirname(process.execPath)}:${bin}:/usr/bin:/bin`;

let t: TestDatabase;
let h: AgentHouse;
let folder: string;
let server: ChildProcess;
let url: string;
let port: number;

beforeAll(async () => {
  t = await testDatabase();
  folder = await mkdtemp(join(tmpdir(), 'mcp-'));
  const odd = join(folder, 'odd.mjs');
  await writeFile(odd, oddServer);
  h = agentHouse(t.db, {
    path,
    commands: new Map([
      ['everything', { command: [everything, 'stdio'], variables: [] }],
      ['odd', { command: [process.execPath, odd, folder], variables: ['ODD_KEY', 'TOKEN'] }],
      ['missing', { command: ['/nowhere/at-all'], variables: [] }],
    ]),
  });
  port = await freePort();
  url = `http://127.0.0.1:${port}/mcp`;
  await startServer();
});
afterAll(async () => {
  server.kill('SIGKILL');
  await h.close();
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

async function startServer(): Promise<void> {
  server = spawn(process.execPath, [everything, 'streamableHttp'], {
    env: { PATH: path, PORT: String(port) },
    stdio: 'ignore',
  });
  for (let tries = 0; ; tries++) {
    const up = await fetch(url).then(
      () => true,
      () => false,
    );
    if (up) return;
    if (tries > 200) throw new Error('the MCP server did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

// Counts calls in a file; announces hints; can die, flood, and show its environment.
const oddServer = `
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
console.log('a greeting that is no JSON');
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') say({ id, result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'odd', version: '1' } } });
  if (method === 'tools/list') say({ id, result: { tools: [
    { name: 'hinted', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
    { name: 'die', inputSchema: { type: 'object' } }, { name: 'flood', inputSchema: { type: 'object' } }, { name: 'env', inputSchema: { type: 'object' } },
  ] } });
  if (method !== 'tools/call') return;
  appendFileSync(process.argv[2] + '/calls', params.name + ' ' + params._meta['dev.lintel/idempotency-key'] + '\\n');
  if (params.name === 'hinted' || params.name === 'die') process.exit(1);
  if (params.name === 'flood') process.stdout.write('x'.repeat(20_000_000));
  if (params.name === 'env') say({ id, result: { content: [{ type: 'text', text: JSON.stringify(process.env) }] } });
});
`;

async function agentWith(
  config: Parameters<AgentHouse['module']['tools']['createTool']>[1]['config'],
  secrets?: Record<string, string>,
) {
  const tenantId = newId();
  const tool = await h.module.tools.createTool(
    tenantId,
    { name: 'mcp', config, ...(secrets === undefined ? {} : { secrets }) },
    testCause,
  );
  const agent = await h.module.agents.createAgent(
    tenantId,
    {
      name: 'a',
      definition: { kind: 'native', instructions: '', model: 'double/m', tools: [{ tool: formatId('tool', tool.id) }] },
    },
    testCause,
  );
  const principal = principalOf(tenantId);
  const ask = (text: string) =>
    h.module.runs.runInForeground({
      principal,
      agent: { agentId: agent.id, name: 'a', version: 1 },
      messages: [{ role: 'user', content: text }],
      callId: null,
      demo: false,
    });
  return { tenantId, tool, ask };
}

test.each(['http', 'stdio'] as const)(
  'the real server-everything over %s: its tools are listed and called',
  async (transport) => {
    const { tool, ask } = await agentWith(
      transport === 'http' ? { kind: 'mcp_http', url } : { kind: 'mcp_stdio', command: 'everything' },
    );
    expect(tool.functions.map((each) => each.name)).toEqual(
      expect.arrayContaining(['echo', 'get-sum', 'get-structured-content']),
    );
    const { run } = await ask(
      'call:mcp_echo {"message":"grüß dich 你好"}&call:mcp_get-sum {"a":2,"b":40} then call:mcp_get-tiny-image',
    );
    expect(run.status).toBe('finished');
    expect(run.output?.text).toContain('grüß dich 你好');
    expect(run.output?.text).toContain('42');
    expect(run.output?.text).toContain('[image image/png]');
  },
);

test('a server that was started anew has forgotten the session: the call is made in a new one', async () => {
  const { ask } = await agentWith({ kind: 'mcp_http', url });
  expect((await ask('call:mcp_echo {"message":"one"}')).run.output?.text).toContain('one');
  server.kill('SIGKILL');
  await once(server, 'exit');
  await startServer();
  expect((await ask('call:mcp_echo {"message":"two"}')).run.output?.text).toBe('Done: Echo: two');
});

test('hints count only for servers that the operator trusts', async () => {
  const calls = join(folder, 'calls');
  await rm(calls, { force: true });
  const { tenantId, tool, ask } = await agentWith({ kind: 'mcp_stdio', command: 'odd' });
  const first = await ask('call:mcp_hinted');
  expect(first.run.status).toBe('needs_review');
  expect((await readFile(calls, 'utf8')).trim().split('\n')).toHaveLength(1);
  await h.module.tools.trustTool(tenantId, tool.id, true, testCause);
  await rm(calls);
  const second = await ask('call:mcp_hinted');
  expect(second.run).toMatchObject({ status: 'finished', output: { text: expect.stringContaining('gave no answer') } });
  const keys = (await readFile(calls, 'utf8')).trim().split('\n');
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  // Another address is another server.
  const moved = await h.module.tools.updateTool(
    tenantId,
    tool.id,
    { config: { kind: 'mcp_stdio', command: 'everything' } },
    testCause,
  );
  expect(moved.trusted).toBe(false);
});

test('a stdio server sees none of this process, and is bounded in what it writes', async () => {
  const { ask } = await agentWith({ kind: 'mcp_stdio', command: 'odd' }, { TOKEN: 's3cret' });
  const { run } = await ask('call:mcp_env');
  const seen = JSON.parse((run.output?.text ?? '').replace('Done: ', '')) as Record<string, string>;
  expect(seen).toMatchObject({ PATH: path, TOKEN: 's3cret' });
  expect(Object.keys(seen).filter((name) => !['PATH', 'TOKEN', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(name))).toEqual(
    [],
  );
  expect((await ask('call:mcp_flood')).run.status).toBe('needs_review');
});

test('a stdio server that takes too much memory or time is killed with its children', async () => {
  const hungry = new McpStdioTransport(
    [process.execPath, '-e', 'const all = []; setInterval(() => all.push(Buffer.alloc(2e7, 1)), 20)'],
    { PATH: path },
    { cpuSeconds: 60, openFiles: 64, memoryBytes: 200_000_000 },
  );
  const call = hungry.request({ jsonrpc: '2.0', id: 1, method: 'x' }, { signal: AbortSignal.timeout(20_000) });
  await expect(call).rejects.toThrow(/took more than 200000000 bytes/);
  const busy = new McpStdioTransport(
    [process.execPath, '-e', 'for (;;);'],
    { PATH: path },
    { cpuSeconds: 1, openFiles: 64, memoryBytes: 1e9 },
  );
  await expect(
    busy.request({ jsonrpc: '2.0', id: 1, method: 'x' }, { signal: AbortSignal.timeout(20_000) }),
  ).rejects.toThrow(/ended/);
  const parent = new McpStdioTransport(['/bin/sh', '-c', 'sleep 600 & echo $! >&2; wait'], { PATH: path });
  const pid = parent.pid as number;
  await new Promise((resolve) => setTimeout(resolve, 200));
  await parent.close();
  const groupIsThere = () => {
    try {
      process.kill(-pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  for (let tries = 0; groupIsThere() && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(groupIsThere()).toBe(false);
});

test('a session ends although a child that left the group holds its output open', async () => {
  const script =
    'setsid sleep 30 & sleep 0.3; echo "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"result\\":{\\"pid\\":$!}}"; wait';
  const server = new McpStdioTransport(['/bin/sh', '-c', script], { PATH: path });
  const answer = await server.request({ jsonrpc: '2.0', id: 1, method: 'x' }, { signal: AbortSignal.timeout(20_000) });
  const sleeper = Number(answer.result?.['pid']);
  try {
    const closed = server.close().then(() => 'closed');
    expect(await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 5_000))])).toBe('closed');
  } finally {
    process.kill(sleeper, 'SIGKILL');
  }
});

test('a move that failed leaves nothing behind: the next one talks to its own server', async () => {
  const half = http.createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const { id, method } = text === '' ? {} : JSON.parse(text);
      const answer =
        method === 'initialize' ? { result: { protocolVersion: '2025-11-25' } } : { error: { message: 'no' } };
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => half.listen(0, '127.0.0.1', resolve));
  const wrong = `http://127.0.0.1:${(half.address() as { port: number }).port}/mcp`;
  const tenantId = newId();
  const made = await h.module.tools.createTool(tenantId, { name: 'x', config: { kind: 'mcp_http', url } }, testCause);
  const move = (to: string) =>
    h.module.tools.updateTool(tenantId, made.id, { config: { kind: 'mcp_http', url: to } }, testCause);
  await expect(move(wrong)).rejects.toThrow('could not be read: no');
  expect((await move(`${url}?again`)).functions.length).toBeGreaterThan(1);
  half.close();
});

test('a slow refresh does not undo what an operator decided meanwhile', async () => {
  let hold: Promise<void> | undefined;
  const server = http.createServer(async (_request, response) => {
    await hold;
    const document = { openapi: '3.1.0', servers: [{ url: 'https://a.example' }], paths: { '/x': { get: {} } } };
    response.end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const documentUrl = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  const tenantId = newId();
  const { tools } = h.module;
  const { id } = await tools.createTool(tenantId, { name: 'x', config: { kind: 'openapi', documentUrl } }, testCause);
  await tools.trustTool(tenantId, id, true, testCause);
  const { promise, resolve } = Promise.withResolvers<void>();
  hold = promise;
  const asked = once(server, 'request');
  const refreshed = tools.refreshTool(tenantId, id, testCause).catch((error: Error) => error.message);
  await asked;
  await tools.trustTool(tenantId, id, false, testCause);
  resolve();
  expect(await refreshed).toContain('meanwhile');
  expect((await tools.getTool(tenantId, id)).trusted).toBe(false);
  server.close();
});

test('a tenant sets only the variables that the operator names: no other runs its code here', async () => {
  const marker = join(folder, 'marker');
  const code = `import fs from 'node:fs';fs.writeFileSync(${JSON.stringify(marker)},'x')`;
  const secrets = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
  const config = { kind: 'mcp_stdio' as const, command: 'odd' };
  const made = h.module.tools.createTool(newId(), { name: 'x', config, secrets }, testCause);
  await expect(made).rejects.toThrow('not a variable');
  await expect(readFile(marker)).rejects.toThrow('ENOENT');
  const named = await h.module.tools.createTool(newId(), { name: 'x', config, secrets: { ODD_KEY: 'k' } }, testCause);
  expect(named.secret).toMatch(/^enc:/);
});

test('commands that the operator does not name, and servers that do not start, are told clearly', async () => {
  const of = (command: string) =>
    h.module.tools.createTool(newId(), { name: 'x', config: { kind: 'mcp_stdio', command } }, testCause);
  await expect(of('rm')).rejects.toThrow('not a command that the operator');
  await expect(of('missing')).rejects.toThrow(/could not be read: .*(not found|No such file)/s);
  await expect(
    h.module.tools.createTool(
      newId(),
      { name: 'x', config: { kind: 'mcp_http', url: 'http://10.1.2.3/mcp' } },
      testCause,
    ),
  ).rejects.toThrow(/not on the public internet/);
  await expect(
    h.module.tools.createTool(
      newId(),
      { name: 'x', config: { kind: 'mcp_http', url: 'http://127.0.0.1:1/mcp' } },
      testCause,
    ),
  ).rejects.toThrow(/could not be read/);
});
