/** What a cell of an export may hold. */
export type CsvCell = string | number | boolean | null | undefined;

/** Beginnings that spreadsheet programs take for a formula (OWASP, "CSV Injection"), full-width forms too. */
const formula = /^[=+\-@\t\r\n＝＋－＠]/;
const plainNumber = /^-?\d+(\.\d+)?$/;

/**
 * Rows as CSV (RFC 4180): lines end in CRLF; cells with a comma, quote or line break are quoted. A cell that a spreadsheet would take
 * for a formula gets a `'` before it; a plain negative number stays what it is. Begins with a byte order mark: without it Excel does
 * not read UTF-8.
 */
export function csvOf(header: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  const line = (cells: readonly CsvCell[]) => `${cells.map(cellOf).join(',')}\r\n`;
  return `\uFEFF${[header, ...rows].map(line).join('')}`;
}

function cellOf(value: CsvCell): string {
  if (value === null || value === undefined) return '';
  const text = String(value);
  const safe = formula.test(text) && !plainNumber.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
