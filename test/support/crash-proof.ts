import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { systemCause } from '#kernel/cause';
import { parseId } from '#kernel/ids';
import { type CrashLoad, startCrashLoad } from '#test/crash-load';
import { type EffectDouble, startEffectDouble } from '#test/effect-double';
import {
  api,
  connectDouble,
  type Ground,
  type Installation,
  kill,
  openGround,
  openSetup,
  operatorKeyOf,
  startInstallation,
} from '#test/installation';
import { DOUBLE_KEY, startOpenAiDouble } from '#test/openai-double';
import { seededRandom } from '#test/seeded-random';

/** Named places of calls and runs, and who is killed there: the process that passes, or the postmaster. `any`: at a random moment. */
const points = ['call', 'run'].flatMap((what) =>
  ['after-intent', 'after-effect', 'before-commit', 'after-commit'].map((place) => `${what}-${place}`),
);
const kinds = [
  ...points.flatMap((point) => [
    { point, victim: 'self' as const },
    { point, victim: 'postmaster' as const },
  ]),
  ...(['front', 'background', 'postmaster'] as const).map((victim) => ({ point: 'any', victim })),
];

/** What a crash proof saw. */
export type CrashFigures = {
  kills: Record<string, number>;
  calls: { sent: number; answered: number; billed: number };
  runs: Record<string, number>;
  /** Runs whose client waited and was told that they finished. */
  runsAnswered: number;
  /** What usage sums to: the price of calls and model steps, and that of runs. */
  money: { calls: string; runs: string };
  effects: { put: number; putRepeated: number; send: number };
  away: { seconds: number; sent: number; answered: number; afterTakeover: number } | undefined;
  recoverySeconds: { median: number; most: number };
  seconds: number;
};

/**
 * Kills with SIGKILL, at least `count` times, at named points of calls and runs and at random moments, the processes of two installations
 * and their postmaster, under load; goes on until each point was hit with each victim `each` times, and fails where it was not. Then
 * looks: every answered call and finished run is billed once and none twice, counters are what usage sums to, every run ended finished or
 * in needs_review, no effect happened twice. `awaySeconds`: then the database is away for so long, calls go on.
 */
