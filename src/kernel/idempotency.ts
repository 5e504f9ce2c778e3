import { createHash } from 'node:crypto';

import type { Database, Tx } from '#kernel/database';
import type { Context, Route } from '#kernel/http';
import { redact } from '#kernel/logger';
import { invalidInput, Problem, type ProblemKind } from '#kernel/problem';

const mismatch: ProblemKind = {
  type: 'idempotency-mismatch',
  status: 422,
  title: 'This Idempotency-Key was used with another request.',
};

type Kept = { requestHash: string; status: number; answer: unknown };

/**
 * Runs a write once per `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the handler's changes and its answer
 * are kept in one transaction, so a repeat within 24 h gets the same answer and changes nothing; two at once wait for each
 * other. A failed write keeps nothing and may be tried again. 422 when the key comes with another body or address.
 */
export async function runIdempotent(
  database: Database,
  route: Route,
  context: Context,
  handle: () => unknown,
): Promise<unknown> {
  const key = String(context.request.headers['idempotency-key']);
  if (key.length < 1 || key.length > 255) throw invalidInput('/headers/idempotency-key', 'takes 1 to 255 characters');
  const hash = createHash('sha256')
    .update(`${route.operationId}\n${context.request.url}\n${JSON.stringify(context.body ?? null)}`)
    .digest('base64url');
  const principal = `${context.principal.kind}:${context.principal.id}`;
  return database.together(context.tenantId, async (tx) => {
    const kept = await claim(tx, context.tenantId, principal, key, hash);
    if (kept !== undefined) {
      if (kept.requestHash !== hash) throw new Problem(mismatch);
      context.reply.code(kept.status).header('idempotency-replayed', 'true');
      // A repeat made no call of its own.
      if (route.call !== undefined) context.reply.header('x-request-id', (kept.answer as { call: string }).call);
      return kept.answer;
    }
    const answer = await handle();
    // A secret that is shown once (a key, a link) is not kept: a repeat gets the answer without it.
    await tx.execute(
      'UPDATE idempotency_keys SET status = $4, answer = $5 WHERE tenant_id = $1 AND principal = $2 AND key = $3',
      [context.tenantId, principal, key, context.reply.statusCode, redact(JSON.stringify(answer ?? null))],
    );
    return answer;
  });
}

async function claim(
  tx: Tx,
  tenantId: string,
  principal: string,
  key: string,
  hash: string,
): Promise<Kept | undefined> {
  const claimed = await tx.execute(
    `INSERT INTO idempotency_keys (tenant_id, principal, key, request_hash) VALUES ($1, $2, $3, $4)
     ON CONFLICT (tenant_id, principal, key) DO UPDATE
       SET request_hash = excluded.request_hash, status = NULL, answer = NULL, created_at = clock_timestamp()
       WHERE idempotency_keys.created_at < clock_timestamp() - interval '24 hours'`,
    [tenantId, principal, key, hash],
  );
  if (claimed === 1) return undefined;
  return tx.one<Kept>(
    'SELECT request_hash, status, answer FROM idempotency_keys WHERE tenant_id = $1 AND principal = $2 AND key = $3',
    [tenantId, principal, key],
  );
}
