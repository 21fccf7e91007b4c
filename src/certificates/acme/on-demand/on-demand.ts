import type { Clock } from '../../../base/clock.ts';
import { errorMessage, SmartProxyError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { coversDomain, normalizeDomain } from '../../../config/domain.ts';
import { BoundedCache } from '../../bounded-cache.ts';
import { isOrderable, type OnDemandPattern } from '../certificate-plan.ts';
import { type Ask, ask } from './ask.ts';

export interface OnDemandOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly ask: Ask;
}

/** Names come from strangers: each of these has a bound. */
const newPerMinute = 20;
/** Names that somebody is asked about at one time. */
const maxAsking = 32;
/** How long a no is remembered, and for how many names. */
const refusedMs = 60_000;
const maxRefused = 10_000;
const minuteMs = 60_000;

/** Which names, unknown at the start, may have a certificate: where a pattern has them, and somebody who is asked says yes. */
export class OnDemand {
  readonly #options: OnDemandOptions;
  readonly #refused = new BoundedCache<string, number>(maxRefused);
  #patterns: readonly OnDemandPattern[] = [];
  #asking = 0;
  /** What is left of this minute's new names, and since when it grows again. */
  #left = newPerMinute;
  #refilledAt: number;

  constructor(options: OnDemandOptions) {
    this.#options = options;
    this.#refilledAt = options.clock.now();
  }

  use(patterns: readonly OnDemandPattern[]): void {
    this.#patterns = patterns;
  }

  /** The pattern of a name that may be asked about; undefined: it may not. */
  patternOf(name: string): OnDemandPattern | undefined {
    if (!name.includes('.') || name.startsWith('*') || !isOrderable(name)) return undefined;
    if (normalizeDomain(name) !== name) return undefined;
    return this.#patterns.find(({ pattern }) => coversDomain(pattern, name));
  }

  /**
   * Null: a certificate may be ordered; else why not. Never rejects.
   * @param isNew it has none yet, so that it counts
   */
  async refusal(name: string, isNew: boolean, signal: AbortSignal): Promise<SmartProxyError | null> {
    const now = this.#options.clock.now();
    const refusedAt = this.#refused.get(name);
    if (refusedAt !== undefined && now - refusedAt < refusedMs) return notAllowed(name);
    if (this.#asking >= maxAsking) return busy('too many names are being asked about');
    if (isNew && !this.#hasLeft(now)) return busy('too many new names came within a minute');
    this.#asking++;
    try {
      const isAllowed = await ask(this.#options.ask, name, this.#options.clock, signal);
      if (!isAllowed) return this.#refuse(name);
      if (isNew) this.#left--;
      return null;
    } catch (error) {
      this.#options.log.warn('certificate-ask-failed', { name, error: errorMessage(error) });
      return new SmartProxyError(
        'certificate-ask-failed',
        `whether ${name} may have a certificate cannot be told: ${errorMessage(error)}`,
        { source: 'proxy', retryable: true, cause: error },
      );
    } finally {
      this.#asking--;
    }
  }

  #hasLeft(now: number): boolean {
    const grown = ((now - this.#refilledAt) / minuteMs) * newPerMinute;
    this.#left = Math.min(newPerMinute, this.#left + grown);
    this.#refilledAt = now;
    return this.#left >= 1;
  }

  #refuse(name: string): SmartProxyError {
    this.#refused.set(name, this.#options.clock.now());
    this.#options.log.info('certificate-not-allowed', { name });
    return notAllowed(name);
  }
}

function notAllowed(name: string): SmartProxyError {
  const message = `certificates.acme.ask does not allow a certificate for ${JSON.stringify(name)}`;
  return new SmartProxyError('certificate-not-allowed', message, { source: 'client' });
}

function busy(message: string): SmartProxyError {
  return new SmartProxyError('certificate-busy', message, { source: 'proxy', retryable: true });
}
