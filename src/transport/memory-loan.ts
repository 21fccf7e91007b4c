import type { Loan } from '../base/transport.ts';

/** What memory is filled with as soon as nobody may look at it any more. */
export const poison = 0xdd;

/**
 * The read memory of one memory transport. It is lent for the length of one `onData`, longer
 * where a writer takes the loan, and poisoned afterwards, so that any later use shows.
 */
export class ReadMemory {
  readonly #bytes: Uint8Array;
  readonly #givenBack: () => void;
  #current: ReadLoan | null = null;

  /** `givenBack` is called when a loan that was taken comes back. */
  constructor(size: number, givenBack: () => void) {
    this.#bytes = new Uint8Array(size);
    this.#givenBack = givenBack;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** A loan was taken and is not back: nothing may be read into this memory. */
  get lent(): boolean {
    return this.#current !== null;
  }

  /** Copies `chunk` here and shows it to `use`, with a loan where `lend` says so. */
  show(chunk: Uint8Array, lend: boolean, use: (bytes: Uint8Array, loan?: Loan) => void): void {
    const shown = this.#bytes.subarray(0, chunk.length);
    shown.set(chunk);
    const loan = new ReadLoan(() => this.#returned(loan, shown));
    try {
      if (lend) use(shown, loan);
      else use(shown);
    } finally {
      loan.close();
      if (loan.out) this.#current = loan;
      else shown.fill(poison);
    }
  }

  #returned(loan: ReadLoan, shown: Uint8Array): void {
    // Given back within onData: the bytes are still on show.
    if (this.#current !== loan) return;
    shown.fill(poison);
    this.#current = null;
    this.#givenBack();
  }
}

/** Throws where the contract of `Loan` is broken: only a mistake of ours can do that. */
class ReadLoan implements Loan {
  readonly #returned: () => void;
  #offered = true;
  #taken = false;
  #back = false;

  constructor(returned: () => void) {
    this.#returned = returned;
  }

  get out(): boolean {
    return this.#taken && !this.#back;
  }

  /** The call to `onData` is over: from now on the loan cannot be taken. */
  close(): void {
    this.#offered = false;
  }

  take(): void {
    if (!this.#offered || this.#taken)
      throw new Error('a loan was taken twice, or after its onData returned');
    this.#taken = true;
  }

  giveBack(): void {
    if (!this.out) throw new Error('a loan was given back twice, or without being taken');
    this.#back = true;
    this.#returned();
  }
}
