import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Compiled modules are kept (keyed by their content): loading them is most of what a start costs. Where the folder cannot be written, nothing is kept.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/lintel', import.meta.url)));

const { runCommand } = await import('./program/run-command.ts');
await runCommand();
