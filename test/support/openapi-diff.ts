/** A JSON object of an OpenAPI document. */
type Json = { readonly [name: string]: unknown };

const methods = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * What of an API description would break a client of the one before: one line per fault, empty when only things were added. Input may
 * take more and ask for no more; answers may tell more and leave nothing out.
 */
export function incompatibleChanges(before: unknown, after: unknown): string[] {
  const found: string[] = [];
  const [old, now] = [before as Json, after as Json];
  for (const [path, item] of entries(old['paths'])) {
    for (const method of methods.filter((each) => objectOf(item)[each] !== undefined)) {
      const at = `${method.toUpperCase()} ${path}`;
      const [was, is] = [objectOf(objectOf(item)[method]), objectOf(objectOf(now['paths'])[path])[method]];
      if (is === undefined) found.push(`${at}: is gone`);
      else operation(was, objectOf(is), (fault) => found.push(`${at}: ${fault}`), [old, now]);
    }
  }
  return found;
}

type Say = (fault: string) => void;
type Documents = readonly [Json, Json];

function operation(was: Json, is: Json, say: Say, documents: Documents): void {
  if (was['operationId'] !== is['operationId'])
    say(`the operationId was ${String(was['operationId'])} and is ${String(is['operationId'])}`);
  if (is['security'] !== undefined && was['security'] === undefined) say('asks for a credential, which it did not');
  const parameters = (from: Json) =>
    new Map(listOf(from['parameters']).map((each) => [`${String(each['in'])} ${String(each['name'])}`, each]));
  const [oldParameters, newParameters] = [parameters(was), parameters(is)];
  for (const [name, parameter] of oldParameters) {
    const kept = newParameters.get(name);
    if (kept === undefined) say(`takes ${name} no more`);
    else {
      if (kept['required'] === true && parameter['required'] !== true) say(`asks for ${name}, which could be left out`);
      input(objectOf(parameter['schema']), objectOf(kept['schema']), name, say, documents);
    }
  }
  for (const [name, parameter] of newParameters)
    if (!oldParameters.has(name) && parameter['required'] === true) say(`asks for ${name}, which is new`);

  const [oldBody, newBody] = [objectOf(was['requestBody']), objectOf(is['requestBody'])];
  if (is['requestBody'] !== undefined && newBody['required'] === true && oldBody['required'] !== true)
    say('asks for a body, which could be left out');
  for (const [type, content] of entries(oldBody['content'])) {
    const kept = objectOf(newBody['content'])[type];
    if (kept === undefined) say(`takes no body of ${type} any more`);
    else input(objectOf(objectOf(content)['schema']), objectOf(objectOf(kept)['schema']), 'body', say, documents);
  }

  for (const [status, response] of entries(was['responses'])) {
    const kept = objectOf(is['responses'])[status];
    if (kept === undefined) {
      say(`answers ${status} no more`);
      continue;
    }
    for (const [type, content] of entries(objectOf(response)['content'])) {
      const now = objectOf(objectOf(kept)['content'])[type];
      if (now === undefined) say(`answers ${status} with no ${type} any more`);
      else
        output(
          objectOf(objectOf(content)['schema']),
          objectOf(objectOf(now)['schema']),
          String(status),
          say,
          documents,
        );
    }
  }
}

/** Everything that was taken must still be taken. */
function input(was: Json, is: Json, at: string, say: Say, documents: Documents): void {
  const [old, now] = [resolve(was, documents[0]), resolve(is, documents[1])];
  const [oldOptions, newOptions] = [optionsOf(old), optionsOf(now)];
  if (oldOptions.length > 1 || newOptions.length > 1) {
    for (const option of oldOptions) {
      const faults = newOptions.map((each) => collect((inner) => input(option, each, at, inner, documents)));
      if (!faults.some((each) => each.length === 0))
        say(`${at}: ${named(option)} is taken no more (${faults[0]?.[0] ?? 'nothing is'})`);
    }
    return;
  }
  narrowedType(old, now, at, say);
  narrowedValues(valuesOf(old), valuesOf(now), at, say);
  for (const [bound, tighter] of bounds) {
    const [a, b] = [old[bound] as number | undefined, now[bound] as number | undefined];
    if (b !== undefined && (a === undefined || tighter(b, a)))
      say(`${at}: ${bound} was ${String(a ?? 'open')} and is ${b}`);
  }
  for (const rule of ['pattern', 'format'])
    if (now[rule] !== undefined && now[rule] !== old[rule])
      say(`${at}: ${rule} was ${String(old[rule] ?? 'open')} and is ${String(now[rule])}`);
  if (now['uniqueItems'] === true && old['uniqueItems'] !== true) say(`${at}: items must be unique`);
  const required = new Set(namesOf(old['required']));
  for (const name of namesOf(now['required']))
    if (!required.has(name)) say(`${at}/${name}: must be sent, and could be left out`);
  const kept = objectOf(now['properties']);
  for (const [name, member] of entries(old['properties'])) {
    if (kept[name] !== undefined) input(objectOf(member), objectOf(kept[name]), `${at}/${name}`, say, documents);
    else if (now['additionalProperties'] === false) say(`${at}/${name}: is taken no more`);
  }
  if (now['additionalProperties'] === false && old['additionalProperties'] !== false && old['type'] === 'object')
    say(`${at}: other members are taken no more`);
  if (isObject(old['additionalProperties']) && isObject(now['additionalProperties']))
    input(old['additionalProperties'], now['additionalProperties'], `${at}/*`, say, documents);
  if (old['items'] !== undefined && now['items'] !== undefined)
    input(objectOf(old['items']), objectOf(now['items']), `${at}/*`, say, documents);
}

