import { isTimeZone } from '#kernel/calendar';
import type { Clock } from '#kernel/clock';
import type { Principal } from '#kernel/http';
import { redact } from '#kernel/logger';
import { Problem } from '#kernel/problem';
import { calculate } from './calculate.ts';
import type { CallApi } from './ports.ts';
import { said, type ToolFunction, ToolNotCalled } from './tool-functions.ts';

const object = (properties: Record<string, unknown>, required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** Names of the tools that come with Lintel. */
export const builtinNames = ['clock', 'calculator', 'lintel'] as const;

/** A tool that comes with Lintel; undefined for an unknown name. `lintel` acts with the rights of the run's principal. */
export function builtinTool(
  name: string,
  deps: { clock: Clock; callApi: CallApi; principal: Principal },
): ToolFunction[] | undefined {
  if (name === 'clock') return [clockTool(deps.clock)];
  if (name === 'calculator') return [calculatorTool()];
  if (name === 'lintel') return lintelTools(deps.callApi, deps.principal);
  return undefined;
}

function clockTool(clock: Clock): ToolFunction {
  return {
    spec: {
      name: 'clock',
      description: 'The present date and time, in a time zone.',
      parameters: object(
        { timeZone: { type: 'string', description: 'IANA name such as Europe/Berlin. Default UTC.' } },
        [],
      ),
    },
    idempotent: true,
    needsApproval: false,
    call: async (args) => {
      const zone = String(args['timeZone'] ?? 'UTC');
      if (!isTimeZone(zone)) return said(`There is no time zone ${zone}.`, true);
      const now = clock.now().toZonedDateTimeISO(zone);
      const day = now.toLocaleString('en', { weekday: 'long' });
      return said(`${now.toString({ smallestUnit: 'second' })} (${day})`);
    },
  };
}

function calculatorTool(): ToolFunction {
  return {
    spec: {
      name: 'calculator',
      description: 'The value of an arithmetic expression, such as (3 + 4) * 2 ^ 10 or round(sqrt(2) * 100).',
      parameters: object({ expression: { type: 'string', maxLength: 2_000 } }, ['expression']),
    },
    idempotent: true,
    needsApproval: false,
    call: async (args) => {
      try {
        return said(String(calculate(String(args['expression']))));
      } catch (error) {
        return said((error as Error).message, true);
      }
    },
  };
}

const path = {
  type: 'string',
  pattern: '^/v1/[A-Za-z0-9_./?&=%:,+~-]*$',
  maxLength: 1_000,
  description: 'Such as /v1/usage?groupBy=day.',
};

/** Where a path leads, as the router reads it: without its query, decoded. Undefined for what is no path of the API. */
function placeOf(at: string): string | undefined {
  // Checked here: arguments are not held against patterns (see checkArguments).
  if (!new RegExp(path.pattern).test(at)) return undefined;
  try {
    return decodeURIComponent(at.replace(/\?.*/, ''));
  } catch {
    return undefined;
  }
}

function lintelTools(callApi: CallApi, principal: Principal): ToolFunction[] {
  const send = async (method: string, at: string, body: unknown, key: string | undefined) => {
    const place = placeOf(at);
    if (place === undefined) throw new ToolNotCalled('The path has to begin with /v1/ and be well formed.');
    if (/(^|\/)\.{1,2}(\/|$)/.test(place)) throw new ToolNotCalled('The path may not contain "." or "..".');
    if (/^\/v1\/(stream|runs\/[^/]+\/events)$/.test(place))
      throw new ToolNotCalled('Event streams cannot be read by a tool.');
    const answer = await callApi(principal, method, at, body, key).catch((error: unknown) => {
      // Thrown before there is a request: what the request itself says is an answer.
      throw error instanceof Problem ? new ToolNotCalled(error.message, error) : error;
    });
    // A key or link that is shown once is not for the journal, which others may read.
    return said(redact(`${answer.status} ${JSON.stringify(answer.body ?? null)}`), answer.status >= 400);
  };
  return [
    {
      spec: {
        name: 'lintel_read',
        description: "Reads from Lintel's own API with the caller's rights.",
        parameters: object({ path }, ['path']),
      },
      idempotent: true,
      needsApproval: false,
      call: (args) => send('GET', String(args['path']), undefined, undefined),
    },
    {
      spec: {
        name: 'lintel_write',
        description: "Changes something through Lintel's own API with the caller's rights. A person has to approve it.",
        parameters: object({ method: { enum: ['POST', 'PUT', 'PATCH', 'DELETE'] }, path, body: { type: 'object' } }, [
          'method',
          'path',
        ]),
      },
      idempotent: false,
      needsApproval: true,
      call: (args, { key }) => send(String(args['method']), String(args['path']), args['body'], key),
    },
  ];
}
