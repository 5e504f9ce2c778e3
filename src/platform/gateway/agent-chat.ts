import type { AgentsModule, ChatResult } from '#agents';
import { causeOf } from '#kernel/cause';
import { rateHeaders } from '#kernel/front-door';
import type { Context } from '#kernel/http';
import { formatId } from '#kernel/ids';
import { openaiProblemBody, Problem } from '#kernel/problem';
import { toProblem } from '#kernel/server';
import type { AgentCalls } from './api-gateway.ts';
import { CallDraft } from './call-draft.ts';
import type { GatewayPorts } from './ports.ts';
import { gatewayProblems } from './problems.ts';
import { recordRefusal } from './record-refusal.ts';

/** What of the agents' module is used here. */
export type AgentsPort = Pick<AgentsModule, 'chat' | 'list'>;

/** Agents behind OpenAI's protocol: one chat completion is one foreground run of `agent/<name>[@version]`. */
export class AgentChat implements AgentCalls {
  readonly #agents: AgentsPort;
  readonly #ports: Pick<GatewayPorts, 'authorize' | 'record' | 'refuse' | 'isDemo'>;

  constructor(deps: { agents: AgentsPort; ports: Pick<GatewayPorts, 'authorize' | 'record' | 'refuse' | 'isDemo'> }) {
    this.#agents = deps.agents;
    this.#ports = deps.ports;
  }

  async serve(context: Context, reference: string): Promise<void> {
    const body = context.body as Record<string, unknown>;
    const stream = body['stream'] === true;
    const draft = new CallDraft(context, 'run', `agent/${reference}`, stream);
    const answer = new ChatAnswer(context, draft, String(body['model']));
    const gone = new AbortController();
    const response = context.reply.raw;
    if (response.destroyed) gone.abort();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    try {
      const { principal } = context;
      const decision = this.#ports.authorize(principal, 'agents:invoke');
      draft.step('authorize', 'pass', { permission: 'agents:invoke', role: decision.role, reason: decision.reason });
      const result = await this.#agents.chat(
        {
          callId: draft.id,
          principal,
          origin: context.origin,
          trace: draft.trace,
          stream,
          demo: this.#ports.isDemo(context.tenantId),
          startedAt: draft.startedAt,
          signal: gone.signal,
          cause: causeOf(context),
          ...(stream ? { listener: { onText: (delta: string) => answer.delta(delta) } } : {}),
        },
        reference,
        body,
      );
      if (stream)
        answer.endStream(
          result,
          (body['stream_options'] as { include_usage?: boolean } | null | undefined)?.include_usage === true,
        );
      else answer.send(result);
    } catch (error) {
      const cause = gone.signal.aborted ? new Problem(gatewayProblems.clientGone) : toProblem(error);
      const problem = await recordRefusal(this.#ports, context, draft, cause);
      if (!answer.begun) throw problem;
      answer.fail(problem);
    }
  }

  list(context: Context) {
    return this.#agents.list(context.tenantId, context.principal.agents);
  }
}

/** The answer in OpenAI's form: chunks as the run speaks, or one object at its end. */
class ChatAnswer {
  begun = false;
  readonly #context: Context;
  readonly #common: { id: string; created: number; model: string };

  constructor(context: Context, draft: CallDraft, model: string) {
    this.#context = context;
    this.#common = {
      id: formatId('call', draft.id),
      created: Math.floor(draft.startedAt.epochMilliseconds / 1000),
      model,
    };
  }

  delta(text: string): void {
    this.#begin();
    this.#chunk({ content: text }, null);
  }

  endStream(result: ChatResult, includeUsage: boolean): void {
    const told = this.begun;
    this.#begin();
    if (!told && result.message !== null) this.#chunk({ content: result.message.content }, null);
    this.#chunk({}, finishReasonOf(result), lintelOf(result));
    const response = this.#context.reply.raw;
    if (includeUsage)
      response.write(
        `data: ${JSON.stringify({ ...this.#common, object: 'chat.completion.chunk', choices: [], usage: usageOf(result) })}\n\n`,
      );
    response.end(
      `${result.price === null ? '' : `: x-lintel-price ${result.price.price} ${result.price.currency}\n\n`}data: [DONE]\n\n`,
    );
  }

  send(result: ChatResult): void {
    const { reply } = this.#context;
    if (result.price !== null) reply.header('x-lintel-price', `${result.price.price} ${result.price.currency}`);
    const message = { role: 'assistant', content: result.message?.content ?? null, refusal: null };
    reply
      .type('application/json; charset=utf-8')
      .serializer((value: unknown) => JSON.stringify(value))
      .send({
        ...this.#common,
        object: 'chat.completion',
        choices: [{ index: 0, message, logprobs: null, finish_reason: finishReasonOf(result) }],
        usage: usageOf(result),
        ...lintelOf(result),
      });
  }

  fail(problem: Problem): void {
    this.#context.reply.raw.end(`data: ${JSON.stringify(openaiProblemBody(problem, this.#context.requestId))}\n\n`);
  }

  #begin(): void {
    if (this.begun) return;
    this.begun = true;
    const { reply, requestId, request } = this.#context;
    const { rate } = request.admission;
    reply.hijack();
    reply.raw.writeHead(200, {
      'x-request-id': requestId,
      ...(rate === undefined ? {} : rateHeaders(rate)),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
    this.#chunk({ role: 'assistant', content: '' }, null);
  }

  #chunk(delta: Record<string, unknown>, finishReason: string | null, more: object = {}): void {
    const { raw } = this.#context.reply;
    if (raw.destroyed) return;
    raw.write(
      `data: ${JSON.stringify({ ...this.#common, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finishReason }], ...more })}\n\n`,
    );
  }
}

/** Lintel's own facts: what answered, and where a run stands that has no answer yet: it waits for a person. */
function lintelOf({ run, engine }: ChatResult): { lintel: { run: string; status: string; engine: string | null } } {
  return { lintel: { run: formatId('run', run.id), status: run.status, engine } };
}

function finishReasonOf(result: ChatResult): string {
  return result.finishReason === 'length' || result.finishReason === 'content-filter'
    ? result.finishReason.replace('-', '_')
    : 'stop';
}

function usageOf({ quantities }: ChatResult) {
  const input = quantities['input_tokens'] ?? 0;
  const output = quantities['output_tokens'] ?? 0;
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: quantities['cached_input_tokens'] ?? 0 },
    completion_tokens_details: { reasoning_tokens: quantities['reasoning_tokens'] ?? 0 },
  };
}
