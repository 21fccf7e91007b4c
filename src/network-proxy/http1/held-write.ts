import type { Loan, Transport } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';

/** Up to here it is cheaper to copy a body behind its head than to write twice. */
const maxJoinedBytes = 16_384;

/**
 * Writes messages to a transport: a head that is soon followed by a body waits for it, and both go
 * out as one write.
 */
export class HeldWrite {
  readonly #transport: Transport;
  #held: Buffer | null = null;
  /** Everything that was put here: its owner sets it back. */
  bytes = 0;
  /** The transport had enough: `onDrain` is to come. */
  full = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** `more`: something else is put within the same call. */
  head(head: Buffer, more: boolean): boolean {
    this.bytes += head.length;
    if (!more) return this.#write(head, ownMemory);
    this.#held = head;
    return true;
  }

  put(bytes: Uint8Array, loan?: Loan): boolean {
    this.bytes += bytes.length;
    const held = this.#held;
    if (held === null) return this.#write(bytes, loan);
    this.#held = null;
    if (bytes.length > maxJoinedBytes) {
      this.#write(held, ownMemory);
      return this.#write(bytes, loan);
    }
    const joined = Buffer.allocUnsafe(held.length + bytes.length);
    joined.set(held);
    joined.set(bytes, held.length);
    return this.#write(joined, ownMemory);
  }

  /** Writes what is held: nothing came after it. */
  flush(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    this.#write(held, ownMemory);
  }

  #write(bytes: Uint8Array, loan: Loan | undefined): boolean {
    const goesOn = this.#transport.write(bytes, loan);
    if (!goesOn) this.full = true;
    return goesOn;
  }
}
