import { asObject } from './expand-schema.ts';
import type { ToolOutcome } from './runs.ts';
import type { SourceFunction } from './store.ts';
import { outcome } from './tool-functions.ts';

/** A JSON-RPC 2.0 message. */
export type RpcMessage = {
  jsonrpc: '2.0';
  id?: number | string;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
};

/** How messages reach an MCP server. */
export type McpTransport = {
  /** Sends a request and gives its answer. `key` goes along as `Idempotency-Key` where the transport has headers. */
  request(message: RpcMessage, options: { signal: AbortSignal; key?: string }): Promise<RpcMessage>;
  notify(message: RpcMessage): Promise<void>;
  /** Told once the protocol version is agreed on. */
  agreed(protocolVersion: string): void;
  /** False once the server is gone: the session is of no more use. */
  readonly alive: boolean;
  close(): Promise<void>;
};

const protocolVersion = '2025-11-25';
const maxFunctions = 500;
// Of all descriptions and schemas of a server together, in characters.
const maxListed = 4_000_000;

/** What is answered to a request of the server's own: only pings are taken. */
export function answerTo(message: RpcMessage): RpcMessage {
  const { id } = message as { id: number };
  if (message.method === 'ping') return { jsonrpc: '2.0', id, result: {} };
  return { jsonrpc: '2.0', id, error: { code: -32601, message: 'This client takes no such request.' } };
}

/**
 * A session with a Model Context Protocol server (specification 2025-11-25, tools only). Our own client rather than
 * `@ai-sdk/mcp`: that one bounds neither the size of answers nor the lines of a stdio server, gives the child no limits and
 * passes no idempotency key.
 */
export class McpSession {
  readonly #transport: McpTransport;
  #lastId = 0;

  private constructor(transport: McpTransport) {
    this.#transport = transport;
  }

  /** Shakes hands. */
  static async open(transport: McpTransport, signal: AbortSignal): Promise<McpSession> {
    const session = new McpSession(transport);
    try {
      const result = await session.#request(
        'initialize',
        { protocolVersion, capabilities: {}, clientInfo: { name: 'lintel', version: '1' } },
        { signal },
      );
      transport.agreed(String(result['protocolVersion']));
      await transport.notify({ jsonrpc: '2.0', method: 'notifications/initialized' });
      return session;
    } catch (error) {
      await transport.close();
      throw error;
    }
  }

  /** False once the server is gone. */
  get alive(): boolean {
    return this.#transport.alive;
  }

  /** The server's tools, as many as may be kept: 500, and 4 million characters. */
  async listFunctions(signal: AbortSignal): Promise<SourceFunction[]> {
    const found: SourceFunction[] = [];
    let cursor: unknown;
    let listed = 0;
    do {
      const page = await this.#request('tools/list', cursor === undefined ? {} : { cursor }, { signal });
      for (const tool of Array.isArray(page['tools']) ? page['tools'] : []) {
        const each = functionOf(tool);
        if (each === undefined) continue;
        listed += JSON.stringify(each).length;
        if (listed > maxListed) return found;
        found.push(each);
        if (found.length === maxFunctions) return found;
      }
      cursor = page['nextCursor'];
    } while (typeof cursor === 'string' && cursor !== '');
    return found;
  }

  /** Calls a tool. The server's errors are outcomes; what is thrown leaves in doubt whether it ran. */
  async call(
    name: string,
    args: Record<string, unknown>,
    options: { signal: AbortSignal; key: string },
  ): Promise<ToolOutcome> {
    try {
      const params = { name, arguments: args, _meta: { 'dev.lintel/idempotency-key': options.key } };
      return readResult(await this.#request('tools/call', params, options));
    } catch (error) {
      if (error instanceof RpcError) return outcome(error.message, true);
      throw error;
    }
  }

  /** Ends the session. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  async #request(
    method: string,
    params: Record<string, unknown>,
    options: { signal: AbortSignal; key?: string },
  ): Promise<Record<string, unknown>> {
    const answer = await this.#transport.request({ jsonrpc: '2.0', id: ++this.#lastId, method, params }, options);
    if (answer.error !== undefined) throw new RpcError(String(answer.error.message).slice(0, 1_000));
    return answer.result ?? {};
  }
}

/** The server answered with an error: the request was heard and refused. */
class RpcError extends Error {}

/** A tool as its server describes it; undefined for what describes none. */
function functionOf(tool: unknown): SourceFunction | undefined {
  if (typeof tool !== 'object' || tool === null) return undefined;
  const { name, description, inputSchema, annotations } = tool as Record<string, unknown>;
  const hints = (annotations ?? {}) as Record<string, unknown>;
  const readOnly = hints['readOnlyHint'] === true;
  return {
    name: String(name).slice(0, 128),
    description: String(description ?? '').slice(0, 4_000),
    parameters: schemaOf(inputSchema),
    readOnly,
    idempotent: readOnly || hints['idempotentHint'] === true,
  };
}

function schemaOf(value: unknown): Record<string, unknown> {
  const isSchema = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isSchema ? (value as Record<string, unknown>) : { type: 'object' };
}

function readResult(result: Record<string, unknown>): ToolOutcome {
  const parts: unknown[] = Array.isArray(result['content']) ? result['content'] : [];
  const texts = parts.map(asObject).map((part) => {
    const { type, text, uri, mimeType } = part;
    if (type === 'text' && typeof text === 'string') return text;
    if (type === 'resource') {
      const resource = asObject(part['resource']);
      return typeof resource['text'] === 'string' ? resource['text'] : `[resource ${shown(resource['uri'])}]`;
    }
    if (type === 'resource_link') return `[resource ${shown(uri)}]`;
    return `[${shown(type)} ${shown(mimeType)}]`;
  });
  if (texts.length === 0 && result['structuredContent'] !== undefined)
    texts.push(JSON.stringify(result['structuredContent']));
  return outcome(texts.join('\n'), result['isError'] === true);
}

/** What should be a text: String() of an object from outside may throw, after the tool has run. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