/** Everything that is told now must be of a form that was known. */
function output(was: Json, is: Json, at: string, say: Say, documents: Documents): void {
  const [old, now] = [resolve(was, documents[0]), resolve(is, documents[1])];
  const [oldOptions, newOptions] = [optionsOf(old), optionsOf(now)];
  if (oldOptions.length > 1 || newOptions.length > 1) {
    for (const option of newOptions) {
      const faults = oldOptions.map((each) => collect((inner) => output(each, option, at, inner, documents)));
      if (!faults.some((each) => each.length === 0))
        say(`${at}: may now be ${named(option)} (${faults[0]?.[0] ?? 'nothing was'})`);
    }
    return;
  }
  narrowedType(now, old, at, say);
  // A closed list of words may grow (clients must expect new ones), but not turn into open text.
  if (valuesOf(old) !== undefined && valuesOf(now) === undefined) say(`${at}: was one of a list and is open`);
  const required = new Set(namesOf(now['required']));
  for (const name of namesOf(old['required'])) if (!required.has(name)) say(`${at}/${name}: was always there`);
  const kept = objectOf(now['properties']);
  for (const [name, member] of entries(old['properties'])) {
    if (kept[name] === undefined) say(`${at}/${name}: is gone`);
    else output(objectOf(member), objectOf(kept[name]), `${at}/${name}`, say, documents);
  }
  if (isObject(old['additionalProperties']) && isObject(now['additionalProperties']))
    output(old['additionalProperties'], now['additionalProperties'], `${at}/*`, say, documents);
  if (old['items'] !== undefined) {
    if (now['items'] === undefined) say(`${at}: what the list holds is no longer said`);
    else output(objectOf(old['items']), objectOf(now['items']), `${at}/*`, say, documents);
  }
}

const larger = (a: number, b: number) => a > b;
const smaller = (a: number, b: number) => a < b;
const bounds: readonly (readonly [string, (now: number, was: number) => boolean])[] = [
  ['minimum', larger],
  ['exclusiveMinimum', larger],
  ['minLength', larger],
  ['minItems', larger],
  ['minProperties', larger],
  ['maximum', smaller],
  ['exclusiveMaximum', smaller],
  ['maxLength', smaller],
  ['maxItems', smaller],
  ['maxProperties', smaller],
];

function narrowedType(wide: Json, narrow: Json, at: string, say: Say): void {
  const [was, is] = [typesOf(wide), typesOf(narrow)];
  if (is === undefined || is.has('any')) return;
  if (was === undefined) say(`${at}: could be anything and is ${[...is].join(' or ')}`);
  for (const type of was ?? [])
    if (!is.has(type) && !(type === 'integer' && is.has('number')))
      say(`${at}: ${type} does not fit ${[...is].join(' or ')}`);
}

function narrowedValues(
  was: readonly unknown[] | undefined,
  is: readonly unknown[] | undefined,
  at: string,
  say: Say,
): void {
  if (is === undefined) return;
  if (was === undefined) say(`${at}: was open and is one of ${is.map(String).join(', ')}`);
  for (const value of was ?? []) if (!is.includes(value)) say(`${at}: "${String(value)}" is taken no more`);
}

function typesOf(schema: Json): Set<string> | undefined {
  const { type } = schema;
  if (typeof type === 'string') return new Set([type]);
  return Array.isArray(type) ? new Set(type.map(String)) : undefined;
}

function valuesOf(schema: Json): readonly unknown[] | undefined {
  if ('const' in schema) return [schema['const']];
  return Array.isArray(schema['enum']) ? schema['enum'] : undefined;
}

function optionsOf(schema: Json): Json[] {
  const options = schema['anyOf'] ?? schema['oneOf'];
  return Array.isArray(options) ? options.map(objectOf) : [schema];
}

function resolve(schema: Json, document: Json): Json {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return schema;
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce((at, name) => objectOf(at[name]), document);
}

function named(schema: Json): string {
  const values = valuesOf(schema);
  if (values !== undefined) return values.map((value) => `"${String(value)}"`).join(' or ');
  return String(schema['type'] ?? 'another form');
}

function collect(run: (say: Say) => void): string[] {
  const faults: string[] = [];
  run((fault) => faults.push(fault));
  return faults;
}

function isObject(value: unknown): value is Json {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

function entries(value: unknown): [string, unknown][] {
  return Object.entries(objectOf(value));
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function namesOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
