import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';

import { answerTo, type McpTransport, type RpcMessage } from './mcp-session.ts';
import { ToolNotCalled } from './tool-functions.ts';

/** What a stdio server may take up. */
export type ProcessLimits = { cpuSeconds: number; openFiles: number; memoryBytes: number };

/** Bounds of each stdio server unless others are given. */
export const defaultProcessLimits: ProcessLimits = { cpuSeconds: 600, openFiles: 256, memoryBytes: 536_870_912 };

const maxLineBytes = 8_388_608;

type Waiting = { resolve(message: RpcMessage): void; reject(error: Error): void };

/**
 * The stdio transport of MCP: a child in a process group of its own, without Lintel's environment, in the temporary folder.
 * CPU time and open files are bounded by `ulimit`; memory by looking at /proc each second (Linux; elsewhere unbounded). It ends
 * with the session, and by the end of its input when Lintel is killed.
 */
export class McpStdioTransport implements McpTransport {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number | string, Waiting>();
  readonly #watch: NodeJS.Timeout;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #errors = '';
  #failure = 'ended';
  alive = true;

  constructor(command: readonly string[], environment: Record<string, string>, limits = defaultProcessLimits) {
    const script = `ulimit -t ${limits.cpuSeconds}; ulimit -n ${limits.openFiles}; exec "$0" "$@"`;
    this.#child = spawn('/bin/sh', ['-c', script, ...command], {
      cwd: tmpdir(),
      env: environment,
      detached: true,
      stdio: 'pipe',
    });
    this.#child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString('utf8')).slice(-2_000);
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.on('error', (error) => this.#end(error.message));
    this.#child.on('close', () => this.#end(this.#failure));
    this.#watch = setInterval(() => void this.#checkMemory(limits.memoryBytes), 1_000);
    this.#watch.unref();
  }

  /** The child's process id, undefined when it did not start. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  request(message: RpcMessage, options: { signal: AbortSignal }): Promise<RpcMessage> {
    if (!this.alive) return Promise.reject(new ToolNotCalled(`The tool server ${this.#failure}. ${this.#errors}`));
    const { id } = message as { id: number };
    return new Promise((resolve, reject) => {
      const over = () => {
        options.signal.removeEventListener('abort', aborted);
        this.#waiting.delete(id);
      };
      const aborted = () => {
        over();
        void this.notify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
        reject(options.signal.reason as Error);
      };
      if (options.signal.aborted) return reject(options.signal.reason as Error);
      options.signal.addEventListener('abort', aborted);
      this.#waiting.set(id, {
        resolve: (answer) => {
          over();
          resolve(answer);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      });
      this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    });
  }

  async notify(message: RpcMessage): Promise<void> {
    if (this.alive) this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  agreed(): void {
    // Only HTTP names the version again.
  }

  async close(): Promise<void> {
    if (this.alive) this.#kill('was closed');
    // A child of its own that left the group may hold its output open, and us.
    for (const end of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) end.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.pid === undefined) return;
    await new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
  }

  #kill(why: string): void {
    this.#failure = why;
    this.#end(why);
    try {
      // The whole group: servers started through npx or a shell have children of their own.
      if (this.pid !== undefined) process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }

  #end(why: string): void {
    if (!this.alive) return;
    this.alive = false;
    clearInterval(this.#watch);
    const error = new Error(`The tool server ${why}. ${this.#errors}`.trim());
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }

  #read(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...this.#rest, chunk.subarray(from, at)]).toString('utf8');
      this.#rest = [];
      this.#restBytes = 0;
      from = at + 1;
      if (line.trim() !== '') this.#hear(line);
    }
    const tail = chunk.subarray(from);
    if (tail.length === 0) return;
    this.#rest.push(tail);
    this.#restBytes += tail.length;
    if (this.#restBytes > maxLineBytes) this.#kill('wrote a line that is too long');
  }

  #hear(line: string): void {
    let message: RpcMessage;
    try {
      message = JSON.parse(line) as RpcMessage;
    } catch {
      return; // Servers that print to standard output by mistake are common; the rest of their output is fine.
    }
    if (typeof message !== 'object' || message === null || message.id === undefined) return;
    if (message.method !== undefined) void this.notify(answerTo(message));
    else this.#waiting.get(message.id)?.resolve(message);
  }

  async #checkMemory(maxBytes: number): Promise<void> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8').catch(() => '');
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    if (kilobytes * 1024 > maxBytes) this.#kill(`took more than ${maxBytes} bytes of memory`);
  }
}
