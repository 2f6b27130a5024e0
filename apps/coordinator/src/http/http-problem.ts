// What goes wrong with a request, as JSON: {error: {code, message}}. Operating errors keep their code; a broken
// assumption is logged and told to nobody in detail.
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { CriaError } from '@cria/runtime';
import type { ErrorCode } from '@cria/runtime';

export type ProblemCode =
  | 'BAD_REQUEST'
  | 'UNAUTHORISED'
  | 'HOST_REFUSED'
  | 'NOT_FOUND'
  | 'NOT_LIVE'
  | 'METHOD_NOT_ALLOWED'
  | 'BODY_TOO_LARGE'
  | 'TOO_MANY_STREAMS';

export class HttpProblem extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: ProblemCode;

  constructor(status: ContentfulStatusCode, code: ProblemCode, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface ProblemBody {
  readonly error: { readonly code: string; readonly message: string };
}

/** The status and body for anything thrown while a request was handled. */
export function describeProblem(error: unknown): { status: ContentfulStatusCode; body: ProblemBody } {
  if (error instanceof HttpProblem) return problem(error.status, error.code, error.message);
  if (CriaError.is(error)) return problem(statusOf(error.code), error.code, error.message);
  return problem(500, 'INTERNAL', 'the coordinator could not answer this; its log says why');
}

function problem(
  status: ContentfulStatusCode,
  code: string,
  message: string,
): { status: ContentfulStatusCode; body: ProblemBody } {
  return { status, body: { error: { code, message } } };
}

const STATUS: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  USAGE: 400,
  CONFIG_INVALID: 400,
  RUN_NOT_FOUND: 404,
  RUN_EXISTS: 409,
  RUN_MISMATCH: 409,
  LEASE_LOST: 503,
  TERM_STALE: 503,
  REDIS_UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
};

function statusOf(code: ErrorCode): ContentfulStatusCode {
  return STATUS[code] ?? 500;
}
