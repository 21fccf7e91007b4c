import type { Transport } from '../base/transport.ts';

/**
 * What a client sends before there is anybody to give it to. Bounded: when it is full reading
 * pauses, and nothing ends.
 */
export class ClientBuffer {
  readonly #client: Transport;
  readonly #capacity: number;
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(client: Transport, capacity: number) {
    this.#client = client;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  /** Keeps bytes that nobody else will change. */
  adopt(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    if (this.#capacity > 0 && this.#size >= this.#capacity) this.#client.pause();
  }

  /** Keeps a copy: a read buffer is only lent, and shared with every other connection. */
  append(bytes: Uint8Array): void {
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    copy.set(bytes);
    this.adopt(copy);
  }

  /** Everything in order; the buffer is empty afterwards. */
  take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#size = 0;
    return chunks;
  }
}
