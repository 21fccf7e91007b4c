import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { ConfigurationError } from '../config/problems.ts';

/** An answer of the admin API, before it is written. */
export interface Reply {
  readonly status: number;
  /** What becomes JSON, unless `contentType` is given. */
  readonly body: unknown;
  /** Then `body` is a text, and sent as it is. */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

/** `code` is stable; each has a heading in docs/errors.md. */
export function failure(
  status: number,
  code: string,
  message: string,
  headers?: Readonly<Record<string, string>>,
): Reply {
  const body = { error: { code, message } };
  return headers === undefined ? { status, body } : { status, body, headers };
}

/** The answer to a call that threw. What is not an error of ours says nothing of the inside. */
export function failureOf(error: unknown): Reply {
  if (error instanceof ConfigurationError) {
    const { code, message, problems, file } = error;
    return { status: 422, body: { error: { code, message, file, problems } } };
  }
  if (error instanceof SmartProxyError) {
    const status = error.source === 'client' ? 400 : error.source === 'config' ? 422 : 409;
    return failure(status, error.code, errorMessage(error));
  }
  return failure(500, 'internal-error', 'the call failed for a reason that is in the log');
}
