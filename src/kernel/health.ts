import Type from 'typebox';

import type { Database } from '#kernel/database';
import type { LogFollower } from '#kernel/follower';
import { type Route, route } from '#kernel/http';
import type { Metrics } from '#kernel/metrics';
import type { Check } from '#kernel/module';

const Finding = Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() });

/**
 * Health routes: `/healthz` (this process lives), `/readyz` (it can serve: 503 while not, with what is wrong), `/metrics`
 * (Prometheus text, for operators' keys).
 */
export function healthRoutes(deps: {
  follower: LogFollower;
  database: Database;
  metrics: Metrics;
  checks: readonly Check[];
  draining: () => boolean;
}): readonly Route[] {
  const findings = async () => {
    const { state, awayMs } = deps.follower.freshness();
    const own = [
      { name: 'kernel.draining', ok: !deps.draining(), detail: deps.draining() ? 'this process is ending' : 'serving' },
      {
        name: 'kernel.log',
        ok: state === 'fresh',
        detail: state === 'away' ? `the database is away since ${Math.round(awayMs)} ms` : state,
      },
    ];
    const others = await Promise.all(
      deps.checks.map(async ({ name, run }) => {
        try {
          return { name, ...(await run()) };
        } catch (error) {
          return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
        }
      }),
    );
    return [...own, ...others];
  };
  return [
    route({
      method: 'GET',
      path: '/healthz',
      operationId: 'kernel.getHealth',
      summary: 'Whether this process lives.',
      area: 'public',
      permission: null,
      schema: { response: { 200: Type.Object({ status: Type.Literal('ok') }) } },
      handle: () => ({ status: 'ok' as const }),
    }),
    route({
      method: 'GET',
      path: '/readyz',
      operationId: 'kernel.getReadiness',
      summary: 'Whether this process can serve, and what stands in the way.',
      area: 'public',
      permission: null,
      schema: {
        response: {
          200: Type.Object({ ready: Type.Boolean(), checks: Type.Array(Finding) }),
          503: Type.Object({ ready: Type.Boolean(), checks: Type.Array(Finding) }),
        },
      },
      handle: async ({ reply }) => {
        const checks = await findings();
        const ready = checks.every(({ ok }) => ok);
        reply.code(ready ? 200 : 503);
        return { ready, checks };
      },
    }),
    route({
      method: 'GET',
      path: '/metrics',
      operationId: 'kernel.getMetrics',
      summary: 'Numbers of this process in the Prometheus text format.',
      area: 'platform',
      permission: 'platform-nodes:read',
      schema: { response: { 200: Type.String() } },
      handle: ({ reply }) => {
        reply.type('text/plain; version=0.0.4; charset=utf-8');
        return deps.metrics.text();
      },
    }),
  ];
}
