import type pg from 'pg';

import { databaseRoles } from '#kernel/migrate';
import type { Finding } from './look-at-spool.ts';

type Login = { name: string; mighty: boolean; inherits: boolean; holds: string[]; since16: boolean };

/** How the account of a connection stands to the roles of the house: it should have none of their rights before it takes one (docs/adr/0006). */
export async function lookAtLogin(client: Pick<pg.Client, 'query'>): Promise<Finding> {
  const { rows } = await client.query<Login>(
    `SELECT rolname AS name, rolsuper OR rolbypassrls AS mighty, rolinherit AS inherits,
       array(SELECT h.rolname::text FROM pg_roles h WHERE h.rolname = ANY ($1) AND pg_has_role(session_user, h.oid, 'USAGE') ORDER BY 1) AS holds,
       current_setting('server_version_num')::int >= 160000 AS since16
     FROM pg_roles WHERE rolname = session_user`,
    [[...databaseRoles]],
  );
  const { name, mighty, inherits, holds, since16 } = rows[0] as Login;
  const weak = (detail: string): Finding => ({ ok: 'weak', what: 'login', detail });
  if (mighty)
    return weak(
      `${name} may pass by row-level security: a statement that forgets its role sees every tenant. Give DATABASE_URL a plain account.`,
    );
  if (holds.length > 0)
    return weak(
      `${name} has the rights of ${holds.join(', ')} without taking them: a statement that forgets its role is not refused. ${mend(name, holds, since16)}`,
    );
  if (inherits) return weak(`${name} will have the rights of every role it is given. ${mend(name, [], since16)}`);
  return { ok: true, what: 'login', detail: `${name} has no rights before it takes a role` };
}

/** From PostgreSQL 16 on each membership keeps what it was granted with, whatever the role is changed to. */
function mend(name: string, holds: readonly string[], since16: boolean): string {
  const again = since16 && holds.length > 0 ? ` GRANT ${holds.join(', ')} TO ${name} WITH INHERIT FALSE;` : '';
  return `Run: ALTER ROLE ${name} NOINHERIT;${again}`;
}
