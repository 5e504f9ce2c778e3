import { EgressBlocked } from '#kernel/egress-url';
import { answerTo, type McpTransport, type RpcMessage } from './mcp-session.ts';
import type { EgressPort } from './ports.ts';
import { eventsOf } from './sse-stream.ts';
import { boundedText, headersOf, ToolNotCalled } from './tool-functions.ts';

const maxAnswerBytes = 8_388_608;

// Errors that come before the request has left: nothing can have happened there.
const unsent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** True when a failed `fetch` certainly did not reach the other side. */
export function neverSent(error: unknown): boolean {
  if (error instanceof EgressBlocked) return error.reason !== 'redirect' && error.reason !== 'size';
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (unsent.has(String((at as { code?: unknown }).code))) return true;
  }
  return false;
}

/** The streamable HTTP transport of MCP: every message is a POST, answered by JSON or by an event stream. */
export class McpHttpTransport implements McpTransport {
  readonly #deps: { egress: EgressPort; tenantId: string; url: string; headers: Record<string, string> };
  #sessionId: string | undefined;
  #version: string | undefined;
  alive = true;

  constructor(deps: { egress: EgressPort; tenantId: string; url: string; headers: Record<string, string> }) {
    this.#deps = deps;
  }

  async request(message: RpcMessage, options: { signal: AbortSignal; key?: string }): Promise<RpcMessage> {
    const response = await this.#post(message, options);
    this.#sessionId = response.headers.get('mcp-session-id') ?? this.#sessionId;
    if (!response.ok) {
      const detail = (await boundedText(response, 65_536).catch(() => '')).slice(0, 300);
      // A server that forgot the session says 404 (specification) or 400 (many): the next call opens a new one.
      if (response.status === 404 || response.status === 400) this.alive = false;
      const failure = `The MCP server answered ${response.status}: ${detail}`;
      throw response.status < 500 ? new ToolNotCalled(failure) : new Error(failure);
    }
    if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream')) {
      return JSON.parse(await boundedText(response, maxAnswerBytes)) as RpcMessage;
    }
    for await (const data of eventsOf(response.body ?? new ReadableStream(), maxAnswerBytes)) {
      if (data === '') continue;
      const heard = JSON.parse(data) as RpcMessage;
      if (heard.id === message.id && heard.method === undefined) return heard;
      if (heard.method !== undefined && heard.id !== undefined) await this.notify(answerTo(heard));
    }
    throw new Error('The MCP server ended the stream without an answer.');
  }

  async notify(message: RpcMessage): Promise<void> {
    const response = await this.#post(message, { signal: AbortSignal.timeout(10_000) });
    await response.body?.cancel();
  }

  agreed(version: string): void {
    this.#version = version;
  }

  async close(): Promise<void> {
    this.alive = false;
    if (this.#sessionId === undefined) return;
    const { egress, tenantId, url } = this.#deps;
    // Polite only: servers may refuse to end sessions (405).
    await egress
      .fetch(tenantId)(url, { method: 'DELETE', headers: this.#headers(), signal: AbortSignal.timeout(2_000) })
      .then((response) => response.body?.cancel())
      .catch(() => undefined);
  }

  async #post(message: RpcMessage, options: { signal: AbortSignal; key?: string }): Promise<Response> {
    const { egress, tenantId, url } = this.#deps;
    const headers = this.#headers({
      'content-type': 'application/json',
      ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
    });
    try {
      return await egress.fetch(tenantId)(url, {
        method: 'POST',
        headers,
        redirect: 'manual',
        body: JSON.stringify(message),
        signal: options.signal,
      });
    } catch (error) {
      this.alive = false;
      if (neverSent(error))
        throw new ToolNotCalled(`The MCP server cannot be reached: ${(error as Error).message}`, error);
      throw error;
    }
  }

  #headers(more: Record<string, string> = {}): Headers {
    return headersOf(this.#deps.headers, more, {
      accept: 'application/json, text/event-stream',
      ...(this.#sessionId === undefined ? {} : { 'mcp-session-id': this.#sessionId }),
      ...(this.#version === undefined ? {} : { 'mcp-protocol-version': this.#version }),
    });
  }
}
