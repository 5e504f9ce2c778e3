/** What pg's prepared queries hand to their connection. `values` may be anything until `valueMapper` made it text, bytes or nothing. */
export type Bind = {
  portal?: string;
  statement?: string;
  binary?: boolean;
  values?: readonly unknown[];
  valueMapper?: (value: unknown, index: number) => unknown;
};

/**
 * A Bind message (PostgreSQL, Message Formats) in a buffer of its size. pg-protocol's own grows from 256 bytes by half for each
 * message, three times what is sent, and memory outside the heap is what makes V8 collect all of it. Throws what `valueMapper` throws.
 */
export function bindMessage({ portal = '', statement = '', binary = false, values = [], valueMapper }: Bind): Buffer {
  const count = values.length;
  const sent = values.map((value, index) => (valueMapper === undefined ? value : valueMapper(value, index)));
  const sizes = sent.map((value) =>
    value === null || value === undefined
      ? -1
      : Buffer.isBuffer(value)
        ? value.length
        : Buffer.byteLength(String(value)),
  );
  const names = Buffer.byteLength(portal) + Buffer.byteLength(statement) + 2;
  const total = 5 + names + 4 + count * 6 + 4 + sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  if (count > 0xffff) throw new RangeError(`A statement has at most 65,535 parameters, not ${count}.`);
  const message = Buffer.allocUnsafe(total);
  let at = message.writeUInt8(0x42, 0);
  at = message.writeInt32BE(total - 1, at);
  for (const name of [portal, statement]) at = message.writeUInt8(0, at + message.write(name, at));
  at = message.writeUInt16BE(count, at);
  for (const value of sent) at = message.writeInt16BE(Buffer.isBuffer(value) ? 1 : 0, at);
  at = message.writeUInt16BE(count, at);
  for (let index = 0; index < count; index++) {
    const value = sent[index];
    at = message.writeInt32BE(sizes[index] as number, at);
    if (Buffer.isBuffer(value)) at += value.copy(message, at);
    else if (sizes[index] !== -1) at += message.write(String(value), at);
  }
  // All columns of the result in one format.
  message.writeInt16BE(binary ? 1 : 0, message.writeInt16BE(1, at));
  return message;
}
