import type { Clock } from '../../base/clock.ts';
import { errorMessage, SmartProxyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { coversDomain, normalizeDomain } from '../../config/domain.ts';
import { BoundedCache } from '../bounded-cache.ts';
import { type Ask, ask } from './ask.ts';
import { isOrderable, type OnDemandPattern } from './certificate-plan.ts';

export interface OnDemandOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly ask: Ask;
  readonly limits?: Partial<OnDemandLimits>;
}

/** Names come from strangers: each of these has a bound. */
export interface OnDemandLimits {
  /** New names in a minute. Default 20. */
  readonly newPerMinute: number;
  /** Names at a time that somebody is asked about. Default 32. */
  readonly asking: number;
  /** How long a no is remembered. Default 1 minute. */
  readonly refusedMs: number;
  /** How many are remembered. Default 10,000. */
  readonly refusedNames: number;
}

const defaultLimits: OnDemandLimits = {
  newPerMinute: 20,
  asking: 32,
  refusedMs: 60_000,
  refusedNames: 10_000,
};
const minuteMs = 60_000;

/** Which names, unknown at the start, may have a certificate: where a pattern has them, and somebody who is asked says yes. */
export class OnDemand {
  readonly #options: OnDemandOptions;
  readonly #limits: OnDemandLimits;
  readonly #refused: BoundedCache<string, number>;
  #patterns: readonly OnDemandPattern[] = [];
  #asking = 0;
  /** What is left of this minute's new names, and since when it grows again. */
  #left: number;
  #refilledAt: number;

  constructor(options: OnDemandOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#refused = new BoundedCache(this.#limits.refusedNames);
    this.#left = this.#limits.newPerMinute;
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
    if (refusedAt !== undefined && now - refusedAt < this.#limits.refusedMs) return notAllowed(name);
    if (this.#asking >= this.#limits.asking) return busy('too many names are being asked about');
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
    const { newPerMinute } = this.#limits;
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
