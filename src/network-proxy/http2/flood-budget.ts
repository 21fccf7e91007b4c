import type { Clock } from '../../base/clock.ts';

export interface BudgetTerms {
  /** What may be spent at once. */
  readonly burst: number;
  /** What comes back in a second. */
  readonly perSecond: number;
}

/**
 * Streams that the client gives up, or that break a rule: each may have cost a request to a
 * backend. Somebody who leaves a page gives up as many as are open, which is 100 at most.
 */
export const resetTerms: BudgetTerms = { burst: 400, perSecond: 20 };

/** PING, SETTINGS and PRIORITY. gRPC measures its bandwidth with a PING for each round trip. */
export const controlTerms: BudgetTerms = { burst: 800, perSecond: 200 };

/**
 * Bytes that were neither heads nor bodies, and were not called for by bytes that were sent: what
 * is left of frames that nothing else counts. One WINDOW_UPDATE for each frame sent is usual.
 */
export const overheadTerms: BudgetTerms = { burst: 524_288, perSecond: 65_536 };

/** What a peer may spend of something that costs us more than it (F1). */
export class FloodBudget {
  readonly #clock: Clock;
  readonly #terms: BudgetTerms;
  #left: number;
  #filledAt: number;

  constructor(clock: Clock, terms: BudgetTerms) {
    this.#clock = clock;
    this.#terms = terms;
    this.#left = terms.burst;
    this.#filledAt = clock.now();
  }

  /** False where it is spent. */
  charge(cost: number): boolean {
    const now = this.#clock.now();
    const { burst, perSecond } = this.#terms;
    const back = ((now - this.#filledAt) / 1000) * perSecond;
    this.#filledAt = now;
    this.#left = Math.min(burst, this.#left + back) - cost;
    return this.#left >= 0;
  }
}
