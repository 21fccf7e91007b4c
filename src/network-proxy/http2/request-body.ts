import type { ServerHttp2Stream } from 'node:http2';
import type { Field, Trailers } from '../exchange.ts';

/** Who takes a request's body. */
export interface BodyOwner {
  bodyRead(bytes: Buffer): void;
  bodyEnded(trailers: Trailers): void;
}

const bodyOf = Symbol('body');
type OwnedStream = ServerHttp2Stream & { [bodyOf]?: RequestBody };

/** Reads the body of one stream; the window that the client sees opens as it is taken. */
export class RequestBody {
  /** The request is complete. */
  complete: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #owner: BodyOwner;
  #paused = true;
  #shows = false;
  #trailers: Field[] | null = null;

  constructor(stream: ServerHttp2Stream, owner: BodyOwner, hasBody: boolean) {
    this.#stream = stream;
    this.#owner = owner;
    this.complete = !hasBody;
    if (!hasBody) return;
    (stream as OwnedStream)[bodyOf] = this;
    // A body without a byte ends before anybody asks for it.
    stream.on('trailers', onTrailers);
    stream.on('end', onEnd);
  }

  /** Bytes that came and were not shown yet. */
  get unread(): number {
    return this.#stream.readableLength;
  }

  resume(): void {
    this.#paused = false;
    if (!this.#shows) {
      this.#shows = true;
      this.#stream.on('data', onData);
    }
    this.#stream.resume();
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#stream.pause();
  }

  /** @internal */
  read(bytes: Buffer): void {
    this.#owner.bodyRead(bytes);
  }

  /** @internal */
  readTrailers(raw: readonly string[]): void {
    const fields: Field[] = [];
    for (let i = 0; i < raw.length; i += 2) fields.push([raw[i]!, raw[i + 1]!]);
    this.#trailers = fields;
  }

  /** What came last; null where it has not, or was nothing. */
  get trailers(): Trailers {
    return this.#trailers;
  }

  /** @internal END_STREAM, or the end of a stream that was cut, with or without an error: 'close' tells that. */
  ended(): void {
    if (this.#stream.closed || this.complete) return;
    this.complete = true;
    this.#owner.bodyEnded(this.#trailers);
  }
}

function onData(this: OwnedStream, bytes: Buffer): void {
  this[bodyOf]?.read(bytes);
}

function onTrailers(this: OwnedStream, _fields: unknown, _flags: number, raw?: string[]): void {
  this[bodyOf]?.readTrailers(raw ?? []);
}

function onEnd(this: OwnedStream): void {
  this[bodyOf]?.ended();
}
