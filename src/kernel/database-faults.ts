import { Problem, problems } from '#kernel/problem';

const retryable = new Set(['40001', '40P01', '57P01', '57P02', '57P03', '25006', '08000', '08003', '08006', '08001']);
const networkFaults = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  // The name of a server that is away may be away too.
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** True when an error says that the database is away or asks to try again, and nothing of the transaction took effect. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && (retryable.has(code) || networkFaults.has(code))) return true;
  return /Connection terminated|terminated unexpectedly|not queryable|timeout exceeded when trying to connect|^timeout expired$|no writable/.test(
    error.message,
  );
}

/** True when the database cannot be reached at all (as opposed to a conflict that a retry mends). */
export function isAway(error: unknown): boolean {
  // pg's word for a statement that nobody answered.
  if (error instanceof Error && error.message === 'Query read timeout') return true;
  return (
    isTransient(error) &&
    (error as { code?: unknown }).code !== '40001' &&
    (error as { code?: unknown }).code !== '40P01'
  );
}

/** Thrown when COMMIT was sent and no answer came: it may or may not have taken effect. 503. */
export class UnknownOutcome extends Problem {
  constructor(cause: unknown) {
    super(problems.unavailable, { detail: 'The database went away during COMMIT: the change may be made.', cause });
    this.name = 'UnknownOutcome';
  }
}
