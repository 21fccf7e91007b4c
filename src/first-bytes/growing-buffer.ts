/** The least that is allocated once it turns out that there is more to come, in bytes. */
const leastGrowth = 1024;

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

  /**
   * Gives away what was collected from `start` on, and empties this. The memory is exactly as long
   * as its content: what an unfilled rest held before would show through `.buffer`.
   */
  take(start: number): Uint8Array {
    const memory = this.#memory ?? new Uint8Array(0);
    const length = this.#length;
    this.clear();
    if (start === 0 && memory.length === length) return memory;
    const exact = Buffer.allocUnsafeSlow(length - start);
    exact.set(memory.subarray(start, length));
    return exact;
  }

  /** Frees the memory. */
  clear(): void {
    this.#memory = null;
    this.#length = 0;
  }

  #grow(needed: number): void {
    // The first allocation is exact: mostly it is the only one, and can be given away as it is.
    const capacity = this.#memory ? Math.max(needed, 2 * this.#length, leastGrowth) : needed;
    const memory = Buffer.allocUnsafeSlow(capacity);
    if (this.#memory) memory.set(this.#memory.subarray(0, this.#length));
    this.#memory = memory;
  }
}
