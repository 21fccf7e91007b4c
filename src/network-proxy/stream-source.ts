import type { Timeouts } from '../config/resolved.ts';
import type { RequestChanges } from './exchange.ts';

/** Where an exchange has its backend's stream from: a pool, or a function of the user's. */
export interface StreamSource {
  /** What the request's head becomes for the one who gets it. */
  readonly changes: RequestChanges | null;
  readonly timeouts: Timeouts;
  /** The clock's time, which nobody need ask within the call that brought the request. */
  readonly now: number;
  /** A stream was told: nothing is waited for. */
  found(): void;
  /** Nobody asks any more. Idempotent. */
  stop(): void;
}
