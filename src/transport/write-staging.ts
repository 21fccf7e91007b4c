const slabBytes = 64 * 1024;

/**
 * Where bytes are copied to before they are written on, so that the buffer they were read into can
 * be reused. Nearly always the kernel takes a write at once, and the same place serves the next
 * one; only what it did not take keeps its place until it is written. What is staged goes to
 * sockets only, never to users' code: a view shows its neighbours through `.buffer`.
 */
export class WriteStaging {
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;

  /** A copy that is valid until the next `stage`, or for ever after `keep`. */
  stage(bytes: Uint8Array): Buffer {
    const length = bytes.length;
    if (length > slabBytes) return copyOf(bytes);
    if (this.#used + length > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
    }
    const staged = this.#slab.subarray(this.#used, this.#used + length);
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
