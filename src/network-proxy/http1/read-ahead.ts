/** The least that is allocated once bytes have to wait. */
const leastBytes = 512;

/** Bytes of a connection that were read and cannot be used yet, in memory of their own. */
export class ReadAhead {
  #memory: Buffer | null = null;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Copies. Appending one byte at a time costs O(n) in all. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#memory === null || this.#memory.length - this.#end < bytes.length) this.#grow(bytes.length);
    this.#memory!.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** What waits: valid until the next `append`. */
  view(): Buffer {
    return this.#memory === null ? Buffer.alloc(0) : this.#memory.subarray(this.#start, this.#end);
  }

  /** The first `count` bytes were used. The memory goes with the last of them. */
  used(count: number): void {
    this.#start += count;
    if (this.#start >= this.#end) this.clear();
  }

  /** Everything; nothing waits any more. */
  take(): Buffer {
    const all = this.view();
    this.clear();
    return all;
  }

  clear(): void {
    this.#memory = null;
    this.#start = 0;
    this.#end = 0;
  }

  #grow(more: number): void {
    const length = this.length;
    const memory = Buffer.allocUnsafeSlow(Math.max(leastBytes, 2 * length, length + more));
    if (this.#memory !== null) this.#memory.copy(memory, 0, this.#start, this.#end);
    this.#memory = memory;
    this.#start = 0;
    this.#end = length;
  }
}
