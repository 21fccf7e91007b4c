import type { Clock, Timer } from '../../src/base/clock.ts';

/** 2026-01-01T00:00:00Z: what `wallTime` says when `now` is 0. */
const epochMs = Date.UTC(2026, 0, 1);

interface Entry {
  dueAt: number;
  /** Equal times run in the order in which they were asked for, or shuffled. */
  order: number;
  callback: (() => void) | null;
}

export interface VirtualClockOptions {
  /** Same seed, same `random()` sequence. Default 1. */
  seed?: number;
  /** What `now()` starts from, in ms. Default 0. */
  startMs?: number;
  /** What is due at the same time runs in an order drawn from the seed. Default false. */
  shuffle?: boolean;
}

/**
 * Time that moves only when a test says so. Callbacks run in order of due time, then of asking;
 * an immediate is due at once, after everything that is due already.
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #startMs: number;
  readonly #random: () => number;
  readonly #heap: Entry[] = [];
  readonly #shuffle: boolean;
  #order = 0;
  #pending = 0;
  /** Callbacks run so far. */
  executed = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.#startMs = options.startMs ?? 0;
    this.#now = this.#startMs;
    this.#random = seededRandom(options.seed ?? 1);
    this.#shuffle = options.shuffle ?? false;
  }

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return epochMs + this.#now - this.#startMs;
  }

  random(): number {
    return this.#random();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#schedule(this.#now + Math.max(0, delayMs), callback);
  }

  setImmediate(callback: () => void): Timer {
    return this.#schedule(this.#now, callback);
  }

  /** Timers and immediates that are neither run nor cancelled: 0 after a clean ending. */
  get pending(): number {
    return this.#pending;
  }

  /** When the next callback is due; undefined when there is none. */
  get nextDueAt(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.dueAt;
  }

  /** Moves to the next callback and runs it; false when there is none. */
  runNext(): boolean {
    this.#dropCancelled();
    const entry = this.#heap[0];
    if (entry === undefined) return false;
    removeFirst(this.#heap);
    const callback = entry.callback as () => void;
    entry.callback = null;
    this.#pending--;
    this.#now = Math.max(this.#now, entry.dueAt);
    this.executed++;
    callback();
    return true;
  }

  /** Runs everything that falls due within `ms` from now, then stands at exactly that moment. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (let due = this.nextDueAt; due !== undefined && due <= until; due = this.nextDueAt) this.runNext();
    this.#now = until;
  }

  /** Lets everything that is due now happen, without moving time. */
  flush(): void {
    this.advance(0);
  }

  /** Runs until nothing is pending. Throws after `maxCallbacks`: something re-arms itself for ever. */
  runUntilIdle(maxCallbacks = 1_000_000): void {
    for (let count = 0; this.runNext(); count++) {
      if (count >= maxCallbacks)
        throw new Error(`still ${this.#pending} pending after ${maxCallbacks} callbacks`);
    }
  }

  #schedule(dueAt: number, callback: () => void): Timer {
    if (Number.isNaN(dueAt)) throw new RangeError('a timer needs a number of milliseconds');
    const entry: Entry = { dueAt, order: this.#shuffle ? this.#random() : this.#order++, callback };
    insert(this.#heap, entry);
    this.#pending++;
    return {
      cancel: () => {
        if (entry.callback === null) return;
        entry.callback = null;
        this.#pending--;
      },
    };
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0]?.callback === null) removeFirst(this.#heap);
  }
}

/** Mulberry-style generator: 32 bits of state, good enough to vary a test. */
export function seededRandom(seed: number): () => number {
  let state = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function before(a: Entry, b: Entry): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);
}

function insert(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parentAt = (at - 1) >> 1;
    const parent = heap[parentAt] as Entry;
    if (!before(entry, parent)) break;
    heap[at] = parent;
    at = parentAt;
  }
  heap[at] = entry;
}

function removeFirst(heap: Entry[]): void {
  const last = heap.pop() as Entry;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let childAt = 2 * at + 1;
    if (childAt >= heap.length) break;
    if (childAt + 1 < heap.length && before(heap[childAt + 1] as Entry, heap[childAt] as Entry)) childAt++;
    const child = heap[childAt] as Entry;
    if (!before(child, last)) break;
    heap[at] = child;
    at = childAt;
  }
  heap[at] = last;
}
