import type { Field, Trailers } from '../exchange.ts';
import type { BodyTaker } from './body-taker.ts';
import { ChunkedScanner } from './chunked-scanner.ts';
import type { HeadLimits } from './head-limits.ts';
import type { RefusalCode } from './refusals.ts';

/**
 * Takes a chunked body apart, for a reader that knows no chunks: HTTP/1.0 and HTTP/2. What is
 * allowed is the scanner's to say.
 */
export class ChunkedDecoder {
  readonly #scanner: ChunkedScanner;
  #trailerText = '';

  constructor(limits: HeadLimits) {
    this.#scanner = new ChunkedScanner(limits);
  }

  get ended(): boolean {
    return this.#scanner.ended;
  }

  get refused(): RefusalCode | null {
    return this.#scanner.refused;
  }

  get trailers(): Trailers {
    if (this.#trailerText === '') return null;
    const lines = this.#trailerText.split('\r\n').filter((line) => line !== '');
    return lines.length === 0 ? null : lines.map(fieldOf);
  }

  start(): void {
    this.#scanner.start();
    this.#trailerText = '';
  }

  /** Gives content to `taker`; returns the position after the last byte of the body that is there. */
  read(bytes: Buffer, from: number, to: number, taker: BodyTaker): number {
    const scanner = this.#scanner;
    let at = from;
    while (at < to && !scanner.ended && scanner.refused === null) {
      const content = Math.min(scanner.contentAhead, to - at);
      if (content > 0) {
        taker.onBody(bytes.subarray(at, at + content));
        at = scanner.scan(bytes, at, at + content);
        continue;
      }
      if (scanner.inTrailers) this.#trailerText += String.fromCharCode(bytes[at]!);
      at = scanner.scan(bytes, at, at + 1);
    }
    return at;
  }
}

function fieldOf(line: string): Field {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}
