import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { Agent } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { FrontDoorSteps } from '#kernel/front-door';
import type { Principal } from '#kernel/http';
import { createLogger } from '#kernel/logger';
import { Problem } from '#kernel/problem';
import { createServer } from '#kernel/server';
import type { CallRecord } from '#metering';
import { CircuitBreakers, type Target } from '#models';
import { createGatewayModule, type GatewayPorts } from '#platform/gateway';
import { DOUBLE_KEY, type OpenAiDouble, startOpenAiDouble } from '#test/openai-double';

const tenantId = '00000000-0000-7000-8000-0000000000aa';
const principal: Principal = {
  kind: 'key',
  id: '00000000-0000-7000-8000-0000000000bb',
  tenantId,
  name: 'k',
  roles: ['developer'],
  mode: 'live',
};

let double: OpenAiDouble;
let second: OpenAiDouble;
let baseURL: string;
let close: () => Promise<void>;
let limited = { tokens: true, money: true };
let priced = true;
let failRecord = false;
let withFallback = false;
/** What of the fallback, and of the target, differs; the price of the fallback in thousandths a token (null: none). */
let other: Partial<Target> = {};
let own: Partial<Target> = {};
let otherPrice: number | null = 1;
const records: CallRecord[] = [];
const settled: { tokens: bigint; money: bigint }[] = [];
const held: { tokens: bigint; money: bigint }[] = [];
let open = 0;

function target(model: string, upstream: OpenAiDouble, fallbacks: Target[] = []): Target {
  return {
    id: `double/${model}`,
    providerId: tenantId,
    modelId: tenantId,
    provider: 'double',
    model,
    kind: 'chat',
    preset: 'openai',
    baseUrl: upstream.url,
    ownedBy: 'platform',
    ownerTenantId: tenantId,
    cheap: true,
    contextTokens: null,
    maxOutputTokens: 100,
    maxImageTokens: null,
    maxAudioTokens: null,
    outputCap: { field: 'max_tokens', coversReasoning: true },
    streamUsage: true,
    bytesPerToken: 4,
    fallbacks,
    cost: undefined,
    apiKey: () => DOUBLE_KEY,
    headers: () => ({ authorization: `Bearer ${DOUBLE_KEY}` }),
  } as Target;
}

