function tokensOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The value at a JSON pointer (RFC 6901), or undefined. */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const token of tokensOf(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
    value = (value as Record<string, unknown>)[token];
  }
  return value;
}

/** A copy of `document` with a value set at a JSON pointer; objects on the way are made, and replace what is no object. */
export function withValueAt(document: unknown, pointer: string, value: unknown): unknown {
  return setAt(document, tokensOf(pointer), value);
}

function setAt(document: unknown, [token, ...rest]: string[], value: unknown): unknown {
  if (token === undefined) return value;
  if (Array.isArray(document) && /^\d{1,4}$/.test(token)) {
    const copy = [...document];
    copy[Number(token)] = setAt(copy[Number(token)], rest, value);
    return copy;
  }
  const object = typeof document === 'object' && document !== null && !Array.isArray(document) ? document : {};
  // Computed keys in a literal make own members, `__proto__` too.
  return { ...object, [token]: setAt((object as Record<string, unknown>)[token], rest, value) };
}
