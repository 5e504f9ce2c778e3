import { argv, exit, stderr, stdout } from 'node:process';

import { ConfigError } from '#kernel/config';
import { AlreadyRunningError } from '#kernel/run-lock';
import { UsageError } from './options.ts';

type Command = (args: readonly string[]) => Promise<void>;

/** Each command brings only what it needs: a process of Lintel is up as soon as its own modules are loaded. */
const commands: Record<string, () => Promise<Command>> = {
  start: async () => (await import('./start.ts')).start,
  doctor: async () => (await import('./doctor.ts')).doctor,
  reset: async () => (await import('./reset.ts')).reset,
  modules: async () => (await import('./modules.ts')).modules,
  child: async () => {
    const { runChild } = await import('./child.ts');
    return () => runChild(process.env);
  },
  demo: async () => {
    const { demo } = await import('./demo.ts');
    return () => demo(process.env);
  },
};

/** Runs what the command line names; ends the process with 2 for a wrong command line and 1 for what failed. */
export async function runCommand(): Promise<void> {
  // Who read what is said may go away (a closed terminal, a pipe): a line of output must not end a server, and leave its database alone.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  const [, , name = 'start', ...args] = argv;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    stderr.write(`There is no command "${name}": start, doctor, reset, modules.\n`);
    exit(2);
  }
  try {
    await (await command())(args);
  } catch (error) {
    const plain = error instanceof UsageError || error instanceof ConfigError || error instanceof AlreadyRunningError;
    stderr.write(
      `${error instanceof Error ? (plain ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
    );
    exit(error instanceof UsageError ? 2 : 1);
  }
}
