import type { Clock, Timer } from './clock.ts';

/** Something that waits. The queue owns `position` and `dueAt`; everybody else only reads them. */
export interface Deadline {
  /** Monotonic milliseconds of the queue's clock. */
  dueAt: number;
  /** Index in the heap; -1 while it is not queued. */
  position: number;
  /** Called when due, after it left the queue; it may queue itself or others again. Must not throw. */
  expire(now: number): void;
}

/** How many expirations run in one turn of the event loop: 10,000 at once must not stop it (L11). */
const expirationsPerTurn = 256;

/**
 * Any number of deadlines on one timer: a binary heap whose members know their position, so that
 * moving and removing cost O(log n) and nothing stale stays behind.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #heap: Deadline[] = [];
  #timer: Timer | null = null;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #sweeping = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Queues, or moves what is queued already. `Infinity` removes. */
  schedule(deadline: Deadline, dueAt: number): void {
    if (dueAt === Number.POSITIVE_INFINITY) return this.remove(deadline);
    deadline.dueAt = dueAt;
    if (deadline.position < 0) {
      deadline.position = this.#heap.length;
      this.#heap.push(deadline);
    }
    this.#settle(deadline);
    this.#arm();
  }

  /** Idempotent. */
  remove(deadline: Deadline): void {
    const position = deadline.position;
    if (position < 0) return;
    deadline.position = -1;
    const last = this.#heap.pop() as Deadline;
    if (last !== deadline) {
      last.position = position;
      this.#heap[position] = last;
      this.#settle(last);
    }
    if (this.#heap.length === 0) this.#disarm();
  }

  /** Forgets everything; no callback runs any more. */
  clear(): void {
    for (const deadline of this.#heap) deadline.position = -1;
    this.#heap.length = 0;
    this.#disarm();
  }

  #settle(deadline: Deadline): void {
    this.#siftUp(deadline);
    this.#siftDown(deadline);
  }

  #siftUp(deadline: Deadline): void {
    const heap = this.#heap;
    let position = deadline.position;
    while (position > 0) {
      const parentPosition = (position - 1) >> 1;
      const parent = heap[parentPosition] as Deadline;
      if (parent.dueAt <= deadline.dueAt) break;
      heap[position] = parent;
      parent.position = position;
      position = parentPosition;
    }
    heap[position] = deadline;
    deadline.position = position;
  }

  #siftDown(deadline: Deadline): void {
    const heap = this.#heap;
    let position = deadline.position;
    for (;;) {
      let childPosition = 2 * position + 1;
      if (childPosition >= heap.length) break;
      let child = heap[childPosition] as Deadline;
      const sibling = heap[childPosition + 1];
      if (sibling !== undefined && sibling.dueAt < child.dueAt) {
        child = sibling;
        childPosition++;
      }
      if (child.dueAt >= deadline.dueAt) break;
      heap[position] = child;
      child.position = position;
      position = childPosition;
    }
    heap[position] = deadline;
    deadline.position = position;
  }

  /** A timer that is early is harmless, and cheaper than one that is set anew for each change. */
  #arm(): void {
    const first = this.#heap[0];
    if (this.#sweeping || first === undefined || first.dueAt >= this.#timerDueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = first.dueAt;
    this.#timer = this.#clock.setTimer(Math.max(0, first.dueAt - this.#clock.now()), this.#onTimer);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
  }

  readonly #onTimer = (): void => {
    this.#disarm();
    this.#sweeping = true; // nobody arms before the sweep does
    const finished = this.#expireDue();
    this.#sweeping = false;
    if (finished) this.#arm();
    else this.#continueNextTurn();
  };

  #expireDue(): boolean {
    const now = this.#clock.now();
    for (let left = expirationsPerTurn; left > 0; left--) {
      const first = this.#heap[0];
      if (first === undefined || first.dueAt > now) return true;
      this.remove(first);
      first.expire(now);
    }
    return false;
  }

  #continueNextTurn(): void {
    this.#timerDueAt = Number.NEGATIVE_INFINITY;
    this.#timer = this.#clock.setImmediate(this.#onTimer);
  }
}
