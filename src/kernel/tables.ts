/** What a column holds and how long: every column of every table is declared, or CI fails. */
export type Column = {
  /** `personal`: about a person; `secret`: sealed, hashed or a credential; `content`: what tenants' users write and read. */
  readonly data: 'plain' | 'personal' | 'secret' | 'content';
};

/** A table's declaration. */
export type Table = {
  readonly name: string;
  /** `platform`: home database; `tenant`: follows the tenant's placement; `directory`: known before the tenant. */
  readonly home: 'platform' | 'tenant' | 'directory';
  /** False for the listed tables without tenant rows (tenants, nodes, log …). */
  readonly tenantRows: boolean;
  /** How long rows are kept. */
  readonly kept: string;
  /** What happens to a tenant's rows when the tenant is erased. */
  readonly erased: 'deleted' | 'kept by law' | 'with retention' | "not a tenant's";
  readonly columns: Readonly<Record<string, Column['data']>>;
};

/** Declares a table: columns not named in `data` are plain. */
export function table(
  name: string,
  columns: string,
  more: Omit<Table, 'name' | 'columns'> & { data?: Readonly<Record<string, Exclude<Column['data'], 'plain'>>> },
): Table {
  const { data = {}, ...rest } = more;
  const names = columns.trim().split(/\s+/);
  const unknown = Object.keys(data).find((column) => !names.includes(column));
  if (unknown !== undefined) throw new Error(`The table ${name} has no column ${unknown}.`);
  return { name, ...rest, columns: Object.fromEntries(names.map((column) => [column, data[column] ?? 'plain'])) };
}
