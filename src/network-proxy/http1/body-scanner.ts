import { ChunkedScanner } from './chunked-scanner.ts';
import { type Framing, noBody } from './framing.ts';
import type { HeadLimits } from './head-limits.ts';
import type { RefusalCode } from './refusals.ts';

/**
 * Tells which of the bytes after a head belong to its body, whatever its framing. Bytes are only
 * counted, so a body can be streamed through as it comes.
 */
export class BodyScanner {
  readonly #limits: HeadLimits;
  /** Made for the first chunked body. */
  #chunks: ChunkedScanner | null = null;
  #framing: Framing = noBody;
  #left = 0;
  #counted = 0;

  /** @param limits those of heads hold for trailers too */
  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  start(framing: Framing): void {
    this.#framing = framing;
    this.#left = framing.bytes;
    this.#counted = 0;
    if (framing.kind !== 'chunked') return;
    this.#chunks ??= new ChunkedScanner(this.#limits);
    this.#chunks.start();
  }

  /** Whether the body is complete. One that ends with the connection never is before that. */
  get ended(): boolean {
    const { kind } = this.#framing;
    if (kind === 'none') return true;
    if (kind === 'length') return this.#left === 0;
    return kind === 'chunked' && this.#chunks!.ended;
  }

  /** Why a chunked body is refused; null as long as it is sound. */
  get refused(): RefusalCode | null {
    return this.#framing.kind === 'chunked' ? this.#chunks!.refused : null;
  }

  /** Bytes of content so far, without sizes of chunks, extensions and trailers. */
  get contentBytes(): number {
    return this.#framing.kind === 'chunked' ? this.#chunks!.contentBytes : this.#counted;
  }

  /**
   * Follows the body from `from` to `to`.
   *
   * @returns the position after the last byte that belongs to it; what comes after it is the next message's
   */
  scan(bytes: Uint8Array, from: number, to: number): number {
    const { kind } = this.#framing;
    if (kind === 'chunked') return this.#chunks!.scan(bytes, from, to);
    if (kind === 'none') return from;
    const taken = kind === 'length' ? Math.min(this.#left, to - from) : to - from;
    if (kind === 'length') this.#left -= taken;
    this.#counted += taken;
    return from + taken;
  }
}
