import { invalidInput } from '#kernel/problem';
import {
  asObject,
  type ExpandBudget,
  expandBudget,
  expandSchema,
  resolveReference as resolve,
} from './expand-schema.ts';
import type { SourceFunction } from './store.ts';

type Json = Record<string, unknown>;

const methods = ['get', 'put', 'post', 'delete', 'patch', 'head'] as const;
const maxOperations = 300;

/**
 * The operations of an OpenAPI 3.x document as functions: parameters by name, a JSON body as the member `body`. Only `GET` and
 * `HEAD` count as changing nothing (RFC 9110 §9.2.1). Local `$ref`s are resolved (to a depth of 12; what refers to itself becomes
 * "anything" there). 400 when it is no such document.
 */
export function readOpenapi(
  document: Json,
  baseUrl: string | undefined,
  documentUrl: string | undefined,
): SourceFunction[] {
  const version = document['openapi'];
  if (typeof version !== 'string' || !/^3\.\d/.test(version))
    throw invalidInput('/config/document', 'is not an OpenAPI 3 document');
  const base = baseOf(document, baseUrl, documentUrl);
  const paths = asObject(document['paths']);
  const found: SourceFunction[] = [];
  const names = new Set<string>();
  const left = expandBudget();
  for (const [path, rawItem] of Object.entries(paths)) {
    // It follows the server's address: without a slash it could go on the host's name.
    if (!path.startsWith('/')) throw invalidInput('/config/document', 'has a path that does not begin with "/"');
    const item = asObject(resolve(document, rawItem));
    for (const method of methods) {
      if (item[method] === undefined) continue;
      if (found.length === maxOperations)
        throw invalidInput('/config/document', `has more than ${maxOperations} operations`);
      const operation = asObject(item[method]);
      const fallback = `${method}_${path.replace(/[^A-Za-z0-9]+/g, '_').replace(/^_|_$/g, '')}`;
      const given = operation['operationId'];
      let name = (typeof given === 'string' ? given : fallback).slice(0, 100);
      if (names.has(name)) name = `${name}_${found.length}`;
      names.add(name);
      found.push(readOperation(document, left, base, path, method, name, item, operation));
    }
  }
  if (found.length === 0) throw invalidInput('/config/document', 'has no operations');
  return found;
}

function readOperation(
  document: Json,
  left: ExpandBudget,
  base: string,
  path: string,
  method: string,
  name: string,
  item: Json,
  operation: Json,
): SourceFunction {
  const properties = new Map<string, unknown>();
  const required: string[] = [];
  const places = new Map<string, 'path' | 'query' | 'header'>();
  for (const raw of [...asList(item['parameters']), ...asList(operation['parameters'])]) {
    const parameter = asObject(resolve(document, raw));
    const parameterName = parameter['name'];
    const place = parameter['in'];
    if (typeof parameterName !== 'string' || (place !== 'path' && place !== 'query' && place !== 'header')) continue;
    // What guards the request is not the model's to set.
    if (
      place === 'header' &&
      /^(host|content-.*|.*[^\w.!#$%&'*+^`|~-].*|transfer-encoding|connection|authorization|cookie|idempotency-key)$/i.test(
        parameterName,
      )
    )
      continue;
    places.set(parameterName, place);
    const schema = asObject(expandSchema(document, parameter['schema'] ?? {}, left));
    const description = parameter['description'] ?? schema['description'];
    properties.set(parameterName, description === undefined ? schema : { ...schema, description });
    if ((parameter['required'] === true || place === 'path') && !required.includes(parameterName))
      required.push(parameterName);
  }
  const body = asObject(resolve(document, operation['requestBody'] ?? {}));
  const content = asObject(body['content']);
  const json = Object.entries(content).find(([type]) => /^application\/(.*\+)?json\b/.test(type))?.[1];
  if (json !== undefined) {
    properties.set('body', expandSchema(document, asObject(json)['schema'] ?? {}, left));
    if (body['required'] === true) required.push('body');
  }
  const description = [operation['summary'], operation['description']]
    .filter((text) => typeof text === 'string')
    .join('. ');
  return {
    name,
    description: (description || `${method.toUpperCase()} ${path}`).slice(0, 1_000),
    parameters: { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties: false },
    readOnly: method === 'get' || method === 'head',
    idempotent: method === 'get' || method === 'head',
    http: { method: method.toUpperCase(), path, base, places: Object.fromEntries(places), body: json !== undefined },
  };
}

/** The request of an operation: throws TypeError when a path parameter would leave its place. */
export function requestOf(
  http: NonNullable<SourceFunction['http']>,
  args: Readonly<Record<string, unknown>>,
): { method: string; url: string; headers: Record<string, string>; body?: string } {
  const headers: Record<string, string> = { accept: 'application/json, text/plain;q=0.5' };
  const query = new URLSearchParams();
  let { path } = http;
  for (const [name, place] of Object.entries(http.places)) {
    const value = Object.hasOwn(args, name) ? args[name] : undefined;
    if (value === undefined || value === null) continue;
    if (place === 'path') {
      const text = encodeURIComponent(plain(value));
      if (/^(\.|%2e){0,2}$/i.test(text)) throw new TypeError(`The path parameter ${name} may not be "${text}".`);
      path = path.replaceAll(`{${name}}`, () => text);
    } else if (place === 'query') {
      for (const one of Array.isArray(value) ? value : [value]) query.append(name, plain(one));
    } else {
      headers[name.toLowerCase()] = plain(value).replace(/[^\x20-\x7e]/g, ' ');
    }
  }
  const search = query.size === 0 ? '' : `?${query}`;
  const request = { method: http.method, url: `${http.base.replace(/\/$/, '')}${path}${search}`, headers };
  if (!http.body || args['body'] === undefined) return request;
  headers['content-type'] = 'application/json';
  return { ...request, body: JSON.stringify(args['body']) };
}

function plain(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function baseOf(document: Json, baseUrl: string | undefined, documentUrl: string | undefined): string {
  if (baseUrl !== undefined) return baseUrl;
  const server = asObject(asList(document['servers'])[0])['url'];
  try {
    const url = new URL(typeof server === 'string' ? server : '/', documentUrl);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url.href;
  } catch {
    // Told below: neither the document nor the caller names a whole address.
  }
  throw invalidInput('/config/baseUrl', 'is needed: the document names no whole server address');
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
