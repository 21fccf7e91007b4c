import type { Deadline, DeadlineQueue } from '../../base/deadline-queue.ts';

/**
 * One place in the queue for all that somebody waits for, which moves with each message. It wakes
 * its owner at the earliest time that was asked for since it last did, and the owner looks what is
 * due by then and asks again: putting a wait off costs an assignment instead of a move in the queue.
 */
export class LazyDeadline implements Deadline {
  dueAt = 0;
  position = -1;
  readonly #queue: DeadlineQueue;
  readonly #wake: (now: number) => void;

  constructor(queue: DeadlineQueue, wake: (now: number) => void) {
    this.#queue = queue;
    this.#wake = wake;
  }

  /** Monotonic milliseconds of the queue's clock; `Infinity`: never. */
  ask(wakeAt: number): void {
    if (wakeAt === Number.POSITIVE_INFINITY) return;
    if (this.position < 0 || wakeAt < this.dueAt) this.#queue.schedule(this, wakeAt);
  }

  /** For good: nothing stays queued. */
  stop(): void {
    this.#queue.remove(this);
  }

  expire(now: number): void {
    this.#wake(now);
  }
}

/** When a wait of `milliseconds` that begins at `start` is over. 0 ms: never. */
export function after(start: number, milliseconds: number): number {
  return milliseconds === 0 ? Number.POSITIVE_INFINITY : start + milliseconds;
}
