import type { LiveRow } from '../../live/messages.ts';

/** Bytes in each direction: a count, or a count each second. */
export interface BothWays {
  readonly fromClient: number;
  readonly toClient: number;
}

const still: BothWays = { fromClient: 0, toClient: 0 };

/** A live connection on the page: one object for as long as it lives, which ticks bring up to date. */
export class ShownConnection {
  row: LiveRow;
  bytes: BothWays;
  #rate: BothWays = still;
  #movedInTick = -1;

  constructor(row: LiveRow) {
    this.row = row;
    this.bytes = row;
  }

  /** Takes new totals, and returns what came to them. */
  move(fromClient: number, toClient: number, tick: number, seconds: number): BothWays {
    const more = { fromClient: fromClient - this.bytes.fromClient, toClient: toClient - this.bytes.toClient };
    this.bytes = { fromClient, toClient };
    this.#movedInTick = tick;
    this.#rate = { fromClient: more.fromClient / seconds, toClient: more.toClient / seconds };
    return more;
  }

  /** Bytes each second within the last tick: 0 for those of which it said nothing. */
  rate(tick: number): BothWays {
    return this.#movedInTick === tick ? this.#rate : still;
  }
}
