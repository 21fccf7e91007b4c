import type { Duplex } from 'node:stream';
import { errorCode } from '../base/errors.ts';

/** What Node's handles count. Looked for by feature-detection.ts. */
export interface CountingHandle {
  /** Bytes that the handle was given. */
  readonly bytesWritten: number;
  /** Bytes of them that the kernel has not taken yet. */
  readonly writeQueueSize: number;
  /** 0 while there is a peer. A unix socket has none. */
  getpeername?(address: object): number;
}

/**
 * How many of the bytes that a stream was given the kernel has taken. With a handle that counts it
 * is exact even in the middle of one write, so that a stalled write can be seen to make progress.
 */
export class WriteAccount {
  /** The handle whose counters are trusted; null where there is none. */
  handle: CountingHandle | null = null;
  /** What waits before the stream; null where nothing does. */
  staged: { readonly waiting: number } | null = null;
  readonly #stream: Duplex;
  #given = 0;
  /** As far as we know. */
  #taken = 0;
  #settled = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** No byte will be taken any more: what was pending is dropped. */
  get settled(): boolean {
    return this.#settled;
  }

  get taken(): number {
    const stream = this.#stream;
    if (!this.#settled && !stream.destroyed && stream.errored === null) this.#look();
    return this.#taken;
  }

  /** 0 once settled. */
  get pending(): number {
    return this.#settled ? 0 : this.#given - this.taken;
  }

  /** The stream is about to be given `bytes`. */
  give(bytes: number): void {
    this.#given += bytes;
  }

  /** Nothing that was given waits any more. */
  tookAll(): void {
    if (!this.#settled) this.#taken = this.#given;
  }

  /** We drop what is pending, or count no longer. */
  settle(): void {
    this.#taken = this.taken;
    this.#settled = true;
  }

  /**
   * The stream failed. A failed write leaves the handle's counters past what the kernel took, so
   * what was seen before it counts; after any other error they are still exact.
   */
  fail(error: Error): void {
    const byWrite = 'syscall' in error && error.syscall === 'write';
    const byStream = errorCode(error)?.startsWith('ERR_STREAM') === true;
    if (!this.#settled && !byWrite && !byStream && this.handle !== null)
      this.#raise(this.#countAtHandle(this.handle));
    this.#settled = true;
  }

  #look(): void {
    const { handle } = this;
    const waiting = this.#stream.writableLength + (this.staged?.waiting ?? 0);
    this.#raise(handle === null ? this.#given - waiting : this.#countAtHandle(handle));
  }

  #countAtHandle(handle: CountingHandle): number {
    return Math.min(this.#given, handle.bytesWritten - handle.writeQueueSize);
  }

  #raise(taken: number): void {
    if (taken > this.#taken) this.#taken = taken;
  }
}
