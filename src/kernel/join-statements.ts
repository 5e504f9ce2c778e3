import type { Statement } from '#kernel/database';

const joined = new Map<string, Pick<Statement, 'name' | 'text'>>();

/**
 * Several statements that change rows as one: all but the last become data-modifying CTEs (PostgreSQL §7.8.4), so that they see the
 * same snapshot and stand or fall together. One message to the server instead of one each.
 */
export function joinStatements(statements: readonly Statement[]): Statement {
  const [first] = statements;
  if (first !== undefined && statements.length === 1) return first;
  const names = statements.map((each) => each.name).join(' ');
  let one = joined.get(names);
  if (one === undefined) {
    let before = 0;
    const parts = statements.map((each) => {
      const from = before;
      before += each.values.length;
      return each.text.replace(/\$(\d+)/g, (_, n: string) => `$${from + Number(n)}`);
    });
    const last = parts.pop();
    // PostgreSQL keeps 63 characters of a name.
    one = {
      name: `joined-${joined.size}`,
      text: `WITH ${parts.map((part, index) => `s${index} AS (${part})`).join(', ')} ${last}`,
    };
    joined.set(names, one);
  }
  return { ...one, values: statements.flatMap((each) => each.values) };
}
