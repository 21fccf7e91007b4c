import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Certificate } from '../certificate.ts';
import type { ChallengePort } from './challenges/challenge-solver.ts';
import type { Substitutes } from './shown-certificates.ts';

/** What was issued, for those who listen. */
export interface CertificateIssued {
  readonly names: readonly string[];
  /** The directory of the authority. */
  readonly authority: string;
  /** ISO 8601. */
  readonly validTo: string;
  /** It came in the place of another. */
  readonly renewal: boolean;
}

/** What could not be issued, and when it is tried again. */
export interface CertificateFailed {
  readonly names: readonly string[];
  readonly code: string;
  readonly error: string;
  /** ISO 8601. */
  readonly nextAttemptAt: string;
  /** Until when the present one is valid; null: there is none. */
  readonly validTo: string | null;
}

/** What ACME needs of those around it. */
export interface AcmeServices {
  readonly clock: Clock;
  readonly log: Logger;
  readonly port: ChallengePort;
  readonly substitutes: Substitutes;
  readonly userAgent: string;
  issued(event: CertificateIssued): void;
  failed(event: CertificateFailed): void;
  /** Another certificate serves from now on. */
  replaced(before: Certificate): void;
}
