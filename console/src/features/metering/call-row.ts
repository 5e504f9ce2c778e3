import type { Answer, Item } from '@lintel/sdk';

/** A call as lists show it. */
export type CallRow = Item<'GET /v1/calls'>;

/** A call with its decision trace; operators also see what the provider charges. */
export type TracedCall = Answer<'GET /v1/calls/{id}'> & { cost?: string | null; costCurrency?: string | null };

/** What was called: `agent/<name>@<version>`, or the model. */
export function targetOf(
  call: Pick<CallRow, 'provider' | 'model' | 'kind' | 'agentId'>,
  agentNames?: ReadonlyMap<string, string>,
): string {
  if (call.model?.startsWith('agent/')) return call.model;
  const agent = call.agentId === null ? undefined : agentNames?.get(call.agentId);
  if (agent !== undefined) return `agent/${agent}`;
  if (call.model === null) return call.kind;
  const isWhole = call.provider === null || call.model.startsWith(`${call.provider}/`);
  return isWhole ? call.model : `${call.provider}/${call.model}`;
}
