import { type Logger as PinoLogger, pino } from 'pino';

/** The structured logger every part is given; never `console`. */
export type Logger = PinoLogger;

const secretNames = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'apiKey',
  'api_key',
  'key',
  'set-cookie',
  'x-api-key',
];

const secretPaths = secretNames.flatMap((name) => {
  const path = name.includes('-') ? `["${name}"]` : name;
  const dot = name.includes('-') ? '' : '.';
  return [path, `*${dot}${path}`, `*.*${dot}${path}`];
});

/** Lintel's own credentials wherever they stand in a text: API keys, login tokens, database URLs with a password. */
const secretTexts: readonly [RegExp, string][] = [
  [/lt_(live|test)_[0-9A-Za-z]{46}/g, 'lt_$1_[redacted]'],
  [/([?&#](?:token|key|secret)=)[^&\s"]+/g, '$1[redacted]'],
  [/(postgres(?:ql)?:\/\/[^:/@\s]+:)[^@\s]+@/g, '$1[redacted]@'],
  [/(Bearer )[\w.~+/=-]{8,}/g, '$1[redacted]'],
];

/** Takes Lintel's own secrets out of a text. */
export function redact(text: string): string {
  let clean = text;
  for (const [pattern, replacement] of secretTexts) clean = clean.replace(pattern, replacement);
  return clean;
}

/** A logger of JSON lines on standard output (or `destination`) that leaves out secrets by field name and by form. */
export function createLogger(
  level: string,
  base: Record<string, unknown> = {},
  destination?: { write(line: string): void },
): Logger {
  const target = destination ?? process.stdout;
  return pino(
    {
      level,
      base,
      redact: { paths: secretPaths, censor: '[redacted]' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => target.write(redact(line)) },
  );
}
