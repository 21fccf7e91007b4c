import type { ServerHttp2Stream } from 'node:http2';
import type { TerminationReason } from '../../base/termination.ts';
import type { Loan } from '../../base/transport.ts';
import type { Timeouts } from '../../config/resolved.ts';
import type { ConnectionRecord } from '../../connection/connection-record.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import { errorPage } from '../error-pages.ts';
import type {
  BodyForm,
  ClientListener,
  ClientStream,
  Field,
  HeadChanges,
  HttpResponse,
  LocalAnswer,
  Trailers,
  TunnelEnd,
} from '../exchange.ts';
import { interimFields, ownFields, responseFields, trailerFields } from './fields.ts';
import { errorCodes, streamWindowBytes } from './limits.ts';
import type { Http2Request, RequestRefusal } from './request.ts';
import { resetStream } from './reset-stream.ts';
import type { ServerSessionPort } from './server-session-port.ts';
import { StreamDeadlines } from './stream-deadlines.ts';
import { StreamTransport } from './stream-transport.ts';

const streamOf = Symbol('stream');
type OwnedStream = ServerHttp2Stream & { [streamOf]?: ServerStream };

/** A frame's length and type: what a head costs beside its fields. */
const frameBytes = 9;
/** The most that is written at once: the deadline of slow readers counts whole pieces. */
const pieceBytes = 65_536;

/** One request of a client's session, and its answer. */
export class ServerStream implements ClientStream {
  readonly takesChunks = false;
  readonly bodyAtHand = false;
  readonly request: Http2Request;
  readonly #session: ServerSessionPort;
  readonly #stream: ServerHttp2Stream;
  #timeouts: Timeouts;
  #listener: ClientListener | null = null;
  readonly #deadlines = new StreamDeadlines();
  #requestDone: boolean;
  #bodyPaused = true;
  /** 'data' is listened to. */
  #reads = false;
  #awaitsDrain = false;
  /** Counted by the session as being answered. */
  #answering = false;
  #trailers: Trailers = null;
  #receivedTrailers: Field[] | null = null;
  /** Bytes of the answer's body that are still to come, where its head says so. */
  #bodyLeft = -1;
  #waitsForTrailers = false;
  /** The exchange is over, or has never begun: nothing is told any more. */
  #done = false;
  #tunnel: StreamTransport | null = null;
  /** We have reset it. */
  #closed = false;
  bytesIn: number;
  bytesOut = 0;

