/**
 * What a client may send until more is allowed (RFC 9113 §5.2), of a stream or of the connection.
 * More is allowed once half of it was taken, not for each piece.
 */
export class ReceiveWindow {
  readonly #size: number;
  readonly #open: (bytes: number) => void;
  #left: number;
  #taken = 0;

  /** @param open tells the client that so much more may come */
  constructor(size: number, open: (bytes: number) => void) {
    this.#size = size;
    this.#open = open;
    this.#left = size;
  }

  /** What may still come. */
  get left(): number {
    return this.#left;
  }

  /** False: so much was not allowed. */
  use(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** So much of it waits nowhere any more. */
  take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < this.#size / 2) return;
    const opened = this.#taken;
    this.#taken = 0;
    this.#left += opened;
    this.#open(opened);
  }
}
