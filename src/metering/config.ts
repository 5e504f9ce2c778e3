import type { Settings } from '#kernel/config';
import { integer } from '#kernel/config';

/** Metering's slice of the environment. */
export const settings = {
  LINTEL_COMMIT_WINDOW_MS: integer(1, 1, 5, 'How long calls wait to be committed together, milliseconds.'),
  LINTEL_SPOOL_MAX_BYTES: integer(
    268_435_456,
    0,
    1_099_511_627_776,
    'Largest spool of one process while the database is away, bytes; 0 = no spool.',
  ),
} as const satisfies Settings;
