/** The first allocation, in bytes: an ordinary ClientHello fits. */
const firstCapacity = 1024;

/** Collects copies of bytes. Appending one byte at a time costs O(n) in all. */
export class GrowingBuffer {
  #memory: Uint8Array | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (this.#memory === null || this.#memory.length < needed) this.#grow(needed);
    this.#memory?.set(bytes, this.#length);
    this.#length = needed;
  }

  /** What was collected: a view that is valid until the next `append` or `clear`. */
  view(start = 0): Uint8Array {
    return this.#memory?.subarray(start, this.#length) ?? new Uint8Array(0);
  }

  /** Frees the memory. */
  clear(): void {
    this.#memory = null;
    this.#length = 0;
  }

  #grow(needed: number): void {
    const memory = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#length, firstCapacity));
    if (this.#memory) memory.set(this.#memory.subarray(0, this.#length));
    this.#memory = memory;
  }
}
