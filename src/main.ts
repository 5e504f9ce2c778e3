import { argv, exit, stderr } from 'node:process';

import { ConfigError } from '#kernel/config';
import { AlreadyRunningError } from '#kernel/run-lock';
import { runChild } from './program/child.ts';
import { demo } from './program/demo.ts';
import { doctor } from './program/doctor.ts';
import { modules } from './program/modules.ts';
import { UsageError } from './program/options.ts';
import { reset } from './program/reset.ts';
import { start } from './program/start.ts';

const commands: Record<string, (args: readonly string[]) => Promise<void>> = {
  start,
  doctor,
  reset,
  modules,
  child: () => runChild(process.env),
  demo: () => demo(process.env),
};

const [, , name = 'start', ...args] = argv;
const command = commands[name];
if (command === undefined) {
  stderr.write(`There is no command "${name}": start, doctor, reset, modules.\n`);
  exit(2);
}
try {
  await command(args);
} catch (error) {
  const plain = error instanceof UsageError || error instanceof ConfigError || error instanceof AlreadyRunningError;
  stderr.write(
    `${error instanceof Error ? (plain ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
  );
  exit(error instanceof UsageError ? 2 : 1);
}
