import type { Loan } from '../../base/transport.ts';
import type { BodyForm, Trailers } from '../exchange.ts';
import { BodyScanner } from './body-scanner.ts';
import type { BodyTaker } from './body-taker.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import type { Framing } from './framing.ts';
import type { HeadLimits } from './head-limits.ts';
import type { RefusalCode } from './refusals.ts';

/** Passes a message's body on: as it came over the wire, or, where it has to be, without its chunks. */
export class BodyReader {
  readonly #limits: HeadLimits;
  readonly #scanner: BodyScanner;
  #decoder: ChunkedDecoder | null = null;
  #decoding = false;
  #chunked = false;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
    this.#scanner = new BodyScanner(limits);
  }

  start(framing: Framing): void {
    this.#chunked = framing.kind === 'chunked';
    this.#decoding = false;
    this.#scanner.start(framing);
  }

  /** Before the first byte. Only a chunked body differs in its forms. */
  useForm(form: BodyForm): void {
    const decoding = this.#chunked && form === 'content';
    if (decoding === this.#decoding) return;
    this.#decoding = decoding;
    if (!decoding) return;
    this.#decoder ??= new ChunkedDecoder(this.#limits);
    this.#decoder.start();
  }

  get ended(): boolean {
    return this.#decoding ? this.#decoder!.ended : this.#scanner.ended;
  }

  get refused(): RefusalCode | null {
    return this.#decoding ? this.#decoder!.refused : this.#scanner.refused;
  }

  /** After the end, in the form `content`. */
  get trailers(): Trailers {
    return this.#decoding ? this.#decoder!.trailers : null;
  }

  /** Gives what belongs to the body to `taker`; returns the position after it. */
  read(bytes: Buffer, from: number, to: number, taker: BodyTaker, loan: Loan | undefined): number {
    if (this.#decoding) return this.#decoder!.read(bytes, from, to, taker);
    const end = this.#scanner.scan(bytes, from, to);
    if (end === from || this.#scanner.refused !== null) return end;
    const whole = from === 0 && end === bytes.length;
    if (loan === undefined) taker.onBody(whole ? bytes : bytes.subarray(from, end));
    else taker.onBody(whole ? bytes : bytes.subarray(from, end), loan);
    return end;
  }
}
