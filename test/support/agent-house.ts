import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import { type AgentsModule, createAgentsModule } from '#agents';
import { systemCause } from '#kernel/cause';
import { systemClock } from '#kernel/clock';
import type { Database } from '#kernel/database';
import { createEgress } from '#kernel/egress';
import type { Principal } from '#kernel/http';
import { formatId, newId } from '#kernel/ids';
import type { Event } from '#kernel/log';
import { createLogger } from '#kernel/logger';
import { notFound, Problem } from '#kernel/problem';
import { Sealer } from '#kernel/seal';
import { Snapshots } from '#kernel/snapshot';
import type { CallRecord, CallRow, Charge, UsageEvent } from '#metering';
import type { Message, ToolSpec } from '#models';

/** Who changes things in tests. */
export const testCause = systemCause('test');

/** The root secret of tests: the same in every process of a test. */
const rootKey = 'ab'.repeat(32);

type ModelRequest = {
  target: { id: string; fallbacks: readonly { id: string }[] };
  messages: readonly Message[];
  abortSignal?: AbortSignal;
};

/** What the model double is told and can be made to do. */
export type ModelDouble = {
  calls: number;
  /** Before each answer; may wait or throw. */
  before?: (request: ModelRequest) => void | Promise<void>;
  /** Which target answers, and whether it tells no usage; the asked one, which does. */
  answer?: { target?: ModelRequest['target']; estimated?: boolean };
  /** Tokens of each answer; 10 in, 5 out. */
  quantities: Record<string, number>;
};

/** Limits as a test sets them. */
export type QuotaDouble = {
  refuse: Problem | undefined;
  limited: { tokens: boolean; money: boolean };
  /** Agents whose requests per second are spent. */
  busy: Set<string>;
  open: number;
  reserved: bigint[];
  settled: bigint[];
};

/** An agents module on a database, with doubles for what it needs of others. */
export type AgentHouse = {
  module: AgentsModule;
  nodeId: string;
  model: ModelDouble;
  quota: QuotaDouble;
  /** Usage rows at home, by id; what came twice counts once. */
  usage: Map<string, UsageEvent>;
  charges: Charge[];
  callRows: CallRecord[];
  apiCalls: { principal: Principal; method: string; path: string; body: unknown; key: string | undefined }[];
  close(): Promise<void>;
};

/** A tenant's principal. */
export function principalOf(tenantId: string, more: Partial<Principal> = {}): Principal {
  return { kind: 'user', id: newId(), tenantId, name: 'Ada', roles: ['owner'], mode: 'live', ...more };
}

/**
 * Makes an agents module. The model double answers by the last user text: `call:NAME {json}` calls a tool, `&` between two makes
 * them one step, ` then ` makes the next step; after the last one it answers `Done: <results>`, else `You said: <text>`.
 */
