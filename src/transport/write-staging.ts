import type { Clock } from '../base/clock.ts';

/** The memory that is written from, in pieces of this size: what all transports are given within one turn, mostly. */
export const slabBytes = 256 * 1024;

/** One who has put bytes here that wait for the end of the turn. */
export interface StagedWriter {
  /** Writes them; from then on their place is free again, unless it is kept. */
  flush(): void;
}

/**
 * Memory where small writes wait for the end of the present turn of the event loop, or until it is
 * full. One write for each transport follows then, all in a row: whoever they wake up is not woken
 * in between, a head goes out with its body, and nothing is allocated, because the kernel nearly
 * always takes a write at once and the next turn gets the same place. What it does not take keeps
 * its place. What is staged goes to sockets only, never to users' code: a view shows its neighbours
 * through `.buffer`.
 */
export class WriteStaging {
  readonly #clock: Clock;
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;
  /** Below this lies what a write in flight still needs. */
  #kept = 0;
  #waiting: StagedWriter[] = [];
  #scheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What the places of `reserve` are in: ask for it after it. */
  get memory(): Buffer {
    return this.#slab;
  }

  /** A place for `length` bytes until the next flush. Returns where it begins. May flush. */
  reserve(length: number): number {
    if (this.#used + length > this.#slab.length) this.#makeRoom(length);
    const start = this.#used;
    this.#used += length;
    return start;
  }

  #makeRoom(length: number): void {
    this.flush();
    if (this.#used + length <= this.#slab.length) return;
    this.#slab = Buffer.allocUnsafeSlow(Math.max(length, slabBytes));
    this.#used = 0;
    this.#kept = 0;
  }

  /** Makes a place longer that ends at `end`, if nobody has the one behind it. */
  extend(memory: Buffer, end: number, length: number): boolean {
    if (memory !== this.#slab || end !== this.#used || end + length > memory.length) return false;
    this.#used += length;
    return true;
  }

  /** `writer` has put something here. Its `flush` is called once, also if it has flushed before. */
  enlist(writer: StagedWriter): void {
    this.#waiting.push(writer);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.setImmediate(this.#onTurnEnd);
  }

  readonly #onTurnEnd = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  /** The write of what lies before `end` is still in flight: its place is not used again. */
  keep(memory: Buffer, end: number): void {
    if (memory === this.#slab && end > this.#kept) this.#kept = end;
  }

  /** Everything is written now, and its place free. */
  flush(): void {
    const waiting = this.#waiting;
    for (let i = 0; i < waiting.length; i++) waiting[i]!.flush();
    waiting.length = 0;
    this.#used = this.#kept;
    if (this.#slab.length > slabBytes) this.#slab = noMemory;
  }
}

const noMemory = Buffer.alloc(0);

/** A copy in memory of its own. */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
