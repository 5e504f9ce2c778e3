import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { Problem } from '#kernel/problem';

import { problems } from './problems.ts';

const segmentBytes = 8_388_608;
const suffix = '.ndjson';

/** What a segment holds: its whole lines, those that cannot be read, and whether the last one was cut off in writing. */
export type Segment = { lines: string[]; damaged: string[]; torn: boolean };

/**
 * Rows kept in a folder while the database is away: segments of lines `<CRC-32 in hex> <JSON>`, synced to the disk before
 * `append` resolves. One process writes to a folder; whoever comes next reads what it left.
 */
export class Spool {
  readonly folder: string;
  readonly #owner: string;
  readonly #maxBytes: number;
  #segment: { name: string; file: FileHandle; bytes: number } | undefined;
  #number = 0;
  #bytes = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(config: { folder: string; owner: string; maxBytes: number }) {
    this.folder = config.folder;
    this.#owner = config.owner;
    this.#maxBytes = config.maxBytes;
  }

  /** Bytes kept at this moment. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes the folder and counts what is in it. */
  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    this.#bytes = 0;
    for (const name of await this.#names()) this.#bytes += (await stat(join(this.folder, name))).size;
  }

  /** Keeps texts (JSON without line breaks). 503 `spool-full` when the bound or the disk is reached; then none of them is kept. */
  append(texts: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#append(texts));
  }

  /** Ends the segment in writing, so that {@link closed} lists it. */
  rotate(): Promise<void> {
    return this.#inTurn(() => this.#rotate());
  }

  async #append(texts: readonly string[]): Promise<void> {
    const data = Buffer.from(texts.map(lineOf).join(''));
    if (this.#bytes + data.length > this.#maxBytes) {
      throw full(`The spool holds ${this.#bytes} of at most ${this.#maxBytes} bytes.`);
    }
    const segment = await this.#current();
    try {
      await segment.file.appendFile(data);
      await segment.file.datasync();
    } catch (error) {
      // After a failed write or sync the file's end is not known: cut it off, and never write behind it.
      this.#segment = undefined;
      await segment.file.truncate(segment.bytes).catch(() => undefined);
      await segment.file.close().catch(() => undefined);
      throw full('The spool cannot be written.', error);
    }
    segment.bytes += data.length;
    this.#bytes += data.length;
    if (segment.bytes >= segmentBytes) await this.#rotate();
  }

  async #rotate(): Promise<void> {
    const segment = this.#segment;
    this.#segment = undefined;
    await segment?.file.close();
  }

  /** Names of the segments nobody writes to, oldest first. In turn: one that is being made is in the folder before it is known here. */
  closed(): Promise<string[]> {
    return this.#inTurn(async () => (await this.#names()).filter((name) => name !== this.#segment?.name));
  }

  /** Reads a closed segment. */
  async read(name: string): Promise<Segment> {
    const text = await readFile(join(this.folder, name), 'utf8');
    const segment: Segment = { lines: [], damaged: [], torn: !text.endsWith('\n') && text !== '' };
    const lines = text.split('\n');
    // What follows the last line break was never acknowledged, unless it is whole by chance.
    for (const line of lines) {
      if (line === '') continue;
      const json = line.slice(9);
      if (line[8] === ' ' && checksum(json) === line.slice(0, 8)) segment.lines.push(json);
      else if (segment.torn && line === lines.at(-1)) continue;
      else segment.damaged.push(line);
    }
    return segment;
  }

  /** Deletes a segment that was taken in; lines that could not be stay beside it as `.damaged`. */
  async remove(name: string, damaged: readonly string[]): Promise<void> {
    const path = join(this.folder, name);
    const { size } = await stat(path);
    if (damaged.length > 0) {
      const file = await open(`${path}.part`, 'w', 0o600);
      await file.writeFile(damaged.map((line) => `${line}\n`).join(''));
      await file.datasync();
      await file.close();
      await rename(`${path}.part`, `${path}.damaged`);
    }
    await rm(path);
    this.#bytes -= size;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  async #current(): Promise<{ name: string; file: FileHandle; bytes: number }> {
    if (this.#segment !== undefined) return this.#segment;
    const name = `${Date.now().toString().padStart(15, '0')}-${this.#owner}-${String(++this.#number).padStart(6, '0')}${suffix}`;
    try {
      const file = await open(join(this.folder, name), 'ax', 0o600);
      const folder = await open(this.folder, 'r');
      await folder.sync();
      await folder.close();
      this.#segment = { name, file, bytes: 0 };
      return this.#segment;
    } catch (error) {
      throw full('The spool cannot be written.', error);
    }
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => name.endsWith(suffix)).sort();
  }
}

function lineOf(json: string): string {
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

function full(detail: string, cause?: unknown): Problem {
  return new Problem(problems.spoolFull, {
    detail: `${detail} Calls are refused until the database is back.`,
    headers: { 'retry-after': '5' },
    cause,
  });
}
