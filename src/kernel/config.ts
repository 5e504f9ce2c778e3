import ipaddr from 'ipaddr.js';

import { readServers } from '#kernel/database-address';

/** One environment variable: how it is read, what it is when absent, what it is for. */
export type Setting<T> = {
  readonly read: (text: string) => T;
  /** Value when the variable is not set; `required` refuses to start without it. */
  readonly fallback: T;
  readonly description: string;
  /** How the value is written in `.env.example`. */
  readonly example?: string;
  readonly secret?: boolean;
};

/** A module's slice of the environment: variable name → setting. */
export type Settings = Record<string, Setting<unknown>>;

/** The values read by a slice. */
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** A wrong environment: every wrong variable in one message. */
export class ConfigError extends Error {
  readonly wrong: readonly string[];

  constructor(wrong: readonly string[]) {
    super(`The environment is not usable:\n${wrong.map((line) => `  - ${line}`).join('\n')}`);
    this.name = 'ConfigError';
    this.wrong = wrong;
  }
}

/** A text. */
export function text(fallback: string, description: string, more: Partial<Setting<string>> = {}): Setting<string> {
  return { read: (value) => value, fallback, description, ...more };
}

/** A whole number between two bounds, both allowed. */
export function integer(fallback: number, min: number, max: number, description: string): Setting<number> {
  return {
    fallback,
    description,
    read: (value) => {
      if (!/^-?\d{1,15}$/.test(value)) throw new Error(`takes a whole number, not "${value}"`);
      const number = Number(value);
      if (number < min || number > max) throw new Error(`takes ${min} to ${max}, not ${value}`);
      return number;
    },
  };
}

/** One of a few words. */
export function choice<T extends string>(fallback: T, options: readonly T[], description: string): Setting<T> {
  return {
    fallback,
    description,
    read: (value) => {
      const found = options.find((option) => option === value);
      if (found === undefined) throw new Error(`takes one of ${options.join(', ')}, not "${value}"`);
      return found;
    },
  };
}

/** A list separated by commas; empty when not set. `check` throws with what is wrong about an item. */
export function list(
  description: string,
  example: string,
  check: (item: string) => void = () => undefined,
): Setting<readonly string[]> {
  return {
    fallback: [],
    description,
    example,
    read: (value) => {
      const items = value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
      for (const item of items) check(item);
      return items;
    },
  };
}

