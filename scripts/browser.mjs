// Finds the Chromium that the journeys drive, or gets one.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @param {string} root the checkout.
 * @param {string} runtime the pinned Node.
 * @param {(line: string) => void} say
 * @returns {string | undefined} path of a Chromium; undefined, after saying so, when none could be had.
 */
export function ensureChromium(root, runtime, say) {
  const playwright = () => fromPlaywright(root, runtime);
  const found = process.env.CHROMIUM_PATH || onPath('chromium', 'chromium-browser', 'google-chrome') || playwright();
  if (found) return found;
  const asDebianRoot = process.getuid?.() === 0 && isDebian() && onPath('apt-get') !== undefined;
  say(`No Chromium found, getting one with ${asDebianRoot ? 'apt-get' : "Playwright's installer"}`);
  if (asDebianRoot) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'inherit' });
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { env, stdio: 'inherit' });
  } else {
    spawnSync(runtime, [join(root, 'node_modules/playwright-core/cli.js'), 'install', '--no-shell', 'chromium'], {
      stdio: 'inherit',
    });
  }
  const got = onPath('chromium') ?? playwright();
  say(
    got ? `Chromium is ${got}` : 'No Chromium could be had: tests in the browser will fail. Set CHROMIUM_PATH to one.',
  );
  return got;
}

/** @param {string[]} names */
function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isDebian() {
  return existsSync('/etc/os-release') && /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/** The browser of an earlier run of Playwright's installer. @param {string} root @param {string} runtime */
function fromPlaywright(root, runtime) {
  const script = "console.log(require('playwright-core').chromium.executablePath())";
  const path = spawnSync(runtime, ['-e', script], { cwd: root, encoding: 'utf8' }).stdout.trim();
  return path !== '' && existsSync(path) ? path : undefined;
}