export async function proveCrash(options: {
  seed: number;
  count: number;
  /** How often each point must be hit with each victim; 0: by chance. */
  each: number;
  awaySeconds: number;
  say?: (line: string) => void;
}): Promise<{ ok: boolean; figures: CrashFigures; failures: string[] }> {
  const { seed, count, each, awaySeconds, say = () => undefined } = options;
  const random = seededRandom(seed);
  const started = performance.now();
  const ground = await openGround();
  const double = await startOpenAiDouble({ record: 0 });
  const ledger = await startEffectDouble(20);
  const close: (() => Promise<unknown>)[] = [() => ledger.close(), () => double.close(), () => ground.close()];
  const failures: string[] = [];
  const kills: Record<string, number> = {};
  const recoveries: number[] = [];
  try {
    const armory = join(ground.dir, 'faults');
    await mkdir(armory);
    const env = { NODE_ENV: 'test', LINTEL_INTERNAL_FAULTS: armory };
    const nodes = [await startInstallation(ground, 'one', { env }), await startInstallation(ground, 'two', { env })];
    close.unshift(...nodes.map((node) => () => node.stop()));
    const place = await furnish(ground, nodes[0] as Installation, double.url, ledger);
    const load = startCrashLoad({
      urls: nodes.map(({ url }) => url),
      key: place.key,
      agentId: place.agentId,
      callers: 6,
      runners: 4,
    });
    let stopping: Promise<void> | undefined;
    const stopLoad = () => (stopping ??= load.stop());
    close.unshift(stopLoad);
    await sleep(1_000);
    const strikeOnce = async (kind: Kind, words: string) => {
      const label = labelOf(kind);
      const recovery = await strike(ground, nodes, armory, kind, random);
      if (recovery === undefined) failures.push(`${words}: ${label} was not reached, or not recovered from`);
      else {
        kills[label] = (kills[label] ?? 0) + 1;
        recoveries.push(recovery);
      }
      say(`${words} ${label}: back in ${recovery === undefined ? '–' : (recovery / 1_000).toFixed(1)} s`);
      await sleep(random() * 800);
    };
    for (const [index, kind] of plan(count, random).entries()) await strikeOnce(kind, `kill ${index + 1}/${count}`);
    const owed = () => kinds.filter((kind) => (kills[labelOf(kind)] ?? 0) < each);
    // What was not reached is a failure already, and tried no more often than it is owed.
    for (const kind of owed())
      for (let hits = kills[labelOf(kind)] ?? 0; hits < each; hits++) await strikeOnce(kind, 'one more kill');
    for (const kind of owed())
      failures.push(`${labelOf(kind)} was hit ${kills[labelOf(kind)] ?? 0} times, which must be ${each}`);
    const away = awaySeconds === 0 ? undefined : await databaseAway(ground, nodes, load, awaySeconds, failures);
    say('load stops; runs and spools settle');
    await stopLoad();
    await settle(ground, nodes, place.tenantId, failures);
    const seen = await look(ground, nodes[0] as Installation, place, load, ledger, failures);
    recoveries.sort((a, b) => a - b);
    const figures: CrashFigures = {
      kills,
      ...seen,
      away,
      recoverySeconds: {
        median: Math.round((recoveries[recoveries.length >> 1] ?? 0) / 100) / 10,
        most: Math.round((recoveries.at(-1) ?? 0) / 100) / 10,
      },
      seconds: Math.round((performance.now() - started) / 1_000),
    };
    if (failures.length > 0)
      for (const node of nodes) await writeFile(`/tmp/lintel-crash-${node.name}.log`, await node.log());
    return { ok: failures.length === 0, figures, failures };
  } finally {
    for (const each of close) await each();
  }
}

type Kind = (typeof kinds)[number];

function labelOf({ point, victim }: Kind): string {
  return `${point}/${victim}`;
}

/** `count` kills: every kind equally often, in a seeded order. */
function plan(count: number, random: () => number): Kind[] {
  const all: Kind[] = [];
  while (all.length < count) {
    const round = kinds.map((kind) => ({ kind, at: random() })).sort((a, b) => a.at - b.at);
    all.push(...round.map(({ kind }) => kind));
  }
  return all.slice(0, count);
}

/** Kills once and waits until both nodes serve again; milliseconds that took, undefined when it never came about. */
async function strike(
  ground: Ground,
  nodes: readonly Installation[],
  armory: string,
  kind: Kind,
  random: () => number,
): Promise<number | undefined> {
  const { point, victim } = kind;
  const postmaster = ground.postgres?.pid as number;
  const before = await pidsOf(nodes);
  if (point === 'any') {
    const candidates = before.filter(({ role }) => role === victim).map(({ pid }) => pid);
    const pid = victim === 'postmaster' ? postmaster : candidates[Math.floor(random() * candidates.length)];
    if (pid === undefined) return undefined;
    kill(pid, 'SIGKILL');
  } else {
    const armed = join(armory, point);
    await writeFile(armed, victim === 'postmaster' ? String(postmaster) : '');
    const patience = performance.now() + 30_000;
    while (existsSync(armed)) {
      if (performance.now() > patience) {
        await rm(armed, { force: true });
        return undefined;
      }
      await sleep(5);
    }
  }
  const since = performance.now();
  await sleep(50);
  for (let good = 0; performance.now() - since < 60_000; ) {
    good = (await allReady(ground, nodes, postmaster, victim === 'postmaster')) ? good + 1 : 0;
    if (good === 2) return performance.now() - since;
    await sleep(50);
  }
  return undefined;
}

async function pidsOf(nodes: readonly Installation[]): Promise<{ pid: number; role: string }[]> {
  return (await Promise.all(nodes.map((node) => node.children()))).flat();
}

