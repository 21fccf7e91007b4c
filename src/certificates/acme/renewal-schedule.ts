/** When certificates are renewed, and when what failed is tried again. Everything in milliseconds since the epoch, or of length. */
import type { Certificate } from '../certificate.ts';
import type { RenewalWindow } from './protocol/renewal-info.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** What is left of a certificate's life when it is renewed. */
const renewedAtLeft = 1 / 3;
/** And how much earlier at most, so that what was ordered together is not renewed together. */
const spreadOfLife = 1 / 15;
/** `renewBeforeDays` never means more than this part of a life: it would be renewed for ever. */
const longestBefore = 1 / 2;
/** A suggestion that leaves less than this part of a life is not waited for. */
const leastLeft = 1 / 20;

export interface RenewalRule {
  /** Null: a third of the life. */
  readonly renewBeforeMs: number | null;
  /** What the authority suggests; null: nothing. */
  readonly window: RenewalWindow | null;
}

/**
 * When a certificate is to be renewed: at a random time of the window that the authority suggests
 * (RFC 9773 §4.2), or when a third of its life is left, somewhat earlier for most. The life is
 * counted from when the certificate came, so that a clock that is wrong does not renew without end.
 */
export function renewalTime(
  { validFromMs, validToMs }: Pick<Certificate, 'validFromMs' | 'validToMs'>,
  issuedAtMs: number,
  { renewBeforeMs, window }: RenewalRule,
  random: number,
): number {
  const lifeMs = Math.max(0, validToMs - Math.max(validFromMs, issuedAtMs));
  const beforeMs = Math.min(renewBeforeMs ?? lifeMs * renewedAtLeft, lifeMs * longestBefore);
  const byAge = validToMs - beforeMs - random * lifeMs * spreadOfLife;
  if (window === null || window.startMs >= validToMs) return byAge;
  const suggested = window.startMs + random * (window.endMs - window.startMs);
  const latest = validToMs - lifeMs * leastLeft;
  return Math.min(suggested, latest, renewBeforeMs === null ? Number.POSITIVE_INFINITY : byAge);
}

const firstRetryMs = minuteMs;
const longestRetryMs = 6 * hourMs;

/**
 * How long to wait after a failure: a minute, doubled with each one up to six hours, and never less
 * than what the authority asks for. Jittered, so that names that failed together are not tried together.
 */
export function retryDelay(failures: number, retryAfterMs: number | null, random: number): number {
  const backOff = Math.min(firstRetryMs * 2 ** Math.min(failures - 1, 20), longestRetryMs);
  return Math.max(backOff * (0.8 + random * 0.4), (retryAfterMs ?? 0) * (1 + random * 0.1));
}

/** RFC 9773 §4.3: without Retry-After, six hours; what is shorter or longer than makes sense is clamped. */
const defaultAskMs = 6 * hourMs;
const shortestAskMs = minuteMs;
const longestAskMs = 24 * hourMs;

/** How long to wait until the authority is asked again for its suggestion. */
export function askAgainDelay(retryAfterMs: number | null, random: number): number {
  const clamped = Math.min(Math.max(retryAfterMs ?? defaultAskMs, shortestAskMs), longestAskMs);
  return clamped * (1 + random * 0.1);
}
