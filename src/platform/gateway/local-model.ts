import { Dispatcher } from 'undici';

import { readMessages } from '#agents';
import { newId } from '#kernel/ids';
import { Problem } from '#kernel/problem';
import { engineOf, type Generated, type ModelsModule, type Target, type ToolSpec } from '#models';

/**
 * Models that are answered in this process (`lintel/router`) behind the same interface as providers: takes an OpenAI chat request,
 * answers as a provider would, plain or as a stream. So the one path of calls holds for them too.
 */
export class LocalModel extends Dispatcher {
  readonly #target: Target;
  readonly #generate: ModelsModule['generate'];

  constructor(target: Target, generate: ModelsModule['generate']) {
    super();
    this.#target = target;
    this.#generate = generate;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    let aborted: Error | null = null;
    const controller: Dispatcher.DispatchController = {
      get aborted() {
        return aborted !== null;
      },
      paused: false,
      get reason() {
        return aborted;
      },
      abort: (reason) => {
        aborted ??= reason;
      },
      pause: () => undefined,
      resume: () => undefined,
    };
    handler.onRequestStart?.(controller, undefined);
    this.#answer(String(options.body)).then(
      ({ status, type, body }) => {
        if (aborted !== null) return handler.onResponseError?.(controller, aborted);
        handler.onResponseStart?.(controller, status, { 'content-type': type });
        handler.onResponseData?.(controller, Buffer.from(body));
        handler.onResponseEnd?.(controller, {});
      },
      (error: Error) => handler.onResponseError?.(controller, error),
    );
    return true;
  }

  async #answer(body: string): Promise<{ status: number; type: string; body: string }> {
    const request = JSON.parse(body) as { messages: unknown; tools?: OpenAiTool[]; stream?: boolean };
    try {
      const generated = await this.#generate({
        target: this.#target,
        messages: readMessages(request.messages, '/messages'),
        tools: (request.tools ?? []).map(toolOf),
      });
      const common = {
        id: `chatcmpl-${newId()}`,
        created: Math.floor(Temporal.Now.instant().epochMilliseconds / 1000),
        model: this.#target.id,
        lintel: { engine: engineOf(this.#target.id) },
      };
      return request.stream === true
        ? { status: 200, type: 'text/event-stream', body: streamOf(generated, common) }
        : { status: 200, type: 'application/json', body: JSON.stringify(completionOf(generated, common)) };
    } catch (error) {
      if (!(error instanceof Problem) || error.kind.status >= 500) throw error;
      return {
        status: error.kind.status,
        type: 'application/json',
        body: JSON.stringify({
          error: { message: error.message, type: 'invalid_request_error', code: null, param: null },
        }),
      };
    }
  }
}

type OpenAiTool = { function?: { name?: string; description?: string; parameters?: Record<string, unknown> } };

function toolOf(tool: OpenAiTool): ToolSpec {
  return {
    name: String(tool.function?.name),
    description: tool.function?.description ?? '',
    parameters: tool.function?.parameters ?? { type: 'object' },
  };
}

function messageOf(generated: Generated) {
  const calls = generated.toolCalls.map((call, index) => ({
    index,
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: call.arguments },
  }));
  return {
    role: 'assistant',
    content: calls.length > 0 ? null : generated.text,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
}

function usageOf({ quantities }: Generated) {
  const { input_tokens: prompt, output_tokens: completion } = quantities;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function finishOf(generated: Generated): string {
  return generated.toolCalls.length > 0 ? 'tool_calls' : 'stop';
}

function completionOf(generated: Generated, common: object) {
  return {
    ...common,
    object: 'chat.completion',
    choices: [{ index: 0, message: messageOf(generated), logprobs: null, finish_reason: finishOf(generated) }],
    usage: usageOf(generated),
  };
}

function streamOf(generated: Generated, common: object): string {
  const chunk = { ...common, object: 'chat.completion.chunk' };
  const chunks = [
    { ...chunk, choices: [{ index: 0, delta: messageOf(generated), finish_reason: null }] },
    { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: finishOf(generated) }] },
    { ...chunk, choices: [], usage: usageOf(generated) },
  ];
  return `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`;
}
