import Type from 'typebox';

const amounts = Type.Array(Type.Object({ amount: Type.String(), currency: Type.String() }));
const nullable = Type.Union([Type.Number(), Type.Null()]);

const figures = { p50Ms: nullable, p95Ms: nullable, spend: amounts };
const rates = { requestsPerSecond: Type.Number(), blockedPerSecond: Type.Number() };

const node = {
  id: Type.String(),
  role: Type.String(),
  host: Type.String(),
  pid: Type.Integer(),
  version: Type.String(),
  startedAt: Type.String(),
  heartbeatAt: Type.String(),
  snapshotSeq: Type.Integer(),
  state: Type.Union([Type.Literal('alive'), Type.Literal('lost')]),
  counters: Type.Record(Type.String(), Type.Number()),
};

/** A node as operators see it. */
export const NodeSchema = Type.Object(node);

/** Figures of the last minute. */
export const OverviewSchema = Type.Object({
  at: Type.String(),
  window: Type.Integer({ description: 'Seconds.' }),
  ...rates,
  inFlight: Type.Number(),
  ...figures,
  byTenant: Type.Array(
    Type.Object({
      tenantId: Type.String(),
      name: Type.String(),
      demo: Type.Boolean(),
      requests: Type.Integer(),
      blocked: Type.Integer(),
      ...figures,
    }),
  ),
  byNode: Type.Array(Type.Object({ ...node, ...rates, ...figures })),
  series: Type.Object({
    t: Type.Array(Type.Integer()),
    ok: Type.Array(Type.Integer()),
    blocked: Type.Array(Type.Integer()),
    p95: Type.Array(nullable),
  }),
});
