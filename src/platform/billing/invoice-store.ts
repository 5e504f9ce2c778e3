import type { Tx } from '#kernel/database';

import type { InvoiceLine } from './compose-invoice.ts';
import type { UsageSum } from './split-usage.ts';

/** Usage that an invoice has billed: of its own period or, with what came late, of one before it. */
export type CountedPeriod = {
  start: string;
  end: string;
  /** Usage rows in all: more of them later means late usage. */
  rows: number;
  segments: { planId: string; version: number; from: string; to: string; usage: UsageSum[] }[];
};

/** A final invoice. */
export type InvoiceRow = {
  tenantId: string;
  id: string;
  number: number;
  periodStart: string;
  periodEnd: string;
  timeZone: string;
  currency: string;
  total: string;
  lines: InvoiceLine[];
  demo: boolean;
  finalisedAt: string;
};

const invoiceColumns = `tenant_id, id, number, period_start, period_end, time_zone, currency, trim_scale(total)::text AS total, lines, demo,
  finalised_at`;

/** The last final invoice of a tenant, with the usage it counted. */
export function readLastInvoice(
  tx: Tx,
  tenantId: string,
): Promise<(InvoiceRow & { counted: CountedPeriod[] }) | undefined> {
  return tx.maybe<InvoiceRow & { counted: CountedPeriod[] }>(
    `SELECT ${invoiceColumns}, counted FROM invoices WHERE tenant_id = $1 ORDER BY period_start DESC LIMIT 1`,
    [tenantId],
  );
}

/** The final invoice of the period that an instant falls in. */
export function readInvoiceAt(
  tx: Tx,
  tenantId: string,
  at: string,
): Promise<Pick<InvoiceRow, 'id' | 'periodStart' | 'periodEnd'> | undefined> {
  return tx.maybe(
    'SELECT id, period_start, period_end FROM invoices WHERE tenant_id = $1 AND period_start <= $2 AND period_end > $2',
    [tenantId, at],
  );
}

/** The present by the database's clock. */
export async function readClock(tx: Tx): Promise<Temporal.Instant> {
  return Temporal.Instant.from((await tx.one<{ now: string }>('SELECT clock_timestamp() AS now')).now);
}

/** Per subscribed tenant, when its next invoice begins: the end of its last one, else null with the start of its first subscription. */
export function readBillingStates(tx: Tx): Promise<{ tenantId: string; firstFrom: string; lastEnd: string | null }[]> {
  return tx.query<{ tenantId: string; firstFrom: string; lastEnd: string | null }>(
    `SELECT s.tenant_id, min(s.from_at) AS first_from, (SELECT max(i.period_end) FROM invoices i WHERE i.tenant_id = s.tenant_id) AS last_end
     FROM subscriptions s GROUP BY s.tenant_id`,
  );
}

/** Inserts a final invoice under the tenant's next number; false when there is one of its period. */
export async function insertInvoice(
  tx: Tx,
  row: Omit<InvoiceRow, 'number'> & { counted: CountedPeriod[] },
): Promise<number | undefined> {
  const inserted = await tx.maybe<{ number: number }>(
    `INSERT INTO invoices (tenant_id, id, number, period_start, period_end, time_zone, currency, total, lines, counted, demo, finalised_at)
     SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM invoices WHERE tenant_id = $1
     ON CONFLICT DO NOTHING RETURNING number`,
    [
      row.tenantId,
      row.id,
      row.periodStart,
      row.periodEnd,
      row.timeZone,
      row.currency,
      row.total,
      JSON.stringify(row.lines),
      JSON.stringify(row.counted),
      row.demo,
      row.finalisedAt,
    ],
  );
  return inserted?.number;
}

/** Final invoices, newest first: of one tenant, or of all with those of demo tenants only if wished. */
export function readInvoices(
  tx: Tx,
  filter: { tenantId?: string; includeDemo: boolean },
  before: string | undefined,
  limit: number,
): Promise<InvoiceRow[]> {
  return tx.query<InvoiceRow>(
    `SELECT ${invoiceColumns} FROM invoices
     WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2 OR NOT demo) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`,
    [filter.tenantId ?? null, filter.includeDemo, before ?? null, limit + 1],
  );
}

/** One final invoice of a tenant. */
export function readInvoice(tx: Tx, tenantId: string, id: string): Promise<InvoiceRow | undefined> {
  return tx.maybe<InvoiceRow>(`SELECT ${invoiceColumns} FROM invoices WHERE tenant_id = $1 AND id = $2`, [
    tenantId,
    id,
  ]);
}

/** Deletes the invoices of a demo tenant that was erased. */
export async function eraseDemoInvoices(tx: Tx, tenantId: string): Promise<void> {
  await tx.execute('DELETE FROM invoices WHERE tenant_id = $1 AND demo', [tenantId]);
}
