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
  LINTEL_USAGE_DAYS: integer(
    400,
    62,
    3_650,
    'How long calls and usage are kept, days: a month is dropped when its last day is older.',
  ),
} as const satisfies Settings;
