import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

/** Hashes as background does, slowly, and ends by itself a moment after it has lost its supervisor. */
const background = `
  import { answerHashing } from '${new URL('./hash-passwords.ts', import.meta.url)}';
  const work = Promise.withResolvers();
  answerHashing({ hash: () => { process.send({ type: 'ready' }); return work.promise; }, verify: () => work.promise });
  process.once('disconnect', () => {
    work.resolve('$argon2id$');
    setTimeout(() => process.exit(0), 200);
  });`;

test('a password that is being hashed when the supervisor dies does not take the draining process along', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', background], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.send({ type: 'hash', id: 1, ask: { kind: 'hash', password: 'x' } });
  await once(child, 'message');
  const ended = once(child, 'exit');
  child.disconnect();
  expect(await ended).toEqual([0, null]);
}, 30_000);
