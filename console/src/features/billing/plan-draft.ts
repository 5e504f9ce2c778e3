import type { Item } from '@lintel/sdk';

type PlanPrice = Item<'GET /v1/platform/plans'>['prices'][number];

/** A price as the form holds it. */
export type PriceRow = {
  /** That of the price in the version before: it goes on. */
  id?: string;
  meter: string;
  /** `provider/model`; empty: every model. */
  model: string;
  unit: string;
  per: string;
  included: string;
  /** A price that this form cannot say (tiers, other conditions): sent as it was. */
  kept?: PlanPrice;
};

/** A price to begin with. */
export const newRow: PriceRow = { meter: 'model.call.input_tokens', model: '', unit: '', per: '1000000', included: '' };

/** A plan's price in the form. */
export function draftOf(price: PlanPrice): PriceRow {
  const { id, meter, where = {}, price: rate } = price;
  const { model, ...others } = where as Record<string, unknown>;
  const per = rate.per ?? '1';
  const isPlain =
    (rate.model === 'per_unit' || rate.model === 'package') &&
    rate.roundUp !== true &&
    ['1', '1000', '1000000'].includes(per) &&
    Object.keys(others).length === 0 &&
    (model === undefined || typeof model === 'string');
  return {
    id,
    meter,
    model: typeof model === 'string' ? model : '',
    unit: rate.unit ?? '',
    per,
    included: rate.included ?? '',
    ...(isPlain ? {} : { kept: price }),
  };
}

/** The form's prices as the API takes them. */
export function pricesOf(rows: readonly PriceRow[]): object[] {
  return rows.map(({ id, meter, model, unit, per, included, kept }) => {
    if (kept !== undefined) return kept;
    const isModel = meter.startsWith('model.');
    return {
      ...(id === undefined ? {} : { id }),
      meter,
      ...(isModel && model.trim() !== '' ? { where: { model: model.trim() } } : {}),
      price: {
        ...(per === '1' ? { model: 'per_unit', unit } : { model: 'package', unit, per, roundUp: false }),
        ...(included === '' || included === '0' ? {} : { included }),
      },
    };
  });
}
