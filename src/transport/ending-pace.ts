import type { Clock } from '../base/clock.ts';

/**
 * How many FINs are acted on in one turn of the event loop. Each one means system calls on both
 * sides and the closing of accounts, 100 µs or more: 8,000 at once would stop everybody else for
 * a second, 16 for a few milliseconds.
 */
export const endingsPerTurn = 16;

/** A FIN that was read. */
export interface ReadEnding {
  /** Its turn has come. */
  endingIsDue(): void;
}

/** Spreads endings that come together over turns of the event loop, in the order that they came. */
export class EndingPace {
  readonly #clock: Clock;
  #left = endingsPerTurn;
  #counting = false;
  #waiting: ReadEnding[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True: act on it now. False: `endingIsDue` comes in a later turn. */
  admits(ending: ReadEnding): boolean {
    this.#countTurns();
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    this.#waiting.push(ending);
    return false;
  }

  #countTurns(): void {
    if (this.#counting) return;
    this.#counting = true;
    this.#clock.setImmediate(this.#beginTurn);
  }

  readonly #beginTurn = (): void => {
    this.#counting = false;
    const due = this.#waiting.splice(0, endingsPerTurn);
    this.#left = endingsPerTurn - due.length;
    if (this.#waiting.length > 0) this.#countTurns();
    for (const ending of due) ending.endingIsDue();
  };
}
