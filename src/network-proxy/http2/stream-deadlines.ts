import type { Timeouts } from '../../config/resolved.ts';
import { after } from '../http1/lazy-deadline.ts';

const never = Number.POSITIVE_INFINITY;

/** How a tunnel that is quiet for too long ends: open in both directions, or in one. */
type Quiet = 'inactivity' | 'half-close-timeout';

/** Something must cross a tunnel, in either direction, within this time, and again. */
interface Crossing {
  readonly quiet: Quiet;
  readonly milliseconds: number;
  dueAt: number;
  /** What had crossed when the wait began. */
  before: number;
}

/**
 * What one stream waits for. Nothing is queued: its session looks at it about once a second, which
 * costs a stream that is answered at once nothing but assignments.
 */
export class StreamDeadlines {
  #bodyDueAt = never;
  #answerDueAt = never;
  #writeDueAt = never;
  /** What was pending when the wait began: less is progress. */
  #pendingBefore = 0;
  #crossings: Crossing[] | null = null;

  expectBody(now: number, { requestBodyMs }: Timeouts): void {
    this.#bodyDueAt = after(now, requestBodyMs);
  }

  bodyNotExpected(): void {
    this.#bodyDueAt = never;
  }

  expectAnswer(dueAt: number): void {
    this.#answerDueAt = dueAt;
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

  /** @param milliseconds 0: it may be quiet */
  expectCrossing(quiet: Quiet, now: number, milliseconds: number, crossed: number): void {
    this.#crossings ??= [];
    this.#crossings.push({ quiet, milliseconds, dueAt: after(now, milliseconds), before: crossed });
  }

  /** What did not come in time; what made progress gets its time anew. Null: nothing. */
  late(
    now: number,
    timeouts: Timeouts,
    pending: number,
    crossed: number,
  ): 'stalled-write' | Quiet | 'request-timeout' | 'response-timeout' | null {
    if (this.#writeDueAt <= now) {
      if (pending >= this.#pendingBefore) return 'stalled-write';
      this.expectReader(now, timeouts, pending);
    }
    for (const crossing of this.#crossings ?? []) {
      if (crossing.dueAt > now) continue;
      if (crossed === crossing.before) return crossing.quiet;
      crossing.dueAt = after(now, crossing.milliseconds);
      crossing.before = crossed;
    }
    if (this.#bodyDueAt <= now) {
      this.#bodyDueAt = never;
      return 'request-timeout';
    }
    if (this.#answerDueAt > now) return null;
    this.#answerDueAt = never;
    return 'response-timeout';
  }
}
