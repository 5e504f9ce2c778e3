import type { Answer, Item } from '@lintel/sdk';

/** A call as lists show it. */
export type CallRow = Item<'GET /v1/calls'>;

/** A call with its decision trace; operators also see what the provider charges. */
export type TracedCall = Answer<'GET /v1/calls/{id}'> & { cost?: string | null; costCurrency?: string | null };

/** What was called, as the caller named it. */
export function targetOf(call: Pick<CallRow, 'provider' | 'model' | 'kind'>): string {
  if (call.model === null) return call.kind;
  return call.provider === null ? call.model : `${call.provider}/${call.model}`;
}
