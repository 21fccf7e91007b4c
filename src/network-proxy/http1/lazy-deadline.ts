import type { Deadline, DeadlineQueue } from '../../base/deadline-queue.ts';

/**
 * A deadline that moves with each message. It stays queued where it is and looks only when that
 * time has come: putting it off costs an assignment instead of a move in the queue.
 */
export class LazyDeadline implements Deadline {
  dueAt = 0;
  position = -1;
  readonly #queue: DeadlineQueue;
  readonly #due: (now: number) => void;
  #wantedAt = Number.POSITIVE_INFINITY;

  /** @param due called when the wanted time has come; it is not wanted any more then */
  constructor(queue: DeadlineQueue, due: (now: number) => void) {
    this.#queue = queue;
    this.#due = due;
  }

  /** Monotonic milliseconds of the queue's clock; `Infinity`: never. */
  set(wantedAt: number): void {
    this.#wantedAt = wantedAt;
    if (wantedAt === Number.POSITIVE_INFINITY) return;
    if (this.position < 0 || wantedAt < this.dueAt) this.#queue.schedule(this, wantedAt);
  }

  /** For good: nothing stays queued. */
  stop(): void {
    this.#wantedAt = Number.POSITIVE_INFINITY;
    this.#queue.remove(this);
  }

  expire(now: number): void {
    const wantedAt = this.#wantedAt;
    if (wantedAt > now) {
      if (wantedAt !== Number.POSITIVE_INFINITY) this.#queue.schedule(this, wantedAt);
      return;
    }
    this.#wantedAt = Number.POSITIVE_INFINITY;
    this.#due(now);
  }
}

/** When a wait of `milliseconds` that begins at `start` is over. 0 ms: never. */
export function after(start: number, milliseconds: number): number {
  return milliseconds === 0 ? Number.POSITIVE_INFINITY : start + milliseconds;
}
