import type { Loan } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import { copyOf } from '../../transport/write-staging.ts';
import type { Trailers } from '../exchange.ts';
import type { ReceiveWindow } from './receive-window.ts';

/** Who takes what a client sends on a stream after its head. */
export interface BodyOwner {
  bodyRead(bytes: Uint8Array, loan?: Loan): void;
  bodyEnded(trailers: Trailers): void;
}

/** Pieces that wait are put together up to here: each costs far more than a byte. */
const smallPieceBytes = 4096;

/** Bytes that wait: `length` of a memory that may have room for more. */
interface Waiting {
  readonly memory: Uint8Array;
  length: number;
}

/** What comes on one stream after its head: it waits while it is paused, and its window stays closed as long. */
export class RequestBody {
  /** Everything that was to come was shown. */
  complete: boolean;
  /** Bytes that came and were not shown yet. */
  unread = 0;
  trailers: Trailers = null;
  #owner: BodyOwner;
  readonly #window: ReceiveWindow;
  #waiting: Waiting[] = [];
  #paused = true;
  #ended: boolean;
  #stopped = false;

  constructor(owner: BodyOwner, window: ReceiveWindow, ended: boolean) {
    this.#owner = owner;
    this.#window = window;
    this.#ended = ended;
    this.complete = ended;
  }

  /** From here on another one takes it. It stays paused. */
  passTo(owner: BodyOwner): void {
    this.#owner = owner;
  }

  /** Nobody takes any of it any more. */
  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.unread = 0;
  }

  arrived(bytes: Uint8Array, loan: Loan | undefined): void {
    if (this.#stopped || bytes.length === 0) return;
    if (!this.#paused && this.#waiting.length === 0) return this.#show(bytes, loan);
    this.unread += bytes.length;
    if (bytes.length < smallPieceBytes) this.#append(bytes);
    else {
      // A part of some memory would keep all of it.
      const keeps = loan === ownMemory && 2 * bytes.length > bytes.buffer.byteLength;
      this.#waiting.push({ memory: keeps ? bytes : copyOf(bytes), length: bytes.length });
    }
  }

  #append(bytes: Uint8Array): void {
    let last = this.#waiting.at(-1);
    if (last === undefined || last.memory.length - last.length < bytes.length) {
      last = { memory: Buffer.allocUnsafeSlow(smallPieceBytes), length: 0 };
      this.#waiting.push(last);
    }
    last.memory.set(bytes, last.length);
    last.length += bytes.length;
  }

  /** A body without a byte ends before anybody asks for it. */
  end(trailers: Trailers): void {
    this.#ended = true;
    this.trailers = trailers;
    this.#completeIfShown();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    while (!this.#paused && this.#waiting.length > 0) {
      const { memory, length } = this.#waiting.shift()!;
      this.unread -= length;
      this.#show(memory.subarray(0, length), ownMemory);
    }
    this.#completeIfShown();
  }

  #show(bytes: Uint8Array, loan: Loan | undefined): void {
    this.#owner.bodyRead(bytes, loan);
    this.#window.take(bytes.length);
  }

  #completeIfShown(): void {
    if (!this.#ended || this.complete || this.#stopped || this.#waiting.length > 0) return;
    this.complete = true;
    this.#owner.bodyEnded(this.trailers);
  }
}
