import type { Writable } from 'node:stream';

/** A viewer whose connection takes nothing for so long is gone, or might as well be. */
const stalledMs = 15_000;

/** What there is to say at one tick. */
export interface News {
  /** To those who know what was before. */
  tick(): Uint8Array;
  /** To everybody else. */
  snapshot(): Uint8Array;
}

/**
 * One that watches. It is given a message only when it has taken the one before: what waits for
 * a slow one is never more than one message, and when it is back it begins anew with a snapshot.
 */
export class Viewer {
  readonly #output: Writable;
  /** It has missed a message, or has not had its first. */
  #behind = true;
  #lastTakenAt: number;

  constructor(output: Writable, now: number) {
    this.#output = output;
    this.#lastTakenAt = now;
  }

  /** False: it has taken nothing for too long, and was cut off. */
  offer(now: number, news: News): boolean {
    if (this.#output.writableLength > 0) {
      this.#behind = true;
      if (now - this.#lastTakenAt < stalledMs) return true;
      this.#output.destroy();
      return false;
    }
    this.#lastTakenAt = now;
    this.#output.write(this.#behind ? news.snapshot() : news.tick());
    this.#behind = false;
    return true;
  }

  /** The last words, which it may take or not. */
  end(message: Uint8Array): void {
    this.#output.end(message);
  }
}
