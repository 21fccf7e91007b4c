import type { Loan, Transport } from '../../base/transport.ts';
import type { WriteStaging } from '../../transport/write-staging.ts';
import { copyBytes } from './bytes.ts';
import type { HeadTarget } from './head-writer.ts';

/** Up to here it is cheaper to copy a body behind its head than to write twice. */
const maxJoinedBytes = 16_384;
const nowhere = Buffer.alloc(0);

/**
 * Writes messages to a transport. A head is put together in memory that all connections share;
 * one that is soon followed by a body is held until it comes, and both go out as one write.
 */
export class HeldWrite implements HeadTarget, Loan {
  readonly #transport: Transport;
  readonly #staging: WriteStaging;
  /** Where the head is that was not written yet: from `#start` to `end`, with room until `#limit`. */
  memory: Buffer = nowhere;
  end = 0;
  #start = 0;
  #limit = 0;
  #lent = false;
  /** Everything that was put here: its owner sets it back. */
  bytes = 0;
  /** The transport had enough: `onDrain` is to come. */
  full = false;

  constructor(transport: Transport, staging: WriteStaging) {
    this.#transport = transport;
    this.#staging = staging;
  }

  get #holds(): boolean {
    return this.end > this.#start;
  }

  /** Makes room for a head's next `length` bytes, which the caller puts to `end` in `memory`. */
  reserve(length: number): void {
    if (this.end + length > this.#limit) this.#move(length + maxJoinedBytes);
  }

  /** To another place, with more room. */
  #move(room: number): void {
    const { memory } = this;
    const [start, held] = [this.#start, this.end - this.#start];
    const place = this.#staging.reserve(held + room);
    this.memory = this.#staging.memory;
    memory.copy(this.memory, place, start, start + held);
    this.#start = place;
    this.end = place + held;
    this.#limit = place + held + room;
  }

  /** Puts something ready-made behind the rest of a head. */
  add(bytes: Buffer): void {
    const { length } = bytes;
    if (length === 0) return;
    this.reserve(length);
    copyBytes(bytes, 0, this.memory, this.end, length);
    this.end += length;
  }

  /** The head is complete. `more`: something else is put within the same call, and it may wait for it. */
  complete(more: boolean): boolean {
    this.bytes += this.end - this.#start;
    return more || this.#release();
  }

  put(bytes: Uint8Array, loan?: Loan): boolean {
    const { length } = bytes;
    this.bytes += length;
    if (!this.#holds) return this.#write(bytes, loan);
    if (length > maxJoinedBytes || this.end + length > this.#limit) {
      this.#release();
      return this.#write(bytes, loan);
    }
    this.memory.set(bytes, this.end);
    this.end += length;
    return this.#release();
  }

  /** Writes what is held: nothing came after it. */
  flush(): void {
    if (this.#holds) this.#release();
  }

  /** Nearly always the kernel takes all at once, and the next message gets the same place. */
  #release(): boolean {
    const { memory } = this;
    const [start, limit] = [this.#start, this.#limit];
    const goesOn = this.#write(memory.subarray(start, this.end), this);
    this.#staging.release(memory, this.#lent ? this.end : start, limit);
    this.#lent = false;
    this.memory = nowhere;
    this.#start = this.end = this.#limit = 0;
    return goesOn;
  }

  #write(bytes: Uint8Array, loan: Loan | undefined): boolean {
    const goesOn = this.#transport.write(bytes, loan);
    if (!goesOn) this.full = true;
    return goesOn;
  }

  /** @internal The transport keeps what was put together here. */
  take(): void {
    this.#lent = true;
  }

  /** @internal That place is never used again. */
  giveBack(): void {}
}
