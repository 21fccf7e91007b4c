import { hkdfSync, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';

/** As long as Node wants them: the name of the key, and the keys for HMAC and for AES. */
const keyBytes = 48;

/** How long a session can be resumed, in seconds. */
export const sessionSeconds = 2 * 60 * 60;

const rotationMs = 24 * 60 * 60 * 1000;

/**
 * The keys that session tickets are sealed with, one for each trust domain: a ticket of one is
 * nothing but noise to another (T8). They outlive reloads, and nothing else: a new process makes new
 * ones. Each day all are replaced, so that a stolen key opens a day's sessions at most; Node knows
 * one key at a time, so clients with an older ticket do a full handshake once.
 */
export class TicketKeys {
  readonly #clock: Clock;
  #secret = randomBytes(32);
  #since: number;
  /** Goes up with each rotation. */
  #generation = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** Differs from that of before once the keys have been replaced. */
  get generation(): number {
    const now = this.#clock.now();
    if (now - this.#since >= rotationMs) {
      this.#since = now;
      this.#secret = randomBytes(32);
      this.#generation++;
    }
    return this.#generation;
  }

  /** The present key of a trust domain. */
  of(domain: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secret, '', domain, keyBytes));
  }
}
