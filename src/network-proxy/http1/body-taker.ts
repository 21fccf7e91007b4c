import type { Loan } from '../../base/transport.ts';

/** Who takes a body's bytes. */
export interface BodyTaker {
  onBody(bytes: Uint8Array, loan?: Loan): void;
}