export function agentHouse(
  db: Database,
  options: {
    faults?: Parameters<typeof createAgentsModule>[0]['faults'];
    commands?: Parameters<typeof createAgentsModule>[0]['config']['commands'];
    concurrency?: number;
    toolTimeoutMs?: number;
    path?: string;
    callApi?: Parameters<typeof createAgentsModule>[0]['callApi'];
    free?: boolean;
    /** What of the model differs. */
    target?: object;
    /** Millionths that a model call costs; null: no price. The double's own tariff when absent. */
    priceOf?: (model: string, quantities: Readonly<Record<string, number>>) => number | null;
    isActive?: (tenantId: string) => boolean;
  } = {},
): AgentHouse {
  const log = createLogger(process.env['TEST_LOG'] ?? 'silent');
  const nodeId = newId();
  const snapshots = new Snapshots(db);
  const egress = createEgress({ allow: () => loopback, log });
  const model: ModelDouble = { calls: 0, quantities: { input_tokens: 10, output_tokens: 5 } };
  const quota: QuotaDouble = {
    refuse: undefined,
    limited: { tokens: false, money: false },
    busy: new Set(),
    open: 0,
    reserved: [],
    settled: [],
  };
  const house = {
    usage: new Map<string, UsageEvent>(),
    charges: [] as Charge[],
    callRows: [] as CallRecord[],
    apiCalls: [] as AgentHouse['apiCalls'],
  };
  const target = {
    id: 'double/m',
    provider: 'double',
    providerId: newId(),
    model: 'm',
    ownedBy: 'platform' as const,
    contextTokens: null,
    maxOutputTokens: 1_000,
    maxImageTokens: null,
    maxAudioTokens: null,
    outputCap: { coversReasoning: true },
    bytesPerToken: 4,
    fallbacks: [],
    ...options.target,
  };
  const module = createAgentsModule({
    db,
    snapshots,
    follower: { listen: () => () => undefined },
    clock: systemClock,
    log,
    sealer: new Sealer(rootKey),
    nodeId,
    egress,
    defaultModel: () => undefined,
    models: {
      resolve: () => target,
      generate: async (request: ModelRequest & { tools?: readonly ToolSpec[]; onDelta?: (text: string) => void }) => {
        model.calls++;
        await model.before?.(request);
        const { text, toolCalls } = scripted(request.messages);
        if (toolCalls.length === 0) request.onDelta?.(text);
        return {
          text,
          toolCalls,
          quantities: model.quantities as never,
          estimated: model.answer?.estimated ?? false,
          finishReason: toolCalls.length > 0 ? ('tool-calls' as const) : ('stop' as const),
          target: (model.answer?.target ?? target) as typeof target,
          attempts: [],
          raw: undefined,
        };
      },
      cost: () => ({ cost: '0.001', currency: 'USD' }),
    },
    quota: {
      reserve: (_subjects, amounts) => {
        if (quota.refuse !== undefined) throw quota.refuse;
        quota.open++;
        quota.reserved.push(amounts.tokens);
        let ended = false;
        const end = () => {
          if (!ended) quota.open--;
          ended = true;
        };
        return {
          settle: (used) => {
            end();
            quota.settled.push(used.tokens);
            return [{ leaseId: 'lease', amount: used.tokens }];
          },
          release: end,
        };
      },
      takeAgentRequest: (_tenantId, agentId) => {
        if (quota.busy.has(agentId)) throw tooMany;
      },
      limited: () => quota.limited,
    },
    billing: {
      priceOf: (_tenantId, type, dimensions, quantities) => {
        if (options.free) return null;
        if (options.priceOf !== undefined && type === 'model.call') {
          const micros = options.priceOf(dimensions['model'] ?? '', quantities);
          return micros === null ? null : { price: (micros / 1_000_000).toFixed(6), currency: 'USD' };
        }
        const thousandths =
          type === 'agent.run' ? 10 : (quantities['input_tokens'] ?? 0) + 2 * (quantities['output_tokens'] ?? 0);
        return { price: (thousandths / 1_000).toFixed(3), currency: 'USD' };
      },
    },
    metering: {
      getCall: async (_tenantId, id) => {
        const row = house.callRows.find((call) => call.id === id);
        if (row === undefined) throw notFound('call');
        const { principalKind: kind, principalId, principalName: name } = row;
        const trace = row.trace.map(({ step, us, detail, outcome }) => [step, us, detail, outcome]);
        const at = row.startedAt;
        const detail = { ...row, principal: { kind, id: principalId, name }, trace };
        return {
          ...row,
          at,
          writer: nodeId,
          inputTokens: 0,
          outputTokens: 0,
          requests: 1,
          detail,
        } as unknown as CallRow;
      },
      record: async ({ call, usage, charges }) => {
        if (call !== null && !house.callRows.some(({ id }) => id === call.id)) house.callRows.push(call);
        for (const row of usage) {
          if (house.usage.has(row.id)) continue;
          house.usage.set(row.id, row);
          house.charges.push(...charges);
        }
      },
    },
    callApi:
      options.callApi ??
      (async (principal, method, path, body, key) => {
        house.apiCalls.push({ principal, method, path, body, key });
        return { status: 200, body: { ok: true } };
      }),
    isDemo: () => false,
    ...(options.isActive === undefined ? {} : { isActive: options.isActive }),
    mayStay: () => true,
    config: {
      commands: options.commands ?? new Map(),
      path: options.path ?? '/usr/bin:/bin',
      concurrency: options.concurrency ?? 4,
      toolTimeoutMs: options.toolTimeoutMs ?? 5_000,
    },
    ...(options.faults === undefined ? {} : { faults: options.faults }),
  });
  db.onCommit((events) => snapshots.apply(events));
  let stop: (() => Promise<void>) | undefined;
  void module.start('front').then((end) => {
    stop = end;
  });
  return {
    module,
    nodeId,
    model,
    quota,
    ...house,
    close: async () => {
      await stop?.();
      await egress.close();
    },
  };
}

