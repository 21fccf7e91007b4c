import type { ServerHttp2Stream } from 'node:http2';
import type { Loan } from '../../base/transport.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import type { HeadChanges, HttpResponse, LocalAnswer, Trailers } from '../exchange.ts';
import { interimFields, ownFields, responseFields, trailerFields } from './fields.ts';
import { errorCodes } from './limits.ts';
import { resetStream } from './reset-stream.ts';

/** Who answers. */
export interface AnswerOwner {
  /** What had been pending is taken. */
  answerDrained(): void;
  /** The last byte of a complete answer is on its way. Told only to who asked for it. */
  answerOut(): void;
}

const writerOf = Symbol('writer');
type OwnedStream = ServerHttp2Stream & { [writerOf]?: AnswerWriter };

/** A frame's length and type: what a head costs beside its fields. */
const frameBytes = 9;
/** The most that is written at once: the deadline of slow readers counts whole pieces. */
const pieceBytes = 65_536;

/** Writes the answer of one stream. */
export class AnswerWriter {
  /** Of the answer so far, heads included as they are before they are compressed. */
  bytes = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #owner: AnswerOwner;
  readonly #isHead: boolean;
  /** Bytes of the body that are still to come, where the head says so. */
  #bodyLeft = -1;
  #waitsForTrailers = false;
  #trailers: Trailers = null;
  #awaitsDrain = false;
  #tells = false;

  constructor(stream: ServerHttp2Stream, owner: AnswerOwner, isHead: boolean) {
    this.#stream = stream;
    this.#owner = owner;
    this.#isHead = isHead;
    (stream as OwnedStream)[writerOf] = this;
  }

  /** Bytes that the stream has not sent, for want of a window or of the connection. */
  get pendingBytes(): number {
    return this.#stream.writableLength;
  }

  inform(response: HttpResponse): void {
    if (this.#stream.headersSent) return;
    this.#attempt(() => this.#stream.additionalHeaders(interimFields(response).fields));
  }

  respond(response: HttpResponse, changes: HeadChanges): void {
    const { body, status, http1 } = response;
    const ended = body === 'none' && status !== 101;
    this.#waitsForTrailers = body === 'chunked' || (http1 === null && !ended && status !== 101);
    this.#bodyLeft = body === 'length' && !this.#waitsForTrailers ? response.contentLength : -1;
    const { fields, bytes } = responseFields(response, changes);
    this.bytes += frameBytes + bytes;
    if (this.#waitsForTrailers) this.#stream.on('wantTrailers', onWantTrailers);
    const options = { endStream: ended, waitForTrailers: this.#waitsForTrailers, sendDate: false };
    this.#attempt(() => this.#stream.respond(fields, options));
  }

  /** A whole answer of our own. */
  answer({ status, fields, body }: LocalAnswer): void {
    const { fields: head, bytes } = ownFields(status, fields);
    const sized = status >= 200 && status !== 204 && status !== 304;
    if (sized) head['content-length'] = String(body.length);
    const shown = sized && !this.#isHead && body.length > 0;
    this.bytes = frameBytes + bytes + (shown ? body.length : 0);
    this.#attempt(() => {
      this.#stream.respond(head, { endStream: !shown });
      if (shown) this.#stream.end(body);
    });
  }

  /** False where the writer should wait. */
  write(bytes: Uint8Array, loan?: Loan): boolean {
    const stream = this.#stream;
    if (stream.writableEnded || stream.destroyed) return true;
    this.bytes += bytes.length;
    const own = loan === ownMemory ? bytes : Buffer.from(bytes);
    const last = this.#bodyLeft === bytes.length;
    if (this.#bodyLeft > 0) this.#bodyLeft -= bytes.length;
    for (let at = 0; at < own.length; at += pieceBytes) stream.write(own.subarray(at, at + pieceBytes));
    // END_STREAM goes with the last bytes.
    if (last) stream.end();
    if (!stream.writableNeedDrain) return true;
    if (!this.#awaitsDrain) stream.once('drain', onDrain);
    this.#awaitsDrain = true;
    return false;
  }

  end(trailers: Trailers): void {
    this.#trailers = trailers;
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  /** After `end` or `answer`: the owner wants to hear once everything is out, never within the call. */
  tellWhenOut(): void {
    this.#tells = true;
    if (!this.#waitsForTrailers) this.#stream.once('finish', onFinish);
  }

  /** @internal */
  drained(): void {
    this.#awaitsDrain = false;
    this.#owner.answerDrained();
  }

  /** @internal */
  finished(): void {
    this.#owner.answerOut();
  }

  /** @internal Everything before the trailers is out. */
  sendTrailers(): void {
    const { fields, bytes } = trailerFields(this.#trailers);
    this.bytes += frameBytes + bytes;
    this.#attempt(() => this.#stream.sendTrailers(fields));
    // Node sends them in a turn of their own.
    if (this.#tells) setImmediate(onTrailersSent, this);
  }

  /** Node refuses a head that it takes for malformed, and a stream that has just been closed. */
  #attempt(call: () => void): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    try {
      call();
    } catch {
      resetStream(this.#stream, errorCodes.internal);
    }
  }
}

function onDrain(this: OwnedStream): void {
  this[writerOf]?.drained();
}

function onFinish(this: OwnedStream): void {
  this[writerOf]?.finished();
}

function onWantTrailers(this: OwnedStream): void {
  this[writerOf]?.sendTrailers();
}

function onTrailersSent(writer: AnswerWriter): void {
  writer.finished();
}