/** A URL of one of the given schemes, or undefined when not set. */
export function url(
  schemes: readonly string[],
  description: string,
  more: Partial<Setting<string | undefined>> = {},
): Setting<string | undefined> {
  return {
    fallback: undefined,
    description,
    ...more,
    read: (value) => {
      if (!schemes.some((scheme) => value.startsWith(`${scheme}:`))) {
        throw new Error(`takes an address that begins with ${schemes.map((scheme) => `${scheme}:`).join(' or ')}`);
      }
      // Several hosts may stand in it, which URL does not know; a socket's folder stands behind the question mark.
      const [, scheme, hosts] = /^(\w+):\/\/(?:[^@/?]*@)?([^/?#]*)/.exec(value) ?? [];
      if (hosts === undefined || hosts.split(',').some((host) => host !== '' && !URL.canParse(`${scheme}://${host}`)))
        throw new Error('is not an address that can be read');
      if (hosts === '' && scheme?.startsWith('http')) throw new Error('names no host');
      return value;
    },
  };
}

/**
 * Reads slices from the environment. Throws {@link ConfigError} naming every wrong variable, unknown `LINTEL_…` ones too
 * (a misspelt limit must not pass in silence).
 */
export function readConfig<const S extends Settings>(settings: S, env: NodeJS.ProcessEnv = process.env): Values<S> {
  const wrong: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const given = env[name];
    if (given === undefined || given === '') {
      values[name] = setting.fallback;
      continue;
    }
    try {
      values[name] = setting.read(given);
    } catch (error) {
      wrong.push(`${name} ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const name of Object.keys(env)) {
    if (name.startsWith('LINTEL_') && !(name in settings) && !name.startsWith('LINTEL_INTERNAL_')) {
      wrong.push(`${name} is not a variable of Lintel`);
    }
  }
  if (wrong.length > 0) throw new ConfigError(wrong);
  return values as Values<S>;
}

/** The text of `.env.example`: every variable with its meaning and its value when not set. */
export function envExample(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, setting]) => {
      const value = setting.example ?? (setting.fallback === undefined ? '' : String(setting.fallback));
      return `# ${setting.description}\n# ${name}=${value}\n`;
    })
    .join('\n');
}

/** The address of a PostgreSQL, or undefined when not set. */
function databaseUrl(description: string, more: Partial<Setting<string | undefined>>): Setting<string | undefined> {
  const address = url(['postgres', 'postgresql'], description, more);
  return {
    ...address,
    read: (value) => {
      readServers(address.read(value) as string);
      return value;
    },
  };
}

/** The kernel's own slice. */
export const kernelSettings = {
  DATABASE_URL: databaseUrl(
    'PostgreSQL 15 or newer; several hosts may be named. Spoken to by verified TLS unless it is on this machine or sslmode=disable. Not set: an embedded one starts by itself.',
    {
      secret: true,
      example: 'postgres://lintel:…@db-1:5432,db-2:5432/lintel?sslmode=verify-full',
    },
  ),
  DATABASE_ADMIN_URL: databaseUrl(
    'An owner account, used for migrations alone. Not set: DATABASE_URL migrates too (weaker).',
    {
      secret: true,
      example: 'postgres://lintel_admin:…@db-1:5432/lintel?sslmode=verify-full',
    },
  ),
  LINTEL_ROOT_KEY: text(
    '',
    'Root secret: 64 hex digits. Mandatory with DATABASE_URL; else it is made in <data-dir>/root.key.',
    {
      secret: true,
      example: '',
      read: (value) => {
        if (!/^[0-9a-f]{64}$/i.test(value)) throw new Error('takes 64 hex digits');
        return value;
      },
    },
  ),
  LINTEL_LOG_LEVEL: choice('info', ['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'How much is logged.'),
  LINTEL_STALE_GRACE_SECONDS: integer(
    60,
    0,
    3600,
    'How long a node answers from its last snapshot while the database cannot be reached; 0 = not at all.',
  ),
  LINTEL_DRAIN_SECONDS: integer(
    300,
    0,
    86_400,
    'How long a stop waits for calls under way; then they end with what they used so far, and runs of agents go on in background. Whatever stops Lintel (systemd, Docker, Kubernetes) must wait a little longer.',
  ),
  LINTEL_CLIENT_STALL_SECONDS: integer(
    60,
    1,
    3600,
    'How long a client may take no byte of an answer that waits for it; then it counts as gone, and its call is cancelled.',
  ),
  LINTEL_TRUSTED_PROXY: list(
    'Addresses or networks whose X-Forwarded-* headers are believed.',
    '10.0.0.0/8',
    (item) => {
      if (!ipaddr.isValid(item) && !ipaddr.isValidCIDR(item))
        throw new Error(`takes addresses and networks (10.0.0.0/8), not "${item}"`);
    },
  ),
  LINTEL_PUBLIC_URL: url(
    ['http', 'https'],
    'The address users reach Lintel at, for links in mails; not set: the listening address.',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(
    ['http', 'https'],
    'An OpenTelemetry collector (OTLP over HTTP) for traces and metrics; its other standard variables hold too. Not set: none are sent.',
    { example: 'http://localhost:4318' },
  ),
  LINTEL_DATABASE_POOL: integer(10, 4, 200, 'Database connections per process.'),
  LINTEL_MAX_BODY_BYTES: integer(8_388_608, 1024, 268_435_456, 'Largest request body, bytes.'),
} as const satisfies Settings;

/** What the kernel reads from the environment. */
export type KernelConfig = Values<typeof kernelSettings>;
