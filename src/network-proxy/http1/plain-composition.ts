import type { Composition, Transport } from '../../base/transport.ts';

const nowhere = Buffer.alloc(0);

/** For transports that have no memory of their own for it: each head is a write. */
export class PlainComposition implements Composition {
  readonly #transport: Transport;
  memory: Buffer = nowhere;
  end = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get length(): number {
    return this.end;
  }

  reserve(length: number): void {
    if (this.end + length <= this.memory.length) return;
    const memory = Buffer.allocUnsafe(Math.max(2 * this.end, this.end + length));
    this.memory.copy(memory, 0, 0, this.end);
    this.memory = memory;
  }

  commit(): boolean {
    const bytes = this.memory.subarray(0, this.end);
    this.memory = nowhere;
    this.end = 0;
    return this.#transport.write(bytes);
  }
}