  constructor(session: ServerSessionPort, stream: ServerHttp2Stream, request: Http2Request) {
    this.#session = session;
    this.#stream = stream;
    this.request = request;
    this.#timeouts = session.record.timeouts;
    this.#requestDone = !request.hasBody;
    this.bytesIn = frameBytes + request.fields.bytes + request.target.length + request.authority.length;
    (stream as OwnedStream)[streamOf] = this;
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  get record(): ConnectionRecord {
    return this.#session.record;
  }

  get pendingBytes(): number {
    return this.#stream.writableLength;
  }

  /** Brings the request to whoever takes requests. */
  begin(): void {
    const listener = this.#session.onRequest(this);
    if (this.#done) return;
    this.#listener = listener;
    if (this.#requestDone) listener.onRequestEnd(null);
  }

  /** A page instead: the request goes nowhere. */
  refuse({ status }: RequestRefusal): void {
    this.answer(errorPage(status, this.#session.requestIdOf(this.#stream.id ?? 0)));
  }

  useTimeouts(timeouts: Timeouts): void {
    this.#timeouts = timeouts;
  }

  // ── the request's body ───────────────────────────────────────────────────────────────────────

  resumeBody(_form: BodyForm): void {
    if (this.#requestDone || this.#done) return;
    this.#bodyPaused = false;
    if (!this.#reads) {
      this.#reads = true;
      this.#stream.on('trailers', onTrailers);
      this.#stream.on('end', onEnd);
      this.#stream.on('data', onData);
    }
    this.#stream.resume();
    this.#deadlines.expectBody(this.#session.now(), this.#timeouts);
  }

  pauseBody(): void {
    if (this.#requestDone || this.#bodyPaused) return;
    this.#bodyPaused = true;
    this.#deadlines.bodyNotExpected();
    this.#stream.pause();
  }

  /** @internal */
  received(bytes: Buffer): void {
    this.#session.received(bytes.length);
    this.bytesIn += bytes.length;
    this.#deadlines.expectBody(this.record.lastActivityAt, this.#timeouts);
    this.#listener?.onRequestBody(bytes, ownMemory);
  }

  /** @internal */
  receivedTrailers(raw: readonly string[]): void {
    const fields: Field[] = [];
    for (let i = 0; i < raw.length; i += 2) fields.push([raw[i]!, raw[i + 1]!]);
    this.#receivedTrailers = fields;
  }

  /** @internal END_STREAM, or the end of a stream that was cut: that is told by 'close'. */
  receivedAll(): void {
    if (this.#stream.rstCode !== errorCodes.none || this.#requestDone) return;
    this.#requestDone = true;
    this.#deadlines.bodyNotExpected();
    this.#listener?.onRequestEnd(this.#receivedTrailers);
  }

  // ── the answer ───────────────────────────────────────────────────────────────────────────────

  inform(response: HttpResponse): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed || stream.headersSent) return;
    this.#attempt(() => stream.additionalHeaders(interimFields(response).fields));
  }

  respond(response: HttpResponse, changes: HeadChanges): void {
    const { body, status } = response;
    const ended = body === 'none' && status !== 101;
    this.#waitsForTrailers = body === 'chunked' || (response.http1 === null && !ended && status !== 101);
    this.#bodyLeft = body === 'length' && !this.#waitsForTrailers ? response.contentLength : -1;
    const { fields, bytes } = responseFields(response, changes);
    this.bytesOut += frameBytes + bytes;
    this.#answering = true;
    this.#session.answering(1);
    const options = { endStream: ended, waitForTrailers: this.#waitsForTrailers, sendDate: false };
    if (this.#waitsForTrailers) this.#stream.on('wantTrailers', onWantTrailers);
    this.#attempt(() => this.#stream.respond(fields, options));
  }

  answer({ status, fields, body }: LocalAnswer): number {
    const { fields: head, bytes } = ownFields(status, fields);
    const sized = status >= 200 && status !== 204 && status !== 304;
    if (sized) head['content-length'] = String(body.length);
    const shown = sized && this.request.method !== 'HEAD' && body.length > 0;
    this.#attempt(() => {
      this.#stream.respond(head, { endStream: !shown });
      if (shown) this.#stream.end(body);
    });
    this.bytesOut = frameBytes + bytes + (shown ? body.length : 0);
    this.#session.sent();
    this.#over();
    this.#watchRest();
    return this.bytesOut;
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    const stream = this.#stream;
    this.#session.sent();
    if (stream.writableEnded || stream.destroyed) return true;
    this.bytesOut += bytes.length;
    const own = loan === ownMemory ? bytes : Buffer.from(bytes);
    const last = this.#bodyLeft === bytes.length;
    if (this.#bodyLeft > 0) this.#bodyLeft -= bytes.length;
    for (let at = 0; at < own.length; at += pieceBytes) stream.write(own.subarray(at, at + pieceBytes));
    // END_STREAM goes with the last bytes.
    if (last) stream.end();
    if (!stream.writableNeedDrain) return true;
    this.#watchReader();
    return false;
  }

  #watchReader(): void {
    if (!this.#awaitsDrain) {
      this.#awaitsDrain = true;
      this.#stream.once('drain', onDrain);
    }
    this.#expectReader();
  }

  #expectReader(): void {
    this.#deadlines.expectReader(this.record.lastActivityAt, this.#timeouts, this.#stream.writableLength);
  }

  /** @internal */
  drained(): void {
    this.#awaitsDrain = false;
    this.#deadlines.readerNotExpected();
    this.#listener?.onClientDrain();
  }

  end(trailers: Trailers): void {
    this.#trailers = trailers;
    this.#over();
    if (!this.#stream.writableEnded) this.#stream.end();
    this.#watchRest();
  }

  /** What is pending at the end still has a reader, who must make progress. */
  #watchRest(): void {
    if (this.#stream.writableLength > 0 && !this.#deadlines.readerExpected) this.#expectReader();
  }

  /** @internal Everything before the trailers is out. */
  sendTrailers(): void {
    const { fields, bytes } = trailerFields(this.#trailers);
    this.bytesOut += frameBytes + bytes;
    this.#attempt(() => this.#stream.sendTrailers(fields));
    if (!this.#requestDone) this.#session.later(() => this.#giveUpRequest());
  }

  /** The exchange is over, though what was written may still be on its way. */
  #over(): void {
    this.#done = true;
    this.#listener = null;
    this.#deadlines.bodyNotExpected();
    if (this.#requestDone || this.#waitsForTrailers) return;
    if (this.#stream.writableFinished) this.#giveUpRequest();
    else this.#stream.once('finish', onFinish);
  }

  /** @internal The answer is complete before the request was: the client need not go on (RFC 9113 §8.1). */
  finished(): void {
    this.#giveUpRequest();
  }

  #giveUpRequest(): void {
    if (!this.#requestDone) this.#reset(errorCodes.none);
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  abort(_reason: TerminationReason, _error?: Error): void {
    this.#end(errorCodes.internal);
  }

  close(reason: TerminationReason, _error?: Error): void {
    const agreed = reason === 'client-closed' || reason === 'target-closed';
    this.#end(agreed ? errorCodes.none : errorCodes.cancel);
  }

  #end(code: number): void {
    this.#done = true;
    this.#listener = null;
    this.#reset(code);
  }

  tunnel(): TunnelEnd {
    const { client, clientAddress } = this.record;
    const { resources } = this.#session;
    const transport = new StreamTransport(this.#stream, resources, clientAddress, client.local);
    this.#tunnel = transport;
    return { transport, firstBytes: noBytes };
  }

  /** The connection goes on: only half of a stream has ended, and the other half is not waited for without end. */
  tunnelSideEnded(): void {
    this.#deadlines.expectCrossing(this.#session.now(), this.#timeouts, this.#crossed);
  }

  get #crossed(): number {
    return (this.#tunnel?.bytesRead ?? 0) + (this.#tunnel?.bytesWritten ?? 0);
  }

  /** @internal The session ends, by whatever cause. */
  sessionEnded(reason: TerminationReason): void {
    const listener = this.#listener;
    this.#done = true;
    this.#listener = null;
    listener?.onClientGone(reason);
    this.#reset(errorCodes.cancel);
  }

  #reset(code: number): void {
    this.#closed = true;
    resetStream(this.#stream, code);
  }

  /** @internal */
  closed(): void {
    if (this.#answering) this.#session.answering(-1);
    const listener = this.#listener;
    this.#listener = null;
    const cut = !this.#closed && this.#stream.rstCode !== errorCodes.none;
    if (!this.#done && this.#tunnel === null) listener?.onClientGone('client-reset');
    this.#done = true;
    // What the client had sent before it could know is for nobody.
    if (!this.#requestDone) this.#session.received(streamWindowBytes);
    this.#session.streamOver(this, cut);
  }

  /** Node refuses a head that it takes for malformed, and a stream that has just been closed. */
  #attempt(call: () => void): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    try {
      call();
    } catch {
      this.#reset(errorCodes.internal);
    }
  }

  /** Bytes of the body that came and were not shown yet. */
  get unread(): number {
    return this.#stream.readableLength;
  }

  // ── deadlines ────────────────────────────────────────────────────────────────────────────────

  /** @internal Called about once a second. */
  inspect(now: number): void {
    const late = this.#deadlines.late(now, this.#timeouts, this.#stream.writableLength, this.#crossed);
    if (late === null) return;
    if (late === 'request-timeout') this.#bodyIsLate();
    else this.#giveUp(late);
  }

  /** A client that takes or brings nothing any more: only its own stream ends. */
  #giveUp(reason: TerminationReason): void {
    const listener = this.#listener;
    this.#end(errorCodes.cancel);
    listener?.onClientGone(reason);
  }

  #bodyIsLate(): void {
    this.#bodyPaused = true;
    this.#stream.pause();
    this.#listener?.onRequestFailed(408, 'request-timeout');
  }
}

const noBytes = new Uint8Array(0);

function onData(this: OwnedStream, bytes: Buffer): void {
  this[streamOf]?.received(bytes);
}

function onTrailers(this: OwnedStream, _fields: unknown, _flags: number, raw?: string[]): void {
  this[streamOf]?.receivedTrailers(raw ?? []);
}

function onEnd(this: OwnedStream): void {
  this[streamOf]?.receivedAll();
}

function onDrain(this: OwnedStream): void {
  this[streamOf]?.drained();
}

function onFinish(this: OwnedStream): void {
  this[streamOf]?.finished();
}

function onWantTrailers(this: OwnedStream): void {
  this[streamOf]?.sendTrailers();
}

/** 'close' follows, and tells it. */
function onError(): void {}

function onClose(this: OwnedStream): void {
  this[streamOf]?.closed();
}
