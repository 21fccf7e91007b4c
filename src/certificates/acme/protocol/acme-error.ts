import { SmartProxyError } from '../../../base/errors.ts';

/** Why an order did not come to a certificate. Each has a heading in docs/errors.md. */
export type AcmeErrorCode =
  /** Nobody answered, or with an error of the server's own. */
  | 'acme-unreachable'
  /** What was answered is not what RFC 8555 says. */
  | 'acme-invalid-answer'
  /** The authority said no; `type` says how. */
  | 'acme-refused'
  | 'acme-rate-limited'
  /** The authority asked for the proof, and did not find it. */
  | 'acme-validation-failed'
  /** The proof could not be put where the authority looks for it. */
  | 'challenge-unavailable'
  /** The proxy stops, or is configured anew. The order can be taken up again. */
  | 'acme-interrupted';

export interface AcmeErrorDetails {
  /** The problem's type without its prefix (RFC 8555 §6.7): `rejectedIdentifier`, `badNonce`, … */
  readonly type?: string | null;
  /** The status of the answer. */
  readonly status?: number;
  /** How long the authority wants to be left alone, in ms; null: it did not say. */
  readonly retryAfterMs?: number | null;
  readonly cause?: unknown;
}

export class AcmeError extends SmartProxyError {
  readonly type: string | null;
  readonly status: number | null;
  readonly retryAfterMs: number | null;

  constructor(code: AcmeErrorCode, message: string, details: AcmeErrorDetails = {}) {
    super(code, message, { source: 'proxy', retryable: true, cause: details.cause });
    this.type = details.type ?? null;
    this.status = details.status ?? null;
    this.retryAfterMs = details.retryAfterMs ?? null;
  }
}

/** What an order ends with where the proxy stops. */
export function interrupted(): AcmeError {
  return new AcmeError('acme-interrupted', 'the order was interrupted: the proxy stops or was reconfigured');
}

export function isInterruption(error: unknown): boolean {
  return error instanceof AcmeError && error.code === 'acme-interrupted';
}
