import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { systemCause } from '#kernel/cause';
import {
  api,
  connectDouble,
  freePort,
  type Ground,
  type Installation,
  openGround,
  openSetup,
  operatorKeyOf,
  startInstallation,
} from '#test/installation';
import { completion, question } from './answers.ts';
import { ensureTools, familyOf, has, startCommand, startNginx, startScript } from './processes.ts';

/** Something that calls go through, side by side with others. */
export type Contender = {
  name: string;
  url: string;
  /** All its processes, and those of them whose CPU is told apart. */
  pids(): number[];
  parts?(): Record<string, number[]>;
};

/** Everything the bench runs on: one database, one provider, the contenders. */
export type Stage = {
  ground: Ground;
  lintel: Installation;
  operator: string;
  /** Keys of 100 tenants, ten each, and the file that holds them. */
  keys: readonly string[];
  keysFile: string;
  tenants: readonly { id: string; uuid: string }[];
  /** Where the fixed provider answers at once, and the one that also streams. */
  upstream: string;
  streamOrigin: string;
  /** The bare hop in front of the streaming provider. */
  streams: string;
  streamHopPid: number;
  contenders: Record<'bare' | 'lintel', Contender> & Partial<Record<'nginx' | 'portkey' | 'workers', Contender>>;
  /** Starts a second installation with two fronts beside the first. */
  addWorkers(): Promise<Contender>;
  /** Connects another provider at an address; returns the model's name for calls. */
  connect(name: string, origin: string): Promise<string>;
  close(): Promise<void>;
};

const portkeyVersion = '1.15.2';

