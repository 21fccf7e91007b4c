import type { TerminationReason } from '../base/termination.ts';
import type { BackendFailureCode } from './exchange.ts';

/** What the client is told where no answer has begun. */
export const statusOfFailure: Readonly<Record<BackendFailureCode, 500 | 502 | 503 | 504>> = {
  'connect-refused': 502,
  'connect-unreachable': 502,
  'connect-timeout': 504,
  'dns-failed': 502,
  'target-tls-failed': 502,
  'target-timed-out': 504,
  'target-reset': 502,
  'target-closed': 502,
  'invalid-response': 502,
  'pool-overloaded': 503,
  'resource-exhausted': 503,
  'handler-ended': 502,
  'handler-failed': 500,
  'internal-error': 502,
};

/** Why the client's connection ends where an answer was cut. */
export function reasonOfBackendFailure(code: BackendFailureCode): TerminationReason {
  if (code === 'invalid-response') return 'target-reset';
  return code === 'pool-overloaded' ? 'resource-exhausted' : code;
}

/** Methods that may be repeated without harm (RFC 9110 §9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent(method: string): boolean {
  return idempotentMethods.has(method);
}
