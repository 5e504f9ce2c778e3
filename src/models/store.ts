import type { Tx } from '#kernel/database';

import type { ModelKind, PresetName, PricedQuantity } from './types.ts';

/** A provider's row. */
export type ProviderRow = {
  tenantId: string;
  id: string;
  name: string;
  preset: PresetName;
  baseUrl: string;
  keySealed: string | null;
  /** The last four characters of the key: all that answers show of it. */
  keyHint: string | null;
  status: 'active' | 'disabled';
  sharedWith: string[] | null;
  createdAt: string;
};

/** A model's row. */
export type ModelRow = {
  tenantId: string;
  id: string;
  providerId: string;
  name: string;
  kind: ModelKind;
  contextTokens: number | null;
  maxOutputTokens: number | null;
  maxImageTokens: number | null;
  maxAudioTokens: number | null;
  cheap: boolean;
  fallbacks: string[];
  bytesPerToken: number;
  createdAt: string;
};

/** An entry of the price book as PostgreSQL keeps it: prices with 12 decimals, null where not priced apart. */
export type PriceRow = { tenantId: string; modelId: string; validFrom: string; currency: string } & Record<
  PriceColumn,
  string | null
>;

type PriceColumn =
  | 'inputTokens'
  | 'cachedInputTokens'
  | 'cacheWriteInputTokens'
  | 'outputTokens'
  | 'reasoningTokens'
  | 'requests';

/** An address that the operator allows although it is private; `target` as kernel/egress reads it (`host:port` or a CIDR). */
export type EgressRuleRow = { tenantId: string; id: string; target: string; note: string; createdAt: string };

const providerColumns = 'tenant_id, id, name, preset, base_url, key_sealed, key_hint, status, shared_with, created_at';
const modelColumns =
  'tenant_id, id, provider_id, name, kind, context_tokens, max_output_tokens, max_image_tokens, max_audio_tokens, cheap, fallbacks, bytes_per_token, created_at';
const priceColumns =
  'p.tenant_id, p.model_id, p.valid_from, p.currency, p.input_tokens, p.cached_input_tokens, p.cache_write_input_tokens, p.output_tokens, p.reasoning_tokens, p.requests';

/** What the snapshot of providers is made of: all, or those of the given provider ids. */
export async function loadProviders(
  tx: Tx,
  ids: readonly string[] | undefined,
): Promise<{ providers: ProviderRow[]; models: ModelRow[]; prices: PriceRow[] }> {
  const which = [ids === undefined ? null : [...ids]];
  return {
    providers: await tx.query(
      `SELECT ${providerColumns} FROM providers WHERE $1::uuid[] IS NULL OR id = ANY ($1)`,
      which,
    ),
    models: await tx.query(
      `SELECT ${modelColumns} FROM models WHERE $1::uuid[] IS NULL OR provider_id = ANY ($1) ORDER BY id`,
      which,
    ),
    prices: await tx.query(
      `SELECT ${priceColumns} FROM cost_prices p JOIN models m ON m.tenant_id = p.tenant_id AND m.id = p.model_id
       WHERE $1::uuid[] IS NULL OR m.provider_id = ANY ($1)`,
      which,
    ),
  };
}

/** A page of a tenant's providers, oldest first, after the given id. */
export function listProviders(tx: Tx, tenantId: string, after: string | undefined, limit: number) {
  return tx.query<ProviderRow>(
    `SELECT ${providerColumns} FROM providers WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3`,
    [tenantId, after ?? null, limit],
  );
}

/** One provider, locked when it is about to change. */
export function findProvider(tx: Tx, tenantId: string, id: string, lock = false) {
  return tx.maybe<ProviderRow>(
    `SELECT ${providerColumns} FROM providers WHERE tenant_id = $1 AND id = $2 ${lock ? 'FOR UPDATE' : ''}`,
    [tenantId, id],
  );
}

/** Writes a new provider; false when the name is taken. */
export async function insertProvider(tx: Tx, row: ProviderRow): Promise<boolean> {
  const count = await tx.execute(
    `INSERT INTO providers (${providerColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (tenant_id, name) DO NOTHING`,
    [
      row.tenantId,
      row.id,
      row.name,
      row.preset,
      row.baseUrl,
      row.keySealed,
      row.keyHint,
      row.status,
      row.sharedWith,
      row.createdAt,
    ],
  );
  return count === 1;
}

/** Writes what may change of a provider. */
export async function updateProvider(tx: Tx, row: ProviderRow): Promise<void> {
  await tx.execute(
    'UPDATE providers SET base_url = $3, key_sealed = $4, key_hint = $5, status = $6, shared_with = $7 WHERE tenant_id = $1 AND id = $2',
    [row.tenantId, row.id, row.baseUrl, row.keySealed, row.keyHint, row.status, row.sharedWith],
  );
}

