import type { Composition } from '../base/transport.ts';
import { copyOf, type StagedWriter, type WriteStaging } from './write-staging.ts';

/** Larger writes go to the kernel at once: copying them would cost more than a system call. */
export const maxStagedBytes = 16 * 1024;

/** Whose bytes wait. */
export interface StagedOwner {
  /** `length` more bytes were put together, and are to be written. As `Transport.write`. */
  committed(length: number): boolean;
  /** The turn is over: writes the bytes. False: they are still needed after the call. */
  writeStaged(bytes: Buffer): boolean;
}

const nowhere = Buffer.alloc(0);

/** What one transport is given within one turn: one place in the memory of all, and one write. */
export class StagedWrites implements Composition, StagedWriter {
  readonly #staging: WriteStaging;
  readonly #owner: StagedOwner;
  memory: Buffer = nowhere;
  end = 0;
  /** From `#start` to `#given` are bytes to be written, up to `end` those that are being put together. */
  #start = 0;
  #given = 0;
  #limit = 0;

  constructor(staging: WriteStaging, owner: StagedOwner) {
    this.#staging = staging;
    this.#owner = owner;
  }

  get length(): number {
    return this.end - this.#given;
  }

  /** Bytes that were committed, and wait to be written. */
  get waiting(): number {
    return this.#given - this.#start;
  }

  reserve(length: number): void {
    const missing = this.end + length - this.#limit;
    if (missing <= 0) return;
    if (this.#staging.extend(this.memory, this.#limit, missing)) this.#limit += missing;
    else this.#move(length);
  }

  /** To a place with room for `length` more. What was to be written is written before. */
  #move(length: number): void {
    const begun = this.end > this.#given ? copyOf(this.memory.subarray(this.#given, this.end)) : nowhere;
    this.end = this.#given;
    this.flush();
    const size = begun.length + length;
    const start = this.#staging.reserve(size);
    this.#staging.enlist(this);
    this.memory = this.#staging.memory;
    this.memory.set(begun, start);
    this.#start = start;
    this.#given = start;
    this.end = start + begun.length;
    this.#limit = start + size;
  }

  commit(): boolean {
    return this.#owner.committed(this.length);
  }

  /** @internal What was committed last waits for the turn's end. */
  accept(): void {
    this.#given = this.end;
  }

  /** @internal What was committed last is not written. */
  discard(): void {
    this.end = this.#given;
  }

  /** @internal Gives what was committed last to the owner: nothing waits before it. Valid until the next call. */
  take(): Buffer {
    const bytes = this.memory.subarray(this.#given, this.end);
    this.end = this.#given;
    return bytes;
  }

  append(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.memory.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** What was not committed by the end of the turn never will be. */
  flush(): void {
    const { memory } = this;
    const start = this.#start;
    const end = this.#given;
    this.clear();
    if (start < end && !this.#owner.writeStaged(memory.subarray(start, end))) this.#staging.keep(memory, end);
  }

  /** What waits is dropped. */
  clear(): void {
    this.memory = nowhere;
    this.#start = this.#given = this.end = this.#limit = 0;
  }
}