beforeAll(async () => {
  double = await startOpenAiDouble();
  second = await startOpenAiDouble();
  const dispatcher = new Agent();
  let breakers = new CircuitBreakers({ monotonic: () => performance.now() });
  const ports: GatewayPorts = {
    authorize: () => ({ allowed: true, reason: 'test', role: 'developer' }),
    resolve: (_tenant, model) => ({
      ...target(
        model.slice(model.indexOf('/') + 1),
        double,
        withFallback ? [{ ...target('double', second), id: 'double/other', provider: 'other', ...other }] : [],
      ),
      ...own,
    }),
    list: () => [],
    get breakers() {
      breakers = new CircuitBreakers({ monotonic: () => performance.now() });
      return breakers;
    },
    dispatcher: () => dispatcher,
    learn: () => undefined,
    cost: () => null,
    price: (_tenant, _type, { provider }, quantities) => {
      const each = provider === 'other' ? otherPrice : 1;
      if (!priced || each === null) return null;
      const tokens = (quantities['input_tokens'] ?? 0) + (quantities['output_tokens'] ?? 0);
      return { amount: String((each * tokens) / 1000), currency: 'USD' };
    },
    limited: () => limited,
    reserve: (_subjects, amounts) => {
      open++;
      held.push(amounts);
      let standing = true;
      const end = () => {
        if (standing) open--;
        standing = false;
      };
      return {
        settle: (used) => {
          end();
          settled.push(used);
          return [];
        },
        release: end,
        detail: () => ({}),
      };
    },
    record: async ({ call }) => {
      if (failRecord) throw new Problem({ type: 'unavailable', status: 503, title: 'no' });
      records.push(call);
    },
    refuse: (call) => {
      records.push(call);
      return call.id;
    },
    isDemo: () => false,
  };
  const steps: FrontDoorSteps = {
    fresh: () => undefined,
    authenticate: () => principal,
    admitTenant: () => ({ demo: false, locale: 'en' }),
    authorize: () => ({ allowed: true, reason: 'test', role: 'developer' }),
    rateLimit: () => undefined,
    refused: () => undefined,
  };
  const gateway = createGatewayModule({
    ports,
    agents: { list: () => [] } as never,
    config: {
      headersTimeoutMs: 700,
      bodyTimeoutMs: 700,
      maxAnswerBytes: 1_000_000,
      defaultOutputCap: 50,
      maxBodyBytes: 200_000,
    },
  });
  const app = await createServer({
    routes: gateway.routes ?? [],
    steps,
    database: undefined as never,
    log: createLogger('silent'),
    maxBodyBytes: 200_000,
    trustedProxies: [],
    version: '0',
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  baseURL = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1`;
  close = async () => {
    await app.close();
    await dispatcher.close();
    await double.close();
    await second.close();
  };
});
afterAll(() => close());
afterEach(() => {
  limited = { tokens: true, money: true };
  priced = true;
  failRecord = false;
  withFallback = false;
  other = {};
  own = {};
  otherPrice = 1;
  records.length = 0;
  settled.length = 0;
  held.length = 0;
});

const client = () => new OpenAI({ baseURL, apiKey: 'lt_test', maxRetries: 0 });
const ask = (model: string, more: object = {}) => ({
  model: `double/${model}`,
  messages: [{ role: 'user' as const, content: 'say:门楣 hello' }],
  ...more,
});
const lastSent = () => JSON.parse(double.requests.at(-1)?.raw ?? '{}') as Record<string, unknown>;

async function untilIdle(): Promise<void> {
  const end = performance.now() + 5_000;
  while (open > 0 || records.length === 0) {
    if (performance.now() > end) throw new Error(`still ${open} open, ${records.length} recorded`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('happy', () => {
  test('a plain answer comes back as it came, with call id and price, after its row', async () => {
    const { data, response } = await client()
      .chat.completions.create(ask('double', { seed: 5 }))
      .withResponse();
    expect(data.choices[0]?.message.content).toBe('门楣 hello');
    expect(response.headers.get('x-request-id')).toMatch(/^call_/);
    expect(response.headers.get('x-lintel-price')).toMatch(/^0\.\d+ USD$/);
    expect(lastSent()).toMatchObject({ model: 'double', seed: 5, max_tokens: 100 });
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      status: 'ok',
      httpStatus: 200,
      model: 'double/double',
      stream: false,
      estimated: false,
    });
    expect(records[0]?.trace.map(({ step }) => step)).toEqual([
      'authenticate',
      'tenant',
      'authorize',
      'price',
      'reserve',
      'handle',
      'settle',
    ]);
    expect(settled[0]?.tokens).toBe(BigInt(data.usage?.total_tokens ?? 0));
    expect(open).toBe(0);
  });

  test('a stream is relayed chunk by chunk; the usage chunk only for those who asked', async () => {
    for (const include of [false, true]) {
      const stream = await client().chat.completions.create({
        ...ask('double'),
        stream: true,
        ...(include ? { stream_options: { include_usage: true } } : {}),
      });
      let text = '';
      let usage: unknown;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        if (chunk.choices.length === 0) usage = chunk.usage;
      }
      expect(text).toBe('门楣 hello');
      expect(usage !== undefined).toBe(include);
      expect(lastSent()).toMatchObject({ stream_options: { include_usage: true } });
      expect(records.at(-1)).toMatchObject({ status: 'ok', stream: true, estimated: false });
    }
  });

  test('tools and embeddings pass', async () => {
    const tools = [
      {
        type: 'function' as const,
        function: { name: 'look', parameters: { type: 'object', properties: { q: { type: 'string' } } } },
      },
    ];
    const answer = await client().chat.completions.create({
      model: 'double/double',
      messages: [{ role: 'user', content: 'call:look {"q":"x"}' }],
      tools,
    });
    expect(answer.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: 'look' } });
    const embedded = await client().embeddings.create({ model: 'double/double-embedding', input: ['a', 'b'] });
    expect(embedded.data).toHaveLength(2);
    expect(records.at(-1)).toMatchObject({ kind: 'embedding', status: 'ok' });
    expect(lastSent()['max_tokens']).toBeUndefined();
  });

  test('without limits the request goes on without an added cap', async () => {
    limited = { tokens: false, money: false };
    await client().chat.completions.create(ask('double'));
    expect(lastSent()['max_tokens']).toBeUndefined();
  });
});

describe('errors', () => {
  test('the provider’s own refusal of the request is passed on', async () => {
    await expect(client().chat.completions.create(ask('double-status-400'))).rejects.toMatchObject({ status: 400 });
    expect(records[0]).toMatchObject({ status: 'failed', httpStatus: 400, price: null });
    expect(open).toBe(0);
  });

  test.each([
    ['double-status-500', 502],
    ['double-status-401', 502],
    ['double-status-429', 503],
    ['double-cut-0', 502],
    ['double-hang', 504],
    ['double-garbage', 502],
  ])('%s ends as %i, recorded, nothing held', async (model, status) => {
    await expect(client().chat.completions.create(ask(model))).rejects.toMatchObject({ status });
    await untilIdle();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ status: 'failed', httpStatus: status, quantities: {} });
  });

  test('a failure that is safe to repeat is repeated, a fallback is taken', async () => {
    await client().chat.completions.create(ask('double-status-500-once'));
    expect(records[0]?.attempts.map(({ status }) => status)).toEqual([500, 200]);
    withFallback = true;
    records.length = 0;
    await client().chat.completions.create(ask('double-status-503'));
    expect(records[0]?.attempts.at(-1)).toMatchObject({ status: 200, model: 'double' });
    expect(second.count()).toBe(1);
  });

  test('a stream that is cut ends with an error event; what was used is estimated and settled', async () => {
    const stream = await client().chat.completions.create({ ...ask('double-chunks-6-cut-3'), stream: true });
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toThrow();
    await untilIdle();
    expect(records[0]).toMatchObject({ status: 'failed', estimated: true });
    expect(records[0]?.quantities['output_tokens']).toBeGreaterThan(0);
    expect(settled).toHaveLength(1);
  });

  test('a client that goes away cancels the upstream; what was used is settled', async () => {
    const stream = await client().chat.completions.create({
      ...ask('double-gap-20-chunks-100'),
      messages: [{ role: 'user', content: `say:${'word '.repeat(100)}` }],
      stream: true,
    });
    let seen = 0;
    for await (const _ of stream) if (++seen === 5) break;
    await untilIdle();
    expect(records[0]).toMatchObject({ status: 'cancelled', estimated: true });
    await expect.poll(() => double.requests.at(-1)?.aborted).toBe(true);
  });

  test('an answer without usage is estimated from bytes, never above the reservation', async () => {
    await client().chat.completions.create(ask('double-nousage', { max_tokens: 2 }));
    expect(records[0]).toMatchObject({ estimated: true });
    expect(records[0]?.quantities['output_tokens']).toBeLessThanOrEqual(2);
  });

  test('what cannot be recorded is not answered as done', async () => {
    failRecord = true;
    await expect(client().chat.completions.create(ask('double'))).rejects.toMatchObject({ status: 503 });
    const stream = await client().chat.completions.create({ ...ask('double'), stream: true });
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toThrow();
    expect(open).toBe(0);
  });
});

describe('output caps', () => {
  const sentTo = (upstream: OpenAiDouble) => upstream.requests.at(-1)?.raw ?? '';

  test.each([
    ['max_tokens', 'max_completion_tokens'],
    ['max_completion_tokens', 'max_tokens'],
  ] as const)('one in %s goes to %s where the target reads that, and nothing else changes', async (sent, read) => {
    own = { outputCap: { field: read, coversReasoning: true } };
    for (const limits of [true, false]) {
      limited = { tokens: limits, money: limits };
      await client().chat.completions.create(ask('double', { [sent]: 7, seed: 5 }));
      const { messages } = ask('double');
      expect(JSON.parse(sentTo(double))).toEqual({ model: 'double', messages, seed: 5, [read]: 7 });
      expect(records.at(-1)?.reserved?.tokens).toBe(Number(held.at(-1)?.tokens));
      expect(records.at(-1)?.trace.find(({ step }) => step === 'price')?.detail).toMatchObject({
        bound: { output_tokens: 7 },
      });
    }
  });

  test('of two the smaller holds, in the one field', async () => {
    await client().chat.completions.create(ask('double', { max_tokens: 9, max_completion_tokens: 4 }));
    expect(JSON.parse(sentTo(double))).toMatchObject({ max_tokens: 4 });
    expect(JSON.parse(sentTo(double))).not.toHaveProperty('max_completion_tokens');
  });

  test('a fallback is sent the cap in its own field, and a filled one of its own size', async () => {
    withFallback = true;
    other = { outputCap: { field: 'max_completion_tokens', coversReasoning: true }, maxOutputTokens: 30 };
    await client().chat.completions.create(ask('double-status-503', { max_tokens: 7 }));
    expect(JSON.parse(sentTo(double))).toMatchObject({ max_tokens: 7 });
    expect(JSON.parse(sentTo(second))).toMatchObject({ max_completion_tokens: 7 });
    expect(JSON.parse(sentTo(second))).not.toHaveProperty('max_tokens');
    await client().chat.completions.create(ask('double-status-503'));
    expect(JSON.parse(sentTo(double))).toMatchObject({ max_tokens: 100 });
    expect(JSON.parse(sentTo(second))).toMatchObject({ max_completion_tokens: 30 });
  });
});

describe('fallbacks', () => {
  test('whoever answers, its usage and price are within what was reserved', async () => {
    await client().chat.completions.create(ask('double'));
    const alone = held[0] as { tokens: bigint; money: bigint };
    withFallback = true;
    otherPrice = 3;
    other = { maxOutputTokens: 5_000 };
    await client().chat.completions.create(ask('double-status-503'));
    const both = held[1] as { tokens: bigint; money: bigint };
    expect(both.tokens - alone.tokens).toBe(4_900n);
    expect(both.money).toBe(3n * 1_000n * both.tokens);
    expect(settled[1]?.money).toBeLessThanOrEqual(both.money);
    expect(records[1]).toMatchObject({ status: 'ok', provider: 'other' });
  });

  test('one without a price does not answer under a money limit, and the trace says so', async () => {
    withFallback = true;
    otherPrice = null;
    const before = second.count();
    await expect(client().chat.completions.create(ask('double-status-503'))).rejects.toMatchObject({ status: 502 });
    expect(second.count()).toBe(before);
    expect(records[0]?.trace.find(({ step }) => step === 'price')?.detail).toMatchObject({
      leftOut: [{ model: 'double/other', reason: 'model-unpriced' }],
    });
    limited = { tokens: true, money: false };
    await client().chat.completions.create(ask('double-status-503'));
    expect(second.count()).toBe(before + 1);
  });
});

describe('security', () => {
  test('a model without a slash names the two forms', async () => {
    await expect(client().chat.completions.create({ ...ask('x'), model: 'gpt-4o' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  test('a member that stands twice, bodies that are no JSON, too large or wrong', async () => {
    const post = async (body: string) => {
      const response = await fetch(`${baseURL}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      return {
        status: response.status,
        body: (await response.json()) as { error: { message: string; param: string }; errors?: unknown },
      };
    };
    expect(
      (await post('{"model":"double/a","model":"double/b","messages":[{"role":"user","content":"x"}]}')).status,
    ).toBe(400);
    expect((await post('{"model":')).status).toBe(400);
    expect((await post(JSON.stringify(ask('double', { x: 'a'.repeat(300_000) })))).status).toBe(413);
    const wrong = await post('{"model":"double/a","messages":"x"}');
    expect(wrong.status).toBe(400);
    expect(wrong.body.error.param).toBe('messages');
  });

  test('no price under a money limit, unbounded media under a limit: refused before the provider hears of it', async () => {
    const before = double.count();
    priced = false;
    await expect(client().chat.completions.create(ask('double'))).rejects.toMatchObject({ status: 402 });
    priced = true;
    const image = [{ type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AA' } }];
    await expect(
      client().chat.completions.create({ model: 'double/double', messages: [{ role: 'user', content: image }] }),
    ).rejects.toMatchObject({ status: 400 });
    expect(double.count()).toBe(before);
    expect(records.map(({ status }) => status)).toEqual(['refused', 'refused']);
  });
});
