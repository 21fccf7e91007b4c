import type { Timeouts } from '../../config/resolved.ts';
import { after } from '../http1/lazy-deadline.ts';

const never = Number.POSITIVE_INFINITY;

/**
 * What one stream waits for. Nothing is queued: its session looks at it about once a second, which
 * costs a stream that is answered at once nothing but assignments.
 */
export class StreamDeadlines {
  #bodyDueAt = never;
  #writeDueAt = never;
  #halfDueAt = never;
  /** What was pending, and what had crossed, when the wait began: less, or more, is progress. */
  #pendingBefore = 0;
  #crossedBefore = 0;

  expectBody(now: number, { requestBodyMs }: Timeouts): void {
    this.#bodyDueAt = after(now, requestBodyMs);
  }

  bodyNotExpected(): void {
    this.#bodyDueAt = never;
  }

  /** The client must take something of what is pending. */
  expectReader(now: number, { responseWriteMs }: Timeouts, pending: number): void {
    this.#pendingBefore = pending;
    this.#writeDueAt = after(now, responseWriteMs);
  }

  readerNotExpected(): void {
    this.#writeDueAt = never;
  }

  get readerExpected(): boolean {
    return this.#writeDueAt !== never;
  }

  /** One side of a tunnel has ended: something must cross, in either direction. */
  expectCrossing(now: number, { halfCloseMs }: Timeouts, crossed: number): void {
    this.#crossedBefore = crossed;
    this.#halfDueAt = after(now, halfCloseMs);
  }

  /** What did not come in time; what made progress gets its time anew. Null: nothing. */
  late(
    now: number,
    timeouts: Timeouts,
    pending: number,
    crossed: number,
  ): 'stalled-write' | 'half-close-timeout' | 'request-timeout' | null {
    if (this.#writeDueAt <= now) {
      if (pending >= this.#pendingBefore) return 'stalled-write';
      this.expectReader(now, timeouts, pending);
    }
    if (this.#halfDueAt <= now) {
      if (crossed === this.#crossedBefore) return 'half-close-timeout';
      this.expectCrossing(now, timeouts, crossed);
    }
    if (this.#bodyDueAt > now) return null;
    this.#bodyDueAt = never;
    return 'request-timeout';
  }
}