/** Removes a provider with its models and prices. */
export async function deleteProvider(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute('DELETE FROM providers WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
}

/** A page of a provider's models, oldest first, after the given id. */
export function listModels(tx: Tx, tenantId: string, providerId: string, after: string | undefined, limit: number) {
  return tx.query<ModelRow>(
    `SELECT ${modelColumns} FROM models WHERE tenant_id = $1 AND provider_id = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4`,
    [tenantId, providerId, after ?? null, limit],
  );
}

/** One model of a provider, locked when it is about to change. */
export function findModel(tx: Tx, tenantId: string, providerId: string, id: string, lock = false) {
  return tx.maybe<ModelRow>(
    `SELECT ${modelColumns} FROM models WHERE tenant_id = $1 AND provider_id = $2 AND id = $3 ${lock ? 'FOR UPDATE' : ''}`,
    [tenantId, providerId, id],
  );
}

/** Writes a new model; false when the provider has one of that name. */
export async function insertModel(tx: Tx, row: ModelRow): Promise<boolean> {
  const count = await tx.execute(
    `INSERT INTO models (${modelColumns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (tenant_id, provider_id, name) DO NOTHING`,
    [
      row.tenantId,
      row.id,
      row.providerId,
      row.name,
      row.kind,
      row.contextTokens,
      row.maxOutputTokens,
      row.maxImageTokens,
      row.maxAudioTokens,
      row.cheap,
      row.fallbacks,
      row.bytesPerToken,
      row.createdAt,
    ],
  );
  return count === 1;
}

/** Writes what may change of a model. */
export async function updateModel(tx: Tx, row: ModelRow): Promise<void> {
  await tx.execute(
    `UPDATE models SET kind = $3, context_tokens = $4, max_output_tokens = $5, max_image_tokens = $6, max_audio_tokens = $7, cheap = $8, fallbacks = $9
     WHERE tenant_id = $1 AND id = $2`,
    [
      row.tenantId,
      row.id,
      row.kind,
      row.contextTokens,
      row.maxOutputTokens,
      row.maxImageTokens,
      row.maxAudioTokens,
      row.cheap,
      row.fallbacks,
    ],
  );
}

/** Removes a model with its prices. */
export async function deleteModel(tx: Tx, tenantId: string, id: string): Promise<void> {
  await tx.execute('DELETE FROM models WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
}

/** Keeps the bytes per token that this process observed: a statistic, not a change of state, so it has no event. */
export async function saveBytesPerToken(tx: Tx, tenantId: string, modelId: string, value: number): Promise<void> {
  await tx.execute('UPDATE models SET bytes_per_token = $3 WHERE tenant_id = $1 AND id = $2', [
    tenantId,
    modelId,
    value,
  ]);
}

/** The price book of one model, latest first. */
export function listPrices(tx: Tx, tenantId: string, modelId: string) {
  return tx.query<PriceRow>(
    `SELECT ${priceColumns} FROM cost_prices p WHERE p.tenant_id = $1 AND p.model_id = $2 ORDER BY p.valid_from DESC LIMIT 200`,
    [tenantId, modelId],
  );
}

/** Writes an entry of the price book; one of the same instant is replaced. */
export async function putPrice(
  tx: Tx,
  row: Pick<PriceRow, 'tenantId' | 'modelId' | 'validFrom' | 'currency'>,
  prices: Partial<Record<PricedQuantity, string>>,
): Promise<void> {
  await tx.execute(
    `INSERT INTO cost_prices (tenant_id, model_id, valid_from, currency, input_tokens, cached_input_tokens, cache_write_input_tokens, output_tokens, reasoning_tokens, requests)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (tenant_id, model_id, valid_from) DO UPDATE SET currency = excluded.currency, input_tokens = excluded.input_tokens,
       cached_input_tokens = excluded.cached_input_tokens, cache_write_input_tokens = excluded.cache_write_input_tokens,
       output_tokens = excluded.output_tokens, reasoning_tokens = excluded.reasoning_tokens, requests = excluded.requests`,
    [
      row.tenantId,
      row.modelId,
      row.validFrom,
      row.currency,
      prices.input_tokens ?? null,
      prices.cached_input_tokens ?? null,
      prices.cache_write_input_tokens ?? null,
      prices.output_tokens ?? null,
      prices.reasoning_tokens ?? null,
      prices.requests ?? null,
    ],
  );
}

const ruleColumns = 'tenant_id, id, target, note, created_at';

/** Rules for the snapshot: all, or those of the given ids. */
export function loadEgressRules(tx: Tx, ids: readonly string[] | undefined) {
  return tx.query<EgressRuleRow>(`SELECT ${ruleColumns} FROM egress_rules WHERE $1::uuid[] IS NULL OR id = ANY ($1)`, [
    ids === undefined ? null : [...ids],
  ]);
}

/** A page of all rules (the operator's view), oldest first, after the given id. */
export function listEgressRules(tx: Tx, after: string | undefined, limit: number) {
  return tx.query<EgressRuleRow>(
    `SELECT ${ruleColumns} FROM egress_rules WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2`,
    [after ?? null, limit],
  );
}

/** Writes a new rule; false when there is one for that target. */
export async function insertEgressRule(tx: Tx, row: EgressRuleRow): Promise<boolean> {
  const count = await tx.execute(
    `INSERT INTO egress_rules (${ruleColumns}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, target) DO NOTHING`,
    [row.tenantId, row.id, row.target, row.note, row.createdAt],
  );
  return count === 1;
}

/** Removes a rule; returns what it was. */
export function deleteEgressRule(tx: Tx, id: string) {
  return tx.maybe<EgressRuleRow>(`DELETE FROM egress_rules WHERE id = $1 RETURNING ${ruleColumns}`, [id]);
}
