/**
 * Reads big-endian fields from some bytes, one after another. Reading past the end never throws:
 * it gives zeros, and `failed` stays true from then on. So a parser may read a whole structure
 * and ask once whether it was all there.
 */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A read went past the end. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Whether anything is left to read. */
  get more(): boolean {
    return !this.#failed && this.#at < this.#bytes.length;
  }

  uint8(): number {
    return this.#number(1);
  }

  uint16(): number {
    return this.#number(2);
  }

  /** The next `length` bytes: a view, not a copy. Empty where there are fewer. */
  take(length: number): Uint8Array {
    const start = this.#at;
    if (!this.#advance(length)) return this.#bytes.subarray(0, 0);
    return this.#bytes.subarray(start, start + length);
  }

  /** A vector with a length of one byte before it (RFC 8446 §3.4). */
  vector8(): Uint8Array {
    return this.take(this.uint8());
  }

  /** A vector with a length of two bytes before it. */
  vector16(): Uint8Array {
    return this.take(this.uint16());
  }

  #number(size: number): number {
    const start = this.#at;
    if (!this.#advance(size)) return 0;
    let value = 0;
    for (let at = start; at < this.#at; at++) value = (value << 8) | (this.#bytes[at] as number);
    return value;
  }

  #advance(length: number): boolean {
    if (this.#failed || this.#at + length > this.#bytes.length) {
      this.#failed = true;
      return false;
    }
    this.#at += length;
    return true;
  }
}
