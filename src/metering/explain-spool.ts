import { Problem } from '#kernel/problem';

/** Why a spool cannot be taken in. */
export type SpoolTrouble = {
  /** One word per cause, so that each is told once. */
  cause: string;
  /** What an operator can do. */
  advice: string;
  /** Whether it lies with the folder: the database itself can be written to. */
  inFolder: boolean;
};

const folderCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EIO', 'EISDIR', 'EMFILE', 'ENFILE']);

/** Says what keeps a spool from being taken in, from the error it failed with. */
export function explainSpool(error: unknown): SpoolTrouble {
  const { code, path } = (error ?? {}) as { code?: unknown; path?: unknown };
  const cause = typeof code === 'string' ? code : error instanceof Error ? error.name : String(error);
  const kept = 'Until then the calls in it stand on no bill; none is lost.';
  if (error instanceof Problem || cause.startsWith('08') || cause.startsWith('57P'))
    return { cause: 'database', inFolder: false, advice: `Bring the database back. ${kept}` };
  if (typeof path === 'string' || folderCodes.has(cause)) {
    const what =
      cause === 'ENOSPC' || cause === 'EDQUOT' || cause === 'EFBIG'
        ? 'Free some space on its disk.'
        : 'Make its files readable and writable for the account that Lintel runs as.';
    return { cause, inFolder: true, advice: `${what} ${kept}` };
  }
  if (cause.startsWith('42'))
    return {
      cause,
      inFolder: false,
      advice: `The database lacks a table or a right: start Lintel once with an owner account in DATABASE_ADMIN_URL, which migrates. ${kept}`,
    };
  if (cause.startsWith('53') || cause.startsWith('54'))
    return { cause, inFolder: false, advice: `The database has no room left (disk or connections). ${kept}` };
  return { cause, inFolder: false, advice: `The error beside this says what is wrong. ${kept}` };
}