/** Feeds the events of a tenant, as committed, to the module's subscribers; returns them in the order of their ids. */
export async function deliver(db: Database, house: AgentHouse, tenantId: string): Promise<Event[]> {
  const events = await eventsOf(db, tenantId);
  let seq = 0;
  for (const event of events) {
    for (const subscriber of house.module.subscribers) {
      if (subscriber.types.includes(event.type)) await subscriber.handle({ ...event, seq: ++seq });
    }
  }
  return events;
}

/** The events of a tenant in the outbox. */
export async function eventsOf(db: Database, tenantId: string): Promise<Event[]> {
  const rows = await db.forService('relay', (tx) =>
    tx.query<{ event: Event }>('SELECT event FROM outbox WHERE tenant_id = $1 ORDER BY id', [tenantId]),
  );
  return rows.map((row) => row.event);
}

function scripted(messages: readonly Message[]) {
  const from = messages.findLastIndex((message) => message.role === 'user');
  const user = messages[from];
  const text = user !== undefined && typeof user.content === 'string' ? user.content : '';
  const after = messages.slice(from + 1);
  const step = after.filter((message) => message.role === 'assistant').length;
  const steps = text.includes('call:') ? text.split(' then ') : [];
  const calls = (steps[step] ?? '').split('&').flatMap((part, i) => {
    const [, name, json] = /call:([\w-]+)\s*(\{.*\})?/s.exec(part) ?? [];
    return name === undefined ? [] : [{ id: `c${step}_${i}`, name, arguments: json ?? '{}' }];
  });
  const results = after.filter((message) => message.role === 'tool').map((message) => message.content);
  const said = results.length > 0 ? `Done: ${results.join('; ')}` : `You said: ${text}`;
  return { text: calls.length > 0 ? '' : said, toolCalls: calls };
}

const tooMany = new Problem(
  { type: 'rate-limited', status: 429, title: 'Too many requests.' },
  { detail: 'Too many requests per second.', headers: { 'retry-after': '1' } },
);

const loopback = [{ tenantId: null, target: '127.0.0.0/8' }];

/** A tool server that counts what it does by idempotency key. */
export type ToolDouble = {
  url: string;
  /** Effects by key: an effect asked for again under its key is not done again, but counted in `asked`. */
  effects: Map<string, number>;
  asked: string[];
  /** Answers of `POST /effect`: `ok`, `cut` (does it and breaks the connection), `hang` (does it, says nothing). */
  mode: 'ok' | 'cut' | 'hang';
  /** An OpenAPI document with `effect` (POST), `keep` (PUT) and `look` (GET). */
  document: Record<string, unknown>;
  close(): Promise<void>;
};

/** Starts a tool server. It does what it is asked each time it is asked: `effects` above 1 is an effect that happened twice. */
export async function startToolDouble(): Promise<ToolDouble> {
  const state = { effects: new Map<string, number>(), asked: [] as string[], mode: 'ok' as ToolDouble['mode'] };
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const key = String(request.headers['idempotency-key'] ?? '');
    if (request.method !== 'GET') {
      state.asked.push(key);
      state.effects.set(key, (state.effects.get(key) ?? 0) + 1);
      if (double.mode === 'cut') return void response.destroy();
      if (double.mode === 'hang') return;
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ did: request.url, body: body === '' ? null : JSON.parse(body) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const withBody = {
    content: { 'application/json': { schema: { type: 'object', properties: { n: { type: 'integer' } } } } },
  };
  const double: ToolDouble = {
    url,
    ...state,
    document: {
      openapi: '3.1.0',
      info: { title: 'tools', version: '1' },
      servers: [{ url }],
      paths: {
        '/effect': { post: { operationId: 'effect', requestBody: withBody } },
        '/keep': { put: { operationId: 'keep', requestBody: withBody } },
        '/look': {
          get: { operationId: 'look', parameters: [{ name: 'at', in: 'query', schema: { type: 'string' } }] },
        },
      },
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return double;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

/** Makes the tool double a source named `t` of a tenant (`t_effect`, `t_keep` declared idempotent, `t_look`), and gives its id outside. */
export async function connectDouble(house: AgentHouse, tenantId: string, double: ToolDouble): Promise<string> {
  const config = { kind: 'openapi' as const, document: double.document, idempotent: ['keep'] };
  const tool = await house.module.tools.createTool(tenantId, { name: 't', config }, testCause);
  return formatId('tool', tool.id);
}
