type Json = Record<string, unknown>;

/** What is left to be written out of one document: documents may refer to the same large part many times over. */
export type ExpandBudget = { nodes: number; chars: number };

const nodesOfSchema = 2_000;
const mostDepth = 12;

/** The budget of a document: no more than a large one has. */
export function expandBudget(): ExpandBudget {
  return { nodes: 100_000, chars: 4_000_000 };
}

/** What a local reference points at, through at most 12 references. */
export function resolveReference(document: Json, value: unknown): unknown {
  let found = value;
  for (let hops = 0; hops < 12; hops++) {
    const reference = asObject(found)['$ref'];
    if (typeof reference !== 'string') return found;
    if (reference !== '#' && !reference.startsWith('#/')) return {};
    found = document;
    for (const token of reference.split('/').slice(1)) {
      const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
      found = Object.hasOwn(asObject(found), name) ? asObject(found)[name] : undefined;
    }
  }
  return {};
}

/** A schema with its references written out within a budget, to a depth of 12: beyond either it says "anything". */
export function expandSchema(document: Json, schema: unknown, left: ExpandBudget): unknown {
  let nodes = nodesOfSchema;
  const walk = (value: unknown, depth: number): unknown => {
    if (typeof value !== 'object' || value === null) {
      left.chars -= 8 + (typeof value === 'string' ? value.length : 0);
      return left.chars < 0 ? undefined : value;
    }
    if (depth > mostDepth || nodes-- <= 0 || left.nodes-- <= 0 || left.chars < 0)
      return Array.isArray(value) ? undefined : {};
    if (Array.isArray(value)) {
      const items = value.map((item) => walk(item, depth + 1));
      // Half a list of allowed values would refuse the other half.
      return items.includes(undefined) ? undefined : items;
    }
    const members = Object.entries(asObject(resolveReference(document, value)));
    for (const [name] of members) left.chars -= name.length;
    return Object.fromEntries(
      members.map(([name, item]) => [name, walk(item, depth + 1)]).filter(([, item]) => item !== undefined),
    );
  };
  return walk(schema, 0);
}

/** A JSON object, or an empty one in place of anything else. */
export function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
