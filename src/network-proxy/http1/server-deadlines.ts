import type { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { Transport } from '../../base/transport.ts';
import { after, LazyDeadline } from './lazy-deadline.ts';

/** What a client can be late with (H10). */
export interface LatenessObserver {
  /** A head has not begun, or is not complete. */
  headIsLate(): void;
  /** Nothing more of a request's body came. */
  bodyIsLate(): void;
  /** What was asked for has no answer yet. */
  answerIsLate(now: number): void;
  /** The client took nothing of what is pending. */
  readerStands(): void;
  /** The client sent FIN long ago, and there was nothing to tell it since. */
  clientIsGone(): void;
}

const never = Number.POSITIVE_INFINITY;

/** Everything that one client's connection waits for, as one member of the queue. Milliseconds; 0: no limit. */
export class ServerDeadlines {
  readonly #transport: Transport;
  readonly #observer: LatenessObserver;
  readonly #deadline: LazyDeadline;
  #headDueAt = never;
  #bodyDueAt = never;
  #answerDueAt = never;
  #readerDueAt = never;
  #goneAt = never;
  #readerMs = 0;
  #silenceMs = 0;
  #takenBefore = 0;

  constructor(queue: DeadlineQueue, transport: Transport, observer: LatenessObserver) {
    this.#transport = transport;
    this.#observer = observer;
    this.#deadline = new LazyDeadline(queue, (now) => this.#wake(now));
  }

  expectHead(now: number, milliseconds: number): void {
    this.#headDueAt = after(now, milliseconds);
    this.#deadline.ask(this.#headDueAt);
  }

  headCame(): void {
    this.#headDueAt = never;
  }

  expectBody(now: number, milliseconds: number): void {
    this.#bodyDueAt = after(now, milliseconds);
    this.#deadline.ask(this.#bodyDueAt);
  }

  /** It is complete, or nobody wants it now. */
  bodyNotExpected(): void {
    this.#bodyDueAt = never;
  }

  /** Of the exchange that is under way. */
  expectAnswer(dueAt: number): void {
    this.#answerDueAt = dueAt;
    this.#deadline.ask(dueAt);
  }

  /** The client must take something within this time, and again. */
  expectReading(now: number, milliseconds: number): void {
    this.#takenBefore = this.#transport.bytesWritten;
    this.#readerMs = milliseconds;
    this.#readerDueAt = after(now, milliseconds);
    this.#deadline.ask(this.#readerDueAt);
  }

  allTaken(): void {
    this.#readerDueAt = never;
  }

  /** The client sent FIN: each call grants it this time from `now`. */
  expectSilence(now: number, milliseconds: number): void {
    this.#silenceMs = milliseconds;
    this.#goneAt = after(now, milliseconds);
    this.#deadline.ask(this.#goneAt);
  }

  stop(): void {
    this.#headDueAt = this.#bodyDueAt = this.#answerDueAt = this.#readerDueAt = this.#goneAt = never;
    this.#deadline.stop();
  }

  #wake(now: number): void {
    this.#look(now);
    const requestDueAt = Math.min(this.#headDueAt, this.#bodyDueAt, this.#answerDueAt);
    this.#deadline.ask(Math.min(requestDueAt, this.#readerDueAt, this.#goneAt));
  }

  #look(now: number): void {
    if (this.#goneAt <= now) {
      this.#goneAt = never;
      if (this.#transport.pendingBytes === 0) return this.#observer.clientIsGone();
      // It is being told something, however slowly.
      this.expectSilence(now, this.#silenceMs);
    }
    if (this.#readerDueAt <= now) {
      this.#readerDueAt = never;
      if (this.#transport.bytesWritten === this.#takenBefore) return this.#observer.readerStands();
      this.expectReading(now, this.#readerMs);
    }
    if (this.#headDueAt <= now) {
      this.#headDueAt = never;
      this.#observer.headIsLate();
    } else if (this.#bodyDueAt <= now) {
      this.#bodyDueAt = never;
      this.#observer.bodyIsLate();
    } else if (this.#answerDueAt <= now) {
      this.#answerDueAt = never;
      this.#observer.answerIsLate(now);
    }
  }
}
