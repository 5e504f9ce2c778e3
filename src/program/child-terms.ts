/** What the supervisor tells a child at its start (environment variable `LINTEL_INTERNAL_CHILD`, JSON). */
export type ChildTerms = {
  role: 'front' | 'background';
  host: string;
  port: number;
  baseUrl: string;
  /** Folder where this child keeps calls while the database is away, if no other process holds it. */
  spoolDir: string;
  consoleDir: string;
};

/** Messages between the supervisor and its children beside {@link drainMessage}. */
export type ChildMessage =
  | { type: 'ready'; nodeId: string }
  /** While it drains: how many calls it still waits for. */
  | { type: 'under-way'; calls: number }
  | { type: 'hash'; id: number; from?: number; ask: unknown }
  | { type: 'hashed'; id: number; from?: number; answer: unknown };

/** Reads the terms; throws when this process was not started by a supervisor. */
export function readTerms(env: NodeJS.ProcessEnv): ChildTerms {
  const text = env['LINTEL_INTERNAL_CHILD'];
  if (text === undefined) throw new Error('This command is started by the supervisor alone: use "npm start".');
  return JSON.parse(text) as ChildTerms;
}
