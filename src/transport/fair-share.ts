import type { Clock } from '../base/clock.ts';

/** What one direction may read in one turn of the event loop while others are active. */
export const turnShareBytes = 256 * 1024;
/** A direction that read this much in a turn makes the turns be counted. */
const bulkTurnBytes = 64 * 1024;

/** One reading direction. The first two fields belong to FairShare. */
export interface FairReader {
  turn: number;
  turnBytes: number;
  /** A new turn has begun: it may read again. */
  turnBegan(): void;
}

/**
 * Divides the turns of the event loop. libuv reads up to 32 buffers from one socket before it
 * looks at the next: 8 MiB with a bulk buffer, while small messages wait. A direction alone is
 * never held up.
 */
export class FairShare {
  readonly #clock: Clock;
  #turn = 1;
  #readers = 0;
  #formerReaders = 0;
  #counting = false;
  #waiting: FairReader[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a read. True: `reader` has had its share and stops until `turnBegan`. */
  spend(reader: FairReader, bytes: number): boolean {
    if (reader.turn !== this.#turn) {
      reader.turn = this.#turn;
      reader.turnBytes = 0;
      this.#readers++;
    }
    reader.turnBytes += bytes;
    if (reader.turnBytes < bulkTurnBytes) return false;
    this.#countTurns();
    if (reader.turnBytes < turnShareBytes) return false;
    if (this.#readers < 2 && this.#formerReaders < 2) return false;
    this.#waiting.push(reader);
    return true;
  }

  /** `reader` stops of its own accord until `turnBegan`. */
  yieldTurn(reader: FairReader): void {
    this.#countTurns();
    this.#waiting.push(reader);
  }

  #countTurns(): void {
    if (this.#counting) return;
    this.#counting = true;
    this.#clock.setImmediate(this.#beginTurn);
  }

  readonly #beginTurn = (): void => {
    this.#counting = false;
    this.#turn++;
    this.#formerReaders = this.#readers;
    this.#readers = 0;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) reader.turnBegan();
  };
}
