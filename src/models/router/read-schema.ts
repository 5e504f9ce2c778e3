import type { JsonSchema } from './types.ts';

/** The schema behind local `$ref`s and nullable `anyOf`s; other references stay as they are. */
export function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema {
  let current = schema;
  for (let hops = 0; hops < 5; hops++) {
    const ref = current['$ref'];
    if (typeof ref === 'string') {
      if (ref !== '#' && !ref.startsWith('#/')) return current;
      const target = ref
        .split('/')
        .slice(1)
        .reduce<unknown>((node, key) => asObject(node)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')], root);
      current = {
        ...(asObject(target) ?? {}),
        ...Object.fromEntries(Object.entries(current).filter(([key]) => key !== '$ref')),
      };
      continue;
    }
    const branches =
      [current['anyOf'], current['oneOf']].find(Array.isArray)?.map((branch) => asObject(branch) ?? {}) ?? [];
    const useful = branches.filter((branch) => branch['type'] !== 'null' && !('const' in branch));
    if (useful.length === 0 || typeOf(current) !== undefined) return current;
    current = {
      ...(useful[0] as JsonSchema),
      ...(current['description'] === undefined ? {} : { description: current['description'] }),
    };
  }
  return current;
}

/** The type of a schema, without `null`; `object` where only properties tell it. */
export function typeOf(schema: JsonSchema): string | undefined {
  const type = schema['type'];
  if (Array.isArray(type)) return type.find((name): name is string => typeof name === 'string' && name !== 'null');
  if (typeof type === 'string') return type;
  return asObject(schema['properties']) === undefined ? undefined : 'object';
}

/** A JSON object, or `undefined` for anything else. */
export function asObject(value: unknown): JsonSchema | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonSchema) : undefined;
}

/** A string, or an empty one for anything else. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
