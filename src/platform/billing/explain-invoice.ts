import { formatAmount, formatDecimal, parseDecimal, subtract, sum, type ZERO } from '#kernel/money';

import type { Composed, InvoiceLine } from './compose-invoice.ts';
import type { UsageTotals } from './ports.ts';

/** What sets an invoice apart from the list prices on the period's calls; decimal strings in the invoice's currency. */
export type Explained = {
  /** Sum of the list prices on the period's usage rows. */
  readonly listTotal: string;
  /** Invoice total − list total; the sum of `parts`. */
  readonly difference: string;
  readonly parts: {
    /** What included amounts, tiers, packages and flat fees take off or add. */
    readonly includedAndTiers: string;
    /** Rounding of each line to the currency. */
    readonly rounding: string;
    readonly recurringFees: string;
    /** Usage of earlier periods: its rows are not of this period. */
    readonly late: string;
    /** Usage priced otherwise now than on its row: rows written without a price or under other prices. */
    readonly otherPrices: string;
  };
  /** List prices on rows in other currencies, by currency: not on this invoice. */
  readonly otherCurrencies: Readonly<Record<string, string>>;
};

/** Takes an invoice and the sums it was made from apart into what explains the difference to the calls' list prices. */
export function explainInvoice(invoice: Composed, sums: readonly UsageTotals[]): Explained {
  const listed = new Map<string, bigint>();
  for (const { prices } of sums) {
    for (const [currency, amount] of Object.entries(prices))
      listed.set(currency, (listed.get(currency) ?? 0n) + parseDecimal(amount));
  }
  const listTotal = (listed.get(invoice.currency) ?? 0n) as typeof ZERO;
  listed.delete(invoice.currency);
  const of = (kind: InvoiceLine['kind'], name: 'amount' | 'exactAmount' | 'listAmount') =>
    sum(invoice.lines.filter((line) => line.kind === kind).map((line) => parseDecimal(line[name])));
  return {
    listTotal: formatAmount(listTotal, invoice.currency),
    difference: formatDecimal(subtract(parseDecimal(invoice.total), listTotal)),
    parts: {
      includedAndTiers: formatDecimal(subtract(of('usage', 'exactAmount'), of('usage', 'listAmount'))),
      rounding: formatDecimal(subtract(of('usage', 'amount'), of('usage', 'exactAmount'))),
      recurringFees: formatDecimal(of('recurring', 'amount')),
      late: formatDecimal(of('late', 'amount')),
      otherPrices: formatDecimal(subtract(of('usage', 'listAmount'), listTotal)),
    },
    otherCurrencies: Object.fromEntries(
      [...listed].map(([currency, amount]) => [currency, formatAmount(amount as typeof ZERO, currency)]),
    ),
  };
}
