import { integer, type Settings, type Values } from '#kernel/config';

/** What auth reads from the environment. */
export const authSettings = {
  LINTEL_SESSION_IDLE_MINUTES: integer(60, 5, 1440, 'A session ends after so many minutes without a request.'),
  LINTEL_SESSION_HOURS: integer(24, 1, 720, 'A session ends after so many hours, used or not.'),
} as const satisfies Settings;

/** Values of {@link authSettings}. */
export type AuthConfig = Values<typeof authSettings>;
