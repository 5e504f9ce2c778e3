/** One wrong place in the input: a JSON pointer (RFC 6901) and what is wrong there. */
export type ProblemPlace = { pointer: string; detail: string };

/** A refusal or failure as Lintel answers it (RFC 9457); on OpenAI routes the body carries `error` as well. */
export type ProblemBody = {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  errors?: ProblemPlace[];
  requestId?: string;
  error?: { message: string; type: string; code: string | null; param: string | null };
  [member: string]: unknown;
};

/** An answer that is not a success. `status` is 0 when no answer came (network, abort); `body` has every member sent. */
export class LintelError extends Error {
  readonly status: number;
  /** Stable slug of the problem, such as `budget-spent`; `network` when no answer came. */
  readonly type: string;
  readonly title: string;
  readonly detail: string | undefined;
  readonly errors: readonly ProblemPlace[];
  readonly requestId: string | undefined;
  readonly body: ProblemBody;

  constructor(status: number, body: ProblemBody, cause?: unknown) {
    const title = body.title ?? body.error?.message ?? `HTTP ${status}`;
    super(body.detail ?? title, cause === undefined ? undefined : { cause });
    this.name = 'LintelError';
    this.status = status;
    this.type = body.type?.split('/').pop() ?? 'unknown';
    this.title = title;
    this.detail = body.detail;
    this.errors = body.errors ?? [];
    this.requestId = body.requestId;
    this.body = body;
  }
}

/** The error for an answer that is not a success, whatever its body is. */
export async function errorOf(response: Response): Promise<LintelError> {
  const text = await response.text().catch(() => '');
  let body: ProblemBody = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) body = parsed as ProblemBody;
  } catch {
    // Not JSON (a proxy's page, say): the status is all there is to tell.
  }
  const requestId = body.requestId ?? response.headers.get('x-request-id');
  return new LintelError(response.status, requestId === null ? body : { ...body, requestId });
}
