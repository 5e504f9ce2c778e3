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
  effects: { put: number; putRepeated: number; send: number };
  away: { seconds: number; sent: number; answered: number; afterTakeover: number } | undefined;
  recoverySeconds: { median: number; most: number };
  seconds: number;
};

/**
 * Kills with SIGKILL, `count` times, at named points of calls and runs and at random moments, the processes of two installations and
 * their postmaster, under load. Then looks: every answered call is billed once and none twice, counters are what usage sums to, every
 * run ended finished or in needs_review, no effect happened twice. `awaySeconds`: then the database is away for so long, calls go on.
 */
export async function proveCrash(options: {
  seed: number;
  count: number;
  awaySeconds: number;
  say?: (line: string) => void;
}): Promise<{ ok: boolean; figures: CrashFigures; failures: string[] }> {
  const { seed, count, awaySeconds, say = () => undefined } = options;
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
    for (const [index, kind] of plan(count, random).entries()) {
      const label = `${kind.point}/${kind.victim}`;
      const recovery = await strike(ground, nodes, armory, kind, random);
      if (recovery === undefined) failures.push(`kill ${index + 1}: ${label} was not reached, or not recovered from`);
      else {
        kills[label] = (kills[label] ?? 0) + 1;
        recoveries.push(recovery);
      }
      say(
        `kill ${index + 1}/${count} ${label}: back in ${recovery === undefined ? '–' : (recovery / 1_000).toFixed(1)} s`,
      );
      await sleep(random() * 800);
    }
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

/** A tenant with a key, a generous token limit (so that counters count) and an agent with the ledger as its tool. */
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
    await setup.app.services.quota.quota.setQuota(
      tenant.uuid,
      { scope: 'tenant', scopeId: null, resource: 'tokens', window: 'month', amount: '1000000000000' },
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
): Promise<Pick<CrashFigures, 'calls' | 'runs' | 'effects'>> {
  const { tenantId } = place;
  const must = (holds: boolean, words: string) => {
    if (!holds) failures.push(words);
  };
  const answered = load.calls.filter((call) => call.answered);
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
  const rowless = await ground.query<{ status: string; n: string }>(
    `SELECT r.status, coalesce(c.n, 0) AS n FROM runs r
     LEFT JOIN (SELECT run_id, count(*) AS n FROM calls WHERE tenant_id = $1 GROUP BY run_id) c ON c.run_id = r.id
     WHERE r.tenant_id = $1 AND r.parent_id IS NULL AND coalesce(c.n, 0) <> 1`,
    [tenantId],
  );
  must(
    rowless.length === 0,
    `${rowless.length} runs have not one row in calls: ${JSON.stringify(rowless.slice(0, 3))}`,
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
  const [sum] = await ground.query<{ tokens: string }>(
    `SELECT coalesce(sum((quantities->>'input_tokens')::numeric + (quantities->>'output_tokens')::numeric), 0) AS tokens
     FROM usage WHERE tenant_id = $1 AND type = 'model.call'`,
    [tenantId],
  );
  const limits = await api<{ data: { used: string }[] }>(
    node.url,
    place.operator,
    'GET',
    `/v1/platform/tenants/${place.outsideId}/limits`,
  );
  must(
    Number(limits.data[0]?.used) === Number(sum?.tokens),
    `the counter says ${limits.data[0]?.used} tokens, usage ${sum?.tokens}`,
  );
  const kept = (operation: string) => [...ledger.effects.keys()].filter((name) => name.startsWith(operation)).length;
  return {
    calls: { sent: load.calls.length, answered: answered.length, billed: rows.length },
    runs,
    effects: { put: kept('put'), putRepeated: ledger.repeats.put, send: kept('send') },
  };
}
