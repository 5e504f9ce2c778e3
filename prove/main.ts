import { execFile } from 'node:child_process';
import { glob, readFile, writeFile } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';

/** What a proof is given: its seed, and how much of its default count to do. */
type ProofOptions = { seed: number; count?: number };
/** A proof: `prove/<name>.ts` exports it as `prove`. */
type Proof = (options: ProofOptions) => Promise<{ ok: boolean; figures: unknown }>;

const proofsFile = new URL('../docs/proofs.json', import.meta.url);

process.exitCode = await main(process.argv.slice(2));
// What a proof left open keeps nothing waiting.
process.exit();

async function main(args: string[]): Promise<number> {
  const names = await Array.fromAsync(glob('*.ts', { cwd: new URL('.', import.meta.url) }));
  const known = names.map((file) => file.slice(0, -3)).filter((name) => name !== 'main');
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { seed: { type: 'string' }, count: { type: 'string' } },
  });
  const asked = positionals.length > 0 ? positionals : known.toSorted();
  const unknown = asked.filter((name) => !known.includes(name));
  const numbers = [values.seed, values.count].filter((text) => text !== undefined);
  if (unknown.length > 0 || numbers.some((text) => !/^\d{1,15}$/.test(text))) {
    say(`usage: prove [${known.toSorted().join(' | ')}] [--seed N] [--count N]`);
    return 2;
  }
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e9) : Number(values.seed);
  let failed = 0;
  for (const name of asked) {
    say(`prove ${name}: seed ${seed}`);
    const { prove } = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as { prove: Proof };
    const started = performance.now();
    const { ok, figures } = await prove({
      seed,
      ...(values.count === undefined ? {} : { count: Number(values.count) }),
    });
    const seconds = Math.round((performance.now() - started) / 1000);
    say(JSON.stringify(figures, undefined, 2));
    say(`prove ${name}: ${ok ? 'holds' : 'FAILS'} (${seconds} s, seed ${seed})`);
    await keep(name, {
      ok,
      figures,
      seed,
      seconds,
      commit: await commit(),
      date: new Date().toISOString().slice(0, 10),
    });
    if (!ok) failed++;
  }
  return failed === 0 ? 0 : 1;
}

/** Writes a proof's figures beside those of the others. */
async function keep(name: string, proof: object): Promise<void> {
  const kept = await readFile(proofsFile, 'utf8').then(
    (text) => JSON.parse(text) as Record<string, object>,
    () => ({}),
  );
  const all = Object.entries({ ...kept, [name]: proof }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  await writeFile(proofsFile, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`);
}

/** The commit that was proven, with a `+` when the work tree is another; `unknown` outside a clone. */
async function commit(): Promise<string> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', args, { cwd: new URL('..', import.meta.url) })).stdout.trim();
  try {
    const changed = await git('status', '--porcelain', '--untracked-files=no');
    return `${await git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : '+'}`;
  } catch {
    return 'unknown';
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