async function allReady(
  ground: Ground,
  nodes: readonly Installation[],
  postmaster: number,
  restarted: boolean,
): Promise<boolean> {
  if (restarted && ground.postgres?.pid === postmaster) return false;
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const children = await node.children();
      const answer = await fetch(`${node.url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      await answer?.text();
      return answer?.ok === true && children.length === 2;
    }),
  );
  return answers.every(Boolean);
}

/** What a token and a run cost in the proof. */
const prices = { token: '0.0001', run: '0.02' };

/**
 * A tenant with a key, a plan that prices tokens and runs, generous limits of tokens and money (so that counters count) and an agent with
 * the ledger as its tool.
 */
async function furnish(
  ground: Ground,
  node: Installation,
  doubleUrl: string,
  ledger: EffectDouble,
): Promise<{ tenantId: string; outsideId: string; key: string; agentId: string; operator: string }> {
  const operator = await operatorKeyOf(node);
  await connectDouble(node.url, operator, doubleUrl, DOUBLE_KEY, [{ name: 'double', maxOutputTokens: 200 }]);
  const setup = await openSetup(ground);
  try {
    const tenant = await setup.tenant('Crash');
    const { secret } = await setup.key(tenant.uuid, 'owner');
    const plan = await api<{ id: string }>(node.url, operator, 'POST', '/v1/platform/plans', {
      name: 'By the token and the run',
      currency: 'USD',
      prices: [
        { meter: 'model.call.input_tokens', price: { model: 'per_unit', unit: prices.token } },
        { meter: 'model.call.output_tokens', price: { model: 'per_unit', unit: prices.token } },
        { meter: 'agent.run.runs', price: { model: 'per_unit', unit: prices.run } },
      ],
    });
    // Changes are visible on every node within a second (house: freshness).
    await sleep(1_200);
    await api(node.url, operator, 'PUT', `/v1/platform/tenants/${tenant.id}/subscription`, { planId: plan.id });
    for (const resource of ['tokens', 'money'] as const)
      await setup.app.services.quota.quota.setQuota(
        tenant.uuid,
        { scope: 'tenant', scopeId: null, resource, window: 'month', amount: '1000000000' },
        'platform',
        systemCause('proof'),
      );
    await sleep(1_200);
    await api(node.url, operator, 'POST', '/v1/platform/egress-rules', {
      tenantId: tenant.id,
      target: `127.0.0.1:${ledger.port}`,
      note: 'the ledger of the proof',
    });
    const tool = await api<{ id: string }>(node.url, secret, 'POST', '/v1/tools', {
      name: 'ledger',
      config: { kind: 'openapi', document: ledger.document, idempotent: ['put'] },
    });
    const agent = await api<{ id: string }>(node.url, secret, 'POST', '/v1/agents', {
      name: 'clerk',
      definition: {
        kind: 'native',
        instructions: 'Keep the ledger.',
        model: 'double/double',
        tools: [{ tool: tool.id }],
      },
    });
    await sleep(1_200);
    return { tenantId: tenant.uuid, outsideId: tenant.id, key: secret, agentId: agent.id, operator };
  } finally {
    await setup.close();
  }
}

/** The database is away: calls must go on within stale-grace, and be taken in from the spool afterwards. */
async function databaseAway(
  ground: Ground,
  nodes: readonly Installation[],
  load: CrashLoad,
  seconds: number,
  failures: string[],
): Promise<CrashFigures['away']> {
  const from = performance.now();
  await ground.away(seconds * 1_000);
  const to = performance.now();
  const during = load.calls.filter(({ at }) => at > from && at < to - 500);
  // The first calls wait until a commit without an answer is taken for lost.
  const later = during.filter(({ at }) => at > from + 10_000);
  const answered = (calls: typeof during) => calls.filter((call) => call.answered).length;
  const figures = {
    seconds,
    sent: during.length,
    answered: answered(during),
    afterTakeover: later.length === 0 ? 0 : Math.round((1_000 * answered(later)) / later.length) / 1_000,
  };
  if (later.length > 0 && figures.afterTakeover < 0.99)
    failures.push(`while the database was away ${answered(later)} of ${later.length} calls were answered`);
  const until = performance.now() + 60_000;
  while (!(await allReady(ground, nodes, 0, false))) {
    if (performance.now() > until) {
      failures.push('the nodes did not come back after the database did');
      break;
    }
    await sleep(100);
  }
  return figures;
}

/** Waits until no run is under way and no spool holds calls. */
async function settle(
  ground: Ground,
  nodes: readonly Installation[],
  tenantId: string,
  failures: string[],
): Promise<void> {
  const until = performance.now() + 180_000;
  for (;;) {
    const [row] = await ground.query<{ open: string }>(
      "SELECT count(*) AS open FROM runs WHERE tenant_id = $1 AND status IN ('queued', 'running', 'waiting')",
      [tenantId],
    );
    const spooled = (
      await Promise.all(nodes.map((node) => readdir(join(node.dataDir, 'spool'), { recursive: true })))
    ).flat();
    const left = spooled.filter((name) => name.endsWith('.ndjson') || name.endsWith('.damaged'));
    // The outbox is empty, and who brings home what runs used and the rows of their calls has read the whole log.
    const [log] = await ground.query<{ behind: string }>(
      `SELECT (SELECT count(*) FROM outbox) + (SELECT seq FROM log_head)
         - least(coalesce((SELECT seq FROM log_cursors WHERE reader = 'agents.usage'), 0),
           coalesce((SELECT seq FROM log_cursors WHERE reader = 'agents.calls'), 0)) AS behind`,
    );
    if (Number(row?.open) === 0 && left.length === 0 && Number(log?.behind) === 0) return;
    if (performance.now() > until) {
      failures.push(
        `after 3 minutes ${row?.open} runs are open, the spools hold ${left.length} files, ${log?.behind} events are unread`,
      );
      return;
    }
    await sleep(250);
  }
}

async function look(
  ground: Ground,
  node: Installation,
  place: { tenantId: string; outsideId: string; operator: string },
  load: CrashLoad,
  ledger: EffectDouble,
  failures: string[],
): Promise<Pick<CrashFigures, 'calls' | 'runs' | 'runsAnswered' | 'money' | 'effects'>> {
  const { tenantId } = place;
  const must = (holds: boolean, words: string) => {
    if (!holds) failures.push(words);
  };
  const answered = load.calls.filter((call) => call.answered);
  // What was written within minutes of a kill was never looked at by the planner: runs times calls would take half an hour.
  await ground.query('ANALYZE calls, usage, runs, steps');
  const rows = await ground.query<{ id: string; status: string; n: string; usage: string }>(
    `SELECT c.id, c.status, count(*) AS n, coalesce(max(u.n), 0) AS usage
     FROM calls c LEFT JOIN (SELECT id, count(*) AS n FROM usage WHERE tenant_id = $1 GROUP BY id) u USING (id)
     WHERE c.tenant_id = $1 AND c.kind = 'chat' GROUP BY c.id, c.status`,
    [tenantId],
  );
  const billed = new Map(rows.map((row) => [row.id, row]));
  const lost = answered.filter(({ id }) => billed.get(parseId('call', id ?? '') ?? '')?.status !== 'ok');
  must(lost.length === 0, `${lost.length} answered calls are not on the bill: ${lost.slice(0, 3).map(({ id }) => id)}`);
  const twice = rows.filter(({ n, usage, status }) => Number(n) !== 1 || (status === 'ok' && Number(usage) !== 1));
  must(
    twice.length === 0,
    `${twice.length} calls have not one row and one usage: ${JSON.stringify(twice.slice(0, 3))}`,
  );
  const odd = [...new Set(load.calls.map(({ status }) => status))].filter((s) => ![0, 200, 500, 502, 503].includes(s));
  must(odd.length === 0, `calls were answered with ${odd.join(', ')}`);

  const states = await ground.query<{ status: string; n: string }>(
    'SELECT status, count(*) AS n FROM runs WHERE tenant_id = $1 GROUP BY status',
    [tenantId],
  );
  const runs = Object.fromEntries(states.map(({ status, n }) => [status, Number(n)]));
  const badly = await ground.query<{ status: string; foreground: boolean; code: string; detail: string; n: string }>(
    `SELECT status, foreground, error->>'code' AS code, min(error->>'detail') AS detail, count(*) AS n FROM runs
     WHERE tenant_id = $1 AND status NOT IN ('finished', 'needs_review') GROUP BY 1, 2, 3`,
    [tenantId],
  );
  must(badly.length === 0, `runs ended otherwise: ${JSON.stringify(badly)}`);
  const known = new Set(
    (await ground.query<{ id: string }>('SELECT id FROM runs WHERE tenant_id = $1', [tenantId])).map(({ id }) => id),
  );
  const missing = [...load.runs].filter((id) => !known.has(parseId('run', id) ?? ''));
  must(missing.length === 0, `${missing.length} accepted runs are gone`);
  // One row of the call that asked for the run; one of the run where it ended after that call was answered. They add up to its price.
  const rowless = await ground.query<{ id: string; status: string; of_call: string; of_run: string; price: string }>(
    `SELECT r.id, r.status, r.money, count(c.id) FILTER (WHERE c.id = r.call_id) AS of_call,
       count(c.id) FILTER (WHERE c.id = r.id) AS of_run, coalesce(sum(c.price), 0) AS price
     FROM runs r LEFT JOIN calls c ON c.tenant_id = r.tenant_id AND c.run_id = r.id
     WHERE r.tenant_id = $1 AND r.parent_id IS NULL GROUP BY r.tenant_id, r.id
     HAVING count(c.id) FILTER (WHERE c.id = r.call_id) <> 1 OR count(c.id) FILTER (WHERE c.id = r.id) > 1
       OR count(c.id) FILTER (WHERE c.id NOT IN (r.id, r.call_id)) > 0
       OR (r.status = 'finished' AND coalesce(sum(c.price), 0) <> r.money)`,
    [tenantId],
  );
  must(
    rowless.length === 0,
    `${rowless.length} runs have not the rows in calls that they must: ${JSON.stringify(rowless.slice(0, 3))}`,
  );
  const again = [...ledger.effects].filter(([, times]) => times > 1);
  must(again.length === 0, `${again.length} effects happened twice: ${JSON.stringify(again.slice(0, 3))}`);
  const inputs = await ground.query<{ status: string; input: string }>(
    'SELECT status, input::text AS input FROM runs WHERE tenant_id = $1',
    [tenantId],
  );
  const incomplete = inputs.filter(({ status, input }) => {
    const name = /run-\d+-\d+/.exec(input)?.[0];
    return status === 'finished' && !(ledger.effects.has(`put ${name}`) && ledger.effects.has(`send ${name}`));
  });
  must(incomplete.length === 0, `${incomplete.length} finished runs lack an effect`);
  const names = inputs.map(({ input }) => /run-\d+-\d+/.exec(input)?.[0]);
  must(new Set(names).size === names.length, 'a run was accepted twice under one idempotency key');

  const [steps] = await ground.query<{ steps: string; usage: string; sources: string }>(
    `SELECT (SELECT count(*) FROM steps WHERE tenant_id = $1 AND status = 'done' AND usage IS NOT NULL) AS steps,
       count(*) AS usage, count(DISTINCT source) AS sources FROM usage
     WHERE tenant_id = $1 AND source LIKE 'run/%' AND type = 'model.call'`,
    [tenantId],
  );
  must(
    steps !== undefined && steps.steps === steps.usage && steps.usage === steps.sources,
    `model steps, usage rows and their sources differ: ${JSON.stringify(steps)}`,
  );
  // Each finished run is on the bill once, at the plan's price for a run, and no other run is.
  const unbilled = await ground.query<{ id: string; status: string; n: string; runs: string; price: string }>(
    `SELECT r.id, r.status, count(u.id) AS n, sum((u.quantities->>'runs')::numeric) AS runs, sum(u.price) AS price
     FROM runs r FULL JOIN (SELECT * FROM usage WHERE tenant_id = $1 AND type = 'agent.run') u
       ON u.tenant_id = r.tenant_id AND u.source = 'run/' || r.id || '/run'
     WHERE r.id IS NULL OR (r.tenant_id = $1 AND r.parent_id IS NULL) GROUP BY r.id, r.status
     HAVING r.id IS NULL OR count(u.id) <> CASE r.status WHEN 'finished' THEN 1 ELSE 0 END
       OR (r.status = 'finished' AND (sum((u.quantities->>'runs')::numeric), sum(u.price)) IS DISTINCT FROM (1::numeric, $2::numeric))`,
    [tenantId, prices.run],
  );
  must(
    unbilled.length === 0,
    `${unbilled.length} runs are not billed as what they are: ${JSON.stringify(unbilled.slice(0, 3))}`,
  );
  const dearer = await ground.query<{ id: string; money: string; used: string }>(
    `SELECT r.id, r.money, coalesce(u.price, 0) AS used FROM runs r
     LEFT JOIN (SELECT split_part(source, '/', 2) AS run, sum(price) AS price FROM usage
       WHERE tenant_id = $1 AND source LIKE 'run/%' GROUP BY 1) u ON u.run = r.id::text
     WHERE r.tenant_id = $1 AND r.money::numeric <> coalesce(u.price, 0)`,
    [tenantId],
  );
  must(
    dearer.length === 0,
    `${dearer.length} runs say another price than their usage: ${JSON.stringify(dearer.slice(0, 3))}`,
  );
  // Who was told that the run finished was told what is kept, and bills rest on.
  const told = [...load.answeredRuns].filter(([, status]) => status === 'finished').map(([id]) => parseId('run', id));
  const finished = new Set(
    (
      await ground.query<{ id: string }>("SELECT id FROM runs WHERE tenant_id = $1 AND status = 'finished'", [tenantId])
    ).map(({ id }) => id),
  );
  const untrue = told.filter((id) => id === undefined || !finished.has(id));
  must(untrue.length === 0, `${untrue.length} runs were answered as finished and are not: ${untrue.slice(0, 3)}`);
  must(told.length > 0, 'no client that waited for a run was told that it finished');

  const [sum] = await ground.query<{ tokens: string; money: string; calls: string; runs: string }>(
    `SELECT sum(coalesce((quantities->>'input_tokens')::numeric + (quantities->>'output_tokens')::numeric, 0)) AS tokens,
       sum(price) AS money, coalesce(sum(price) FILTER (WHERE type = 'model.call'), 0) AS calls,
       coalesce(sum(price) FILTER (WHERE type = 'agent.run'), 0) AS runs
     FROM usage WHERE tenant_id = $1`,
    [tenantId],
  );
  const limits = await api<{ data: { resource: string; used: string }[] }>(
    node.url,
    place.operator,
    'GET',
    `/v1/platform/tenants/${place.outsideId}/limits`,
  );
  for (const [resource, used] of [
    ['tokens', sum?.tokens],
    ['money', sum?.money],
  ]) {
    const counter = limits.data.find((each) => each.resource === resource)?.used;
    must(Number(counter) === Number(used), `the counter of ${resource} says ${counter}, usage ${used}`);
  }
  const kept = (operation: string) => [...ledger.effects.keys()].filter((name) => name.startsWith(operation)).length;
  return {
    calls: { sent: load.calls.length, answered: answered.length, billed: rows.length },
    runs,
    runsAnswered: told.length,
    money: { calls: String(sum?.calls), runs: String(sum?.runs) },
    effects: { put: kept('put'), putRepeated: ledger.repeats.put, send: kept('send') },
  };
}
