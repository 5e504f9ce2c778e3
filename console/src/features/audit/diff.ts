/** One field that differs between two states; undefined where it was not there. Values are shown as JSON. */
export type FieldChange = { field: string; before: string | undefined; after: string | undefined };

/** The fields in which two states differ, nested ones by their path (`guardrails.maxSteps`), in alphabetical order. */
export function diffOf(before: unknown, after: unknown): FieldChange[] {
  const was = flatten(before);
  const is = flatten(after);
  return [...new Set([...was.keys(), ...is.keys()])]
    .sort()
    .map((field) => ({ field, before: was.get(field), after: is.get(field) }))
    .filter((change) => change.before !== change.after);
}

function flatten(value: unknown, path = '', into = new Map<string, string>()): Map<string, string> {
  if (value === undefined || (value === null && path === '')) return into;
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    for (const [name, inner] of Object.entries(value)) flatten(inner, path === '' ? name : `${path}.${name}`, into);
    return into;
  }
  into.set(path, JSON.stringify(value));
  return into;
}
