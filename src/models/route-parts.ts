import Type from 'typebox';

import type { Context } from '#kernel/http';
import { type IdKind, parseId } from '#kernel/ids';
import { pageQuery } from '#kernel/pages';
import { notFound } from '#kernel/problem';

import type * as schemas from './schemas.ts';
import type { ProviderRow } from './store.ts';

/** What differs between a tenant's own routes and the operators'. */
export type Owner = {
  area: 'tenant' | 'platform';
  base: string;
  /** Sets the operators' operation ids apart. */
  suffix: '' | 'Platform';
  providers: string;
  models: string;
  owner: (context: { tenantId: string }) => string;
  provider: typeof schemas.providerSchema | typeof schemas.platformProviderSchema;
  newProvider: typeof schemas.newPlatformProviderSchema | typeof schemas.newProviderSchema;
  providerChange: typeof schemas.platformProviderChangeSchema | typeof schemas.providerChangeSchema;
  newModel: typeof schemas.newPlatformModelSchema | typeof schemas.newModelSchema;
  modelChange: typeof schemas.platformModelChangeSchema | typeof schemas.modelChangeSchema;
  shown: (row: ProviderRow) => Record<string, unknown>;
};

/** Path of one thing. */
export const idParams = Type.Object({ id: Type.String() });
/** Query of a list. */
export const pageOptions = Type.Object(pageQuery);
/** Answer without a body. */
export const gone = { 204: Type.Null() };

/** The UUID behind an id in a path; the same 404 for a bad id as for an unknown one. */
export function uuidOf(kind: IdKind, text: string, what: string): string {
  const id = parseId(kind, text);
  if (id === undefined) throw notFound(what);
  return id;
}

/** The provider named in a path. */
export function providerOf(context: { params: { id: string } }): string {
  return uuidOf('provider', context.params.id, 'provider');
}

/** The model named in a path. */
export function modelOf(context: { params: { modelId: string } }): string {
  return uuidOf('model', context.params.modelId, 'model');
}

/** 204. */
export function noContent(context: Pick<Context, 'reply'>): null {
  context.reply.code(204);
  return null;
}
