import { table } from '#kernel/tables';

const more = { home: 'tenant', tenantRows: true, kept: 'until deleted', erased: 'deleted' } as const;

/** The tables of models. */
export const tables = [
  table('providers', 'tenant_id id name preset base_url key_sealed key_hint status shared_with created_at', {
    ...more,
    data: { key_sealed: 'secret', key_hint: 'secret' },
  }),
  table(
    'models',
    'tenant_id id provider_id name kind context_tokens max_output_tokens max_image_tokens max_audio_tokens cheap fallbacks bytes_per_token created_at',
    more,
  ),
  table(
    'cost_prices',
    'tenant_id model_id valid_from currency input_tokens cached_input_tokens cache_write_input_tokens output_tokens reasoning_tokens requests',
    more,
  ),
  table('egress_rules', 'tenant_id id target note created_at', { ...more, home: 'platform' }),
];
