/** Whose fault an error is. */
export type ErrorSource = 'client' | 'target' | 'proxy' | 'kernel' | 'config';

/** An error of SmartProxy's own. `code` is stable and has a heading in docs/errors.md. */
export class SmartProxyError extends Error {
  override name = 'SmartProxyError';
  readonly code: string;
  readonly source: ErrorSource;
  /** Whether the same call may succeed later without a change of configuration. */
  readonly retryable: boolean;

  constructor(
    code: string,
    message: string,
    options: { source: ErrorSource; retryable?: boolean; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.source = options.source;
    this.retryable = options.retryable ?? false;
  }
}

/** The `code` of any thrown value (`ECONNREFUSED`, …), or null where it has none. */
export function errorCode(error: unknown): string | null {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : null;
}

/** The message of any thrown value. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