/** Sets everything up; `say` is told of what takes long or is left out. */
export async function setStage(options: {
  portkey: boolean;
  /** Folder for CPU profiles of Lintel's processes, written when they end. */
  profiles?: string;
  say: (line: string) => void;
}): Promise<Stage> {
  const { say } = options;
  ensureTools(say);
  const ground = await openGround();
  const close: (() => Promise<unknown>)[] = [() => ground.close()];
  const stop = async () => {
    for (const each of close) await each();
  };
  try {
    const dir = join(ground.dir, 'bench');
    await mkdir(dir);
    const [fixedPort, streamPort, barePort, barePort2, nginxPort, portkeyPort] = await Promise.all(
      Array.from({ length: 6 }, () => freePort()),
    );
    const streams = await startScript('upstream.ts', [String(streamPort)]);
    close.unshift(() => streams.stop());
    const streamOrigin = `http://127.0.0.1:${streamPort}`;
    const fixed = await startNginx(
      dir,
      'provider',
      fixedPort as number,
      `default_type application/json; return 200 '${completion.replaceAll("'", "\\'")}';`,
    );
    if (fixed !== undefined) close.unshift(() => fixed.stop());
    const upstream = fixed === undefined ? streamOrigin : `http://127.0.0.1:${fixedPort}`;
    const bare = await startScript('bare-hop.ts', [String(barePort), upstream]);
    const bareStreams = await startScript('bare-hop.ts', [String(barePort2), streamOrigin]);
    close.unshift(
      () => bare.stop(),
      () => bareStreams.stop(),
    );
    const lintel = await startInstallation(ground, 'lintel', {
      env: {
        LINTEL_LOG_LEVEL: 'warn',
        ...(options.profiles === undefined
          ? {}
          : { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval=500 --cpu-prof-dir=${options.profiles}` }),
      },
    });
    close.unshift(() => lintel.stop());
    const operator = await operatorKeyOf(lintel);
    const postgres = () => familyOf(ground.postgres?.pid as number);
    const contenderOf = (name: string, installation: Installation): Contender => {
      const family = () => familyOf(installation.pid);
      const fronts: number[] = [];
      void installation
        .children()
        .then((all) => fronts.push(...all.filter((c) => c.role === 'front').map((c) => c.pid)));
      return {
        name,
        url: installation.url,
        pids: () => [...family(), ...postgres()],
        parts: () => ({
          front: fronts,
          others: family().filter((pid) => !fronts.includes(pid)),
          postgres: postgres(),
        }),
      };
    };
    const contenders: Stage['contenders'] = {
      bare: { name: 'bare Node hop', url: `http://127.0.0.1:${barePort}`, pids: () => [bare.pid] },
      lintel: contenderOf('Lintel', lintel),
    };
    const nginx = await startNginx(
      dir,
      'hop',
      nginxPort as number,
      'proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";',
      `upstream provider { server ${new URL(upstream).host}; keepalive 256; keepalive_requests 100000000; }`,
    );
    if (nginx !== undefined) {
      close.unshift(() => nginx.stop());
      contenders.nginx = {
        name: 'nginx proxy_pass',
        url: `http://127.0.0.1:${nginxPort}`,
        pids: () => familyOf(nginx.pid),
      };
    }
    if (options.portkey) {
      const portkey = await startPortkey(dir, portkeyPort as number, say);
      if (portkey !== undefined) {
        close.unshift(() => portkey.stop());
        contenders.portkey = {
          name: `@portkey-ai/gateway ${portkeyVersion}`,
          url: `http://127.0.0.1:${portkeyPort}`,
          pids: () => familyOf(portkey.pid),
        };
      }
    }
    say('making 100 tenants with 1,000 keys, limits and a plan');
    const { keys, tenants } = await furnish(ground, lintel, operator, upstream);
    const keysFile = join(dir, 'keys.txt');
    await writeFile(keysFile, `${keys.join('\n')}\n`);
    const stage: Stage = {
      ground,
      lintel,
      operator,
      keys,
      keysFile,
      tenants,
      upstream,
      streamOrigin,
      streams: `http://127.0.0.1:${barePort2}`,
      streamHopPid: bareStreams.pid,
      contenders,
      addWorkers: async () => {
        const second = await startInstallation(ground, 'workers', {
          args: ['--workers', '2'],
          env: { LINTEL_LOG_LEVEL: 'warn' },
        });
        close.unshift(() => second.stop());
        contenders.workers = contenderOf('Lintel --workers 2', second);
        return contenders.workers;
      },
      connect: async (name, origin) => {
        const provider = await api<{ id: string }>(lintel.url, operator, 'POST', '/v1/platform/providers', {
          preset: 'openai-compatible',
          name,
          baseUrl: `${origin}/v1`,
          apiKey: 'sk-bench',
        });
        await api(lintel.url, operator, 'POST', `/v1/platform/providers/${provider.id}/models`, {
          kind: 'chat',
          name: 'bench',
        });
        await sleep(1_200);
        return `${name}/bench`;
      },
      close: stop,
    };
    await stage.connect('streams', streamOrigin);
    return stage;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** 100 tenants with ten keys each, a plan with prices, limits of requests, concurrency, tokens and money: every step has work. */
async function furnish(
  ground: Ground,
  lintel: Installation,
  operator: string,
  upstream: string,
): Promise<{ keys: string[]; tenants: { id: string; uuid: string }[] }> {
  await connectDouble(lintel.url, operator, `${upstream}/v1`, 'sk-bench', [{ name: 'bench', maxOutputTokens: 1_000 }]);
  const setup = await openSetup(ground);
  try {
    const { quota } = setup.app.services;
    await api(lintel.url, operator, 'POST', '/v1/platform/plans', {
      name: 'Bench',
      currency: 'USD',
      prices: ['input_tokens', 'output_tokens'].map((name) => ({
        meter: `model.call.${name}`,
        price: { model: 'per_unit', unit: '0.000002' },
      })),
      isDefault: true,
    });
    await sleep(1_200);
    const keys: string[] = [];
    const tenants: { id: string; uuid: string }[] = [];
    for (let n = 0; n < 100; n++) {
      const tenant = await setup.tenant(`Bench ${n}`);
      tenants.push(tenant);
      for (const [resource, window, amount] of [
        ['requests', 'second', '1000000'],
        ['concurrency', 'none', '100000'],
        ['tokens', 'day', '1000000000000'],
        ['money', 'month', '1000000000'],
      ] as const) {
        await quota.quota.setQuota(
          tenant.uuid,
          { scope: 'tenant', scopeId: null, resource, window, amount },
          'platform',
          systemCause('bench'),
        );
      }
      const made = await Promise.all(Array.from({ length: 10 }, () => setup.key(tenant.uuid, 'owner')));
      keys.push(...made.map(({ secret }) => secret));
    }
    await sleep(1_500);
    const first = await fetch(`${lintel.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys[0]}`, 'content-type': 'application/json' },
      body: question(),
    });
    if (first.status !== 200 || !first.headers.has('x-lintel-price'))
      throw new Error(`the first call was answered with ${first.status} and no price: ${await first.text()}`);
    return { keys, tenants };
  } finally {
    await setup.close();
  }
}

async function startPortkey(dir: string, port: number, say: (line: string) => void) {
  const folder = join(dir, 'portkey');
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  if (!has('npm')) {
    say('npm is not here: @portkey-ai/gateway is left out');
    return undefined;
  }
  say(`installing @portkey-ai/gateway ${portkeyVersion} into a temporary folder`);
  try {
    execFileSync(
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', `@portkey-ai/gateway@${portkeyVersion}`],
      {
        cwd: folder,
        stdio: 'ignore',
        timeout: 180_000,
      },
    );
    return await startCommand(
      process.execPath,
      [join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js'), '--headless', `--port=${port}`],
      `http://127.0.0.1:${port}/`,
      { NODE_ENV: 'production' },
    );
  } catch (error) {
    say(`@portkey-ai/gateway is left out: ${String((error as Error).message).slice(0, 200)}`);
    return undefined;
  }
}
