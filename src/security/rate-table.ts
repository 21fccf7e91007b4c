import type { Clock } from '../base/clock.ts';

const minuteMs = 60_000;

/**
 * Distinct addresses in one generation of a rate table: about 13 MB. With more than this in a
 * minute the oldest are forgotten early, and such an address starts anew; nobody is refused for
 * lack of room.
 */
export const addressesPerGeneration = 2 ** 17;

/** Rounding of the additions below, in milliseconds. */
const slackMs = 1e-3;

/**
 * How often each address has come of late, in one number for each (the generic cell rate
 * algorithm): when its budget will be whole again. A budget of N lets N through at once, and one
 * more every minute/N.
 *
 * No budget takes longer than a minute to be whole, so entries are kept in two generations, and
 * dropping the older one each minute forgets only those that are: no sweep, no timer per address.
 */
export class RateTable {
  readonly #clock: Clock;
  readonly #capacity: number;
  #current = new Map<string, number>();
  #previous = new Map<string, number>();

  constructor(clock: Clock, capacity: number = addressesPerGeneration) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  /** Takes one from the budget of `address`; false, and nothing is taken, where it is used up. */
  take(address: string, perMinute: number): boolean {
    const now = this.#clock.now();
    const wholeAt = Math.max(this.#current.get(address) ?? this.#previous.get(address) ?? now, now);
    const next = wholeAt + minuteMs / perMinute;
    const granted = next - now <= minuteMs + slackMs;
    this.#remember(address, granted ? next : wholeAt);
    return granted;
  }

  /** Entries in memory. */
  get size(): number {
    return this.#current.size + this.#previous.size;
  }

  /** To be called once a minute while there are entries. */
  rotate(): void {
    this.#previous = this.#current;
    this.#current = new Map();
  }

  /** Also for who is refused: an address that keeps coming is among the last to be forgotten. */
  #remember(address: string, wholeAt: number): void {
    if (this.#current.size >= this.#capacity && !this.#current.has(address)) this.rotate();
    this.#previous.delete(address);
    this.#current.set(address, wholeAt);
  }
}
