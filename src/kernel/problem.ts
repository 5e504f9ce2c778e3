/**
 * One entry of an error catalogue. `type` is a stable slug: on the wire it is `https://lintel.dev/problems/<type>` (RFC 9457).
 * `openai` are the members of OpenAI's error body on protocol routes.
 */
export type ProblemKind = {
  readonly type: string;
  readonly status: number;
  readonly title: string;
  readonly openai?: { readonly type: string; readonly code: string | null };
};

/** One wrong place in the input: a JSON pointer (RFC 6901) and what is wrong there. */
export type ProblemPlace = { pointer: string; detail: string };

/** What a problem may say beside its kind. `extra` members are sent as they are; `headers` go on the answer. */
export type ProblemDetails = {
  detail?: string;
  errors?: ProblemPlace[];
  extra?: Record<string, unknown>;
  headers?: Record<string, string>;
  param?: string;
  cause?: unknown;
  /** Whose account a sign-in was for, for the audit log alone: never sent. The tenant is known when the address is. */
  account?: { email?: string; tenantId?: string | undefined };
  /** True: the row of the call, or its run, says it already. */
  recorded?: true;
};

/** A refusal or failure that the caller is told about: thrown anywhere, answered once in kernel/http. */
export class Problem extends Error {
  readonly kind: ProblemKind;
  readonly details: ProblemDetails;

  constructor(kind: ProblemKind, details: ProblemDetails = {}) {
    super(details.detail ?? kind.title, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Problem';
    this.kind = kind;
    this.details = details;
  }
}

/** Problems that any route may answer with; modules keep their own in `problems.ts`. */
export const problems = {
  badRequest: { type: 'bad-request', status: 400, title: 'The request could not be read.' },
  invalid: { type: 'invalid-input', status: 400, title: 'The input is not valid.' },
  unauthenticated: {
    type: 'unauthenticated',
    status: 401,
    title: 'A valid credential is needed.',
    openai: { type: 'invalid_request_error', code: 'invalid_api_key' },
  },
  forbidden: {
    type: 'forbidden',
    status: 403,
    title: 'The caller may not do this.',
    openai: { type: 'permission_error', code: 'permission_denied' },
  },
  notFound: {
    type: 'not-found',
    status: 404,
    title: 'There is no such thing.',
    openai: { type: 'invalid_request_error', code: 'not_found' },
  },
  methodNotAllowed: { type: 'method-not-allowed', status: 405, title: 'This address does not take that method.' },
  conflict: { type: 'conflict', status: 409, title: 'The present state does not allow this.' },
  preconditionFailed: { type: 'precondition-failed', status: 412, title: 'It was changed meanwhile.' },
  tooLarge: {
    type: 'too-large',
    status: 413,
    title: 'The request is too large.',
    openai: { type: 'invalid_request_error', code: 'request_too_large' },
  },
  unsupportedMediaType: { type: 'unsupported-media-type', status: 415, title: 'This content type is not taken here.' },
  internal: {
    type: 'internal',
    status: 500,
    title: 'Something went wrong here.',
    openai: { type: 'server_error', code: 'internal_error' },
  },
  unavailable: {
    type: 'unavailable',
    status: 503,
    title: 'The service cannot answer at the moment.',
    openai: { type: 'server_error', code: 'unavailable' },
  },
} as const satisfies Record<string, ProblemKind>;

/** The same 404 for what does not exist and for what is another tenant's. */
export function notFound(what: string): Problem {
  return new Problem(problems.notFound, { detail: `There is no such ${what}.` });
}

/** 400 that points at one wrong place of the input. */
export function invalidInput(pointer: string, detail: string): Problem {
  return new Problem(problems.invalid, { detail, errors: [{ pointer, detail }] });
}

/** The RFC 9457 body of a problem, with the request's id. */
export function problemBody(problem: Problem, requestId: string): Record<string, unknown> {
  const { kind, details } = problem;
  return {
    type: `https://lintel.dev/problems/${kind.type}`,
    title: kind.title,
    status: kind.status,
    ...(details.detail === undefined ? {} : { detail: details.detail }),
    ...(details.errors === undefined ? {} : { errors: details.errors }),
    ...details.extra,
    requestId,
  };
}

/** OpenAI's error body plus the problem's members, for protocol routes that speak OpenAI. */
export function openaiProblemBody(problem: Problem, requestId: string): Record<string, unknown> {
  const { kind, details } = problem;
  const code = kind.openai?.code ?? kind.type.replaceAll('-', '_');
  return {
    ...problemBody(problem, requestId),
    error: {
      message: details.detail ?? kind.title,
      type: kind.openai?.type ?? (kind.status >= 500 ? 'server_error' : 'invalid_request_error'),
      code,
      param: details.param ?? details.errors?.[0]?.pointer.slice(1).replaceAll('/', '.') ?? null,
    },
  };
}
