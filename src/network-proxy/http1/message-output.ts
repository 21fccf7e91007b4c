import type { Composition, Loan, Transport } from '../../base/transport.ts';
import { copyBytes } from './bytes.ts';
import { PlainComposition } from './plain-composition.ts';

/** Writes messages to a transport: heads are put together in its own memory, and go out with what follows them. */
export class MessageOutput {
  readonly #transport: Transport;
  readonly head: Composition;
  /** Everything that was put here: its owner sets it back. */
  bytes = 0;
  /** The transport had enough: `onDrain` is to come. */
  full = false;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.head = transport.composition ?? new PlainComposition(transport);
  }

  /** Puts something ready-made behind the rest of a head. */
  add(bytes: Buffer): void {
    const { head } = this;
    const { length } = bytes;
    if (length === 0) return;
    head.reserve(length);
    copyBytes(bytes, 0, head.memory, head.end, length);
    head.end += length;
  }

  /** The head is complete. */
  complete(): void {
    this.bytes += this.head.length;
    this.#goesOn(this.head.commit());
  }

  put(bytes: Uint8Array, loan?: Loan): boolean {
    this.bytes += bytes.length;
    return this.#goesOn(this.#transport.write(bytes, loan));
  }

  #goesOn(goesOn: boolean): boolean {
    if (!goesOn) this.full = true;
    return goesOn;
  }
}
