/** The memory that is written from, in pieces of this size. */
export const slabBytes = 64 * 1024;

/**
 * Where bytes are put together, or copied to, before they are written on, so that the buffer they
 * were read into can be reused. Nearly always the kernel takes a write at once, and the same place
 * serves the next one; only what it did not take keeps its place until it is written. What is
 * staged goes to sockets only, never to users' code: a view shows its neighbours through `.buffer`.
 */
export class WriteStaging {
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;

  /** What the places of `reserve` are in: ask for it after it. */
  get memory(): Buffer {
    return this.#slab;
  }

  /** A place for `length` bytes that nobody else gets before `release`. Returns where it begins. */
  reserve(length: number): number {
    if (this.#used + length > this.#slab.length || this.#slab.length > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(length, slabBytes));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return start;
  }

  /**
   * Gives the end of a place back: from `start` to `end`, where it was reserved to. Without effect
   * while something that was reserved later is still there: then that memory is not used again.
   */
  release(memory: Buffer, start: number, end: number): void {
    if (memory === this.#slab && this.#used === end) this.#used = start;
  }

  /** A copy that is valid until the next `stage`, or for ever after `keep`. */
  stage(bytes: Uint8Array): Buffer {
    const { length } = bytes;
    if (length > slabBytes) return copyOf(bytes);
    const start = this.reserve(length);
    this.#used = start;
    const staged = this.#slab.subarray(start, start + length);
    staged.set(bytes);
    return staged;
  }

  /** The write of what was staged last is still in flight: its place is not used again. */
  keep(staged: Buffer): void {
    if (staged.buffer === this.#slab.buffer) this.#used = staged.byteOffset + staged.length;
  }
}

/** A copy in memory of its own. */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
