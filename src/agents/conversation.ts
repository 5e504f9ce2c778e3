import { invalidInput } from '#kernel/problem';
import type { ContentPart, Message, ToolCall } from '#models';

const maxMessages = 2_000;

/** Reads a conversation in OpenAI's form; 400 with a pointer at what is wrong. `at` is the pointer of the list. */
export function readMessages(value: unknown, at: string): Message[] {
  if (!Array.isArray(value) || value.length === 0) throw invalidInput(at, 'needs at least one message');
  if (value.length > maxMessages) throw invalidInput(at, `takes at most ${maxMessages} messages`);
  return value.map((message, i) => readMessage(message, `${at}/${i}`));
}

function readMessage(value: unknown, at: string): Message {
  const message = asObject(value, at);
  const role = message['role'];
  if (role === 'system' || role === 'developer')
    return { role: 'system', content: readContent(message['content'], at) };
  if (role === 'user') return { role, content: readContent(message['content'], at) };
  if (role === 'assistant') {
    const calls = message['tool_calls'];
    const toolCalls = Array.isArray(calls) ? calls.map((call, i) => readCall(call, `${at}/tool_calls/${i}`)) : [];
    const content = message['content'] ?? '';
    return {
      role,
      content: plain(readContent(content, at)),
      ...(toolCalls.length === 0 ? {} : { toolCalls }),
    };
  }
  if (role === 'tool') {
    const id = message['tool_call_id'];
    if (typeof id !== 'string') throw invalidInput(`${at}/tool_call_id`, 'is missing');
    return { role, toolCallId: id, content: plain(readContent(message['content'], at)) };
  }
  throw invalidInput(`${at}/role`, 'must be one of system, developer, user, assistant, tool');
}

function readContent(value: unknown, at: string): string | ContentPart[] {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) throw invalidInput(`${at}/content`, 'must be a text or a list of parts');
  return value.map((raw, i) => {
    const part = asObject(raw, `${at}/content/${i}`);
    if (part['type'] === 'text' && typeof part['text'] === 'string') return { type: 'text', text: part['text'] };
    const image = part['type'] === 'image_url' ? part['image_url'] : undefined;
    const url = typeof image === 'object' && image !== null ? (image as { url?: unknown }).url : image;
    if (typeof url === 'string' && /^(https?:|data:image\/)/.test(url)) return { type: 'image', url };
    throw invalidInput(`${at}/content/${i}`, 'must be a part of type text or image_url');
  });
}

function readCall(value: unknown, at: string): ToolCall {
  const call = asObject(value, at);
  const { name, arguments: args } = asObject(call['function'], `${at}/function`);
  if (typeof call['id'] !== 'string') throw invalidInput(`${at}/id`, 'is missing');
  if (typeof name !== 'string') throw invalidInput(`${at}/function/name`, 'is missing');
  return { id: call['id'], name, arguments: typeof args === 'string' ? args : '{}' };
}

function asObject(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidInput(at, 'must be an object');
  return value as Record<string, unknown>;
}

/** The text of a content, images left out. */
export function plain(content: string | readonly ContentPart[]): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** The text of the last message of the user. */
export function lastUserText(messages: readonly Message[]): string {
  const last = messages.findLast((message) => message.role === 'user');
  return last === undefined ? '' : plain(last.content);
}

/** A conversation in OpenAI's form. */
export function toOpenai(messages: readonly Message[]): Record<string, unknown>[] {
  return messages.map((message) => {
    if (message.role === 'tool') return { role: 'tool', tool_call_id: message.toolCallId, content: message.content };
    if (message.role === 'assistant') {
      const calls = message.toolCalls?.map(({ id, name, arguments: args }) => ({
        id,
        type: 'function',
        function: { name, arguments: args },
      }));
      return { role: 'assistant', content: message.content, ...(calls === undefined ? {} : { tool_calls: calls }) };
    }
    const { role, content } = message;
    if (typeof content === 'string') return { role, content };
    return {
      role,
      content: content.map((part) =>
        part.type === 'text' ? part : { type: 'image_url', image_url: { url: part.url } },
      ),
    };
  });
}
