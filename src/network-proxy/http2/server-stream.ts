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
  HeadChanges,
  HttpResponse,
  LocalAnswer,
  Trailers,
  TunnelEnd,
} from '../exchange.ts';
import { type AnswerOwner, AnswerWriter } from './answer-writer.ts';
import { errorCodes, streamWindowBytes } from './limits.ts';
import type { Http2Request, RequestRefusal } from './request.ts';
import { type BodyOwner, RequestBody } from './request-body.ts';
import { resetStream } from './reset-stream.ts';
import type { ServerSessionPort } from './server-session-port.ts';
import { StreamDeadlines } from './stream-deadlines.ts';
import { StreamTransport } from './stream-transport.ts';

const streamOf = Symbol('stream');
type OwnedStream = ServerHttp2Stream & { [streamOf]?: ServerStream };

/** One request of a client's session, and its answer. */
export class ServerStream implements ClientStream, BodyOwner, AnswerOwner {
  readonly takesChunks = false;
  readonly request: Http2Request;
  bytesIn: number;
  readonly #session: ServerSessionPort;
  readonly #stream: ServerHttp2Stream;
  readonly #body: RequestBody;
  readonly #writer: AnswerWriter;
  readonly #deadlines = new StreamDeadlines();
  #timeouts: Timeouts;
  #listener: ClientListener | null = null;
  /** Counted by the session as being answered. */
  #answering = false;
  #tunnel: StreamTransport | null = null;
  /** The exchange is over, or has never begun: nothing is told any more. */
  #done = false;
  /** We have reset it. */
  #closed = false;

  constructor(session: ServerSessionPort, stream: ServerHttp2Stream, request: Http2Request) {
    this.#session = session;
    this.#stream = stream;
    this.request = request;
    this.bytesIn = request.headBytes;
    this.#timeouts = session.record.timeouts;
    this.#body = new RequestBody(stream, this, request.hasBody);
    this.#writer = new AnswerWriter(stream, this, request.method === 'HEAD');
    (stream as OwnedStream)[streamOf] = this;
    stream.on('error', onError);
    if (request.hasBody || request.upgrade !== null) stream.on('aborted', onAborted);
    stream.on('close', onClose);
  }

  get record(): ConnectionRecord {
    return this.#session.record;
  }

  get bytesOut(): number {
    return this.#writer.bytes;
  }

  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** Bytes of the body that came and were not shown yet. */
  get unread(): number {
    return this.#body.unread;
  }

  /** Brings the request to whoever takes requests. */
  begin(): void {
    const listener = this.#session.onRequest(this);
    if (this.#done) return;
    this.#listener = listener;
    if (this.#body.complete) listener.onRequestEnd(this.#body.trailers);
  }

  /** A page instead: the request goes nowhere. */
  refuse({ status, code }: RequestRefusal): void {
    const requestId = this.#session.requestIdOf(this.#stream.id ?? 0);
    const { method } = this.request;
    this.record.note(this.#session.now(), 'request-failed', {
      ...{ requestId, method, route: null, status, error: code },
    });
    this.answer(errorPage(status, requestId));
    this.#session.onRefused(status);
  }

  useTimeouts(timeouts: Timeouts): void {
    this.#timeouts = timeouts;
    this.#session.allowQuiet(timeouts.inactivityMs);
  }

  /** Who hears of the request. */
  get exchange(): ClientListener | null {
    return this.#listener;
  }

  expectAnswer(dueAt: number): void {
    if (!this.#done) this.#deadlines.expectAnswer(dueAt);
  }

  // ── the request's body ───────────────────────────────────────────────────────────────────────

  resumeBody(_form: BodyForm): void {
    if (this.#body.complete || this.#done) return;
    this.#body.resume();
    this.#deadlines.expectBody(this.#session.now(), this.#timeouts);
  }

  pauseBody(): void {
    if (this.#body.complete) return;
    this.#deadlines.bodyNotExpected();
    this.#body.pause();
  }

  bodyRead(bytes: Buffer): void {
    this.#session.received(bytes.length);
    this.bytesIn += bytes.length;
    this.#deadlines.expectBody(this.record.lastActivityAt, this.#timeouts);
    this.#listener?.onRequestBody(bytes, ownMemory);
  }

  bodyEnded(trailers: Trailers): void {
    this.#deadlines.bodyNotExpected();
    this.#listener?.onRequestEnd(trailers);
  }

  // ── the answer ───────────────────────────────────────────────────────────────────────────────

  inform(response: HttpResponse): void {
    this.#writer.inform(response);
  }

  respond(response: HttpResponse, changes: HeadChanges): void {
    this.#answering = true;
    this.#session.answering(1);
    this.#writer.respond(response, changes);
  }

  answer(answer: LocalAnswer): number {
    this.#session.sent();
    this.#writer.answer(answer);
    this.#over();
    return this.#writer.bytes;
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    const goesOn = this.#writer.write(bytes, loan);
    if (!goesOn) this.#expectReader();
    return goesOn;
  }

  #expectReader(): void {
    this.#deadlines.expectReader(this.record.lastActivityAt, this.#timeouts, this.#writer.pendingBytes);
  }

  answerDrained(): void {
    this.#deadlines.readerNotExpected();
    this.#listener?.onClientDrain();
  }

  end(trailers: Trailers): void {
    this.#writer.end(trailers);
    this.#over();
  }

  /** The exchange is over; what is pending still has a reader, who must make progress. */
  #over(): void {
    this.#done = true;
    this.#listener = null;
    this.#deadlines.bodyNotExpected();
    this.#deadlines.expectAnswer(never);
    if (this.#writer.pendingBytes > 0 && !this.#deadlines.readerExpected) this.#expectReader();
    if (!this.#body.complete) this.#writer.tellWhenOut();
  }

  /** Before the request was complete: the client need not go on (RFC 9113 §8.1). */
  answerOut(): void {
    if (!this.#body.complete) this.#reset(errorCodes.none);
  }

  // ── the tunnel ───────────────────────────────────────────────────────────────────────────────

  tunnel(): TunnelEnd {
    const { client, clientAddress } = this.record;
    const { resources } = this.#session;
    const transport = new StreamTransport(this.#stream, resources, clientAddress, client.local);
    this.#tunnel = transport;
    this.#deadlines.expectCrossing('inactivity', this.#session.now(), this.#timeouts.inactivityMs, 0);
    return { transport, firstBytes: noBytes };
  }

  /** The connection goes on: only half of a stream has ended, and the other half is not waited for without end. */
  tunnelSideEnded(): void {
    const { halfCloseMs } = this.#timeouts;
    this.#deadlines.expectCrossing('half-close-timeout', this.#session.now(), halfCloseMs, this.#crossed);
  }

  get #crossed(): number {
    return (this.#tunnel?.bytesRead ?? 0) + (this.#tunnel?.bytesWritten ?? 0);
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  abort(_reason: TerminationReason, _error?: Error): void {
    this.#end(errorCodes.internal);
  }

  close(reason: TerminationReason, _error?: Error): void {
    const agreed = reason === 'client-closed' || reason === 'target-closed';
    this.#end(agreed ? errorCodes.none : errorCodes.cancel);
  }

  /** @internal The session ends, by whatever cause. */
  sessionEnded(reason: TerminationReason): void {
    this.#leave(reason);
  }

  /** The client hears a reset, and the exchange why. */
  #leave(reason: TerminationReason): void {
    const listener = this.#listener;
    this.#end(errorCodes.cancel);
    listener?.onClientGone(reason);
  }

  #end(code: number): void {
    this.#done = true;
    this.#listener = null;
    this.#reset(code);
  }

  #reset(code: number): void {
    this.#closed = true;
    resetStream(this.#stream, code);
  }

  /** @internal A reset without an error would wait until somebody has read what came before it. */
  aborted(): void {
    if (!this.#closed && this.#stream.rstCode === errorCodes.none) this.#stream.destroy();
  }

  /** @internal */
  closed(): void {
    if (this.#answering) this.#session.answering(-1);
    const listener = this.#listener;
    this.#listener = null;
    const gone = !this.#done && this.#tunnel === null;
    const cut = !this.#closed && (gone || this.#stream.rstCode !== errorCodes.none);
    if (gone) listener?.onClientGone('client-reset');
    this.#done = true;
    // What the client had sent before it could know is for nobody.
    if (!this.#body.complete) this.#session.received(streamWindowBytes);
    this.#session.streamOver(this, cut);
  }

  /** @internal Called about once a second: a client that takes or brings nothing any more loses its stream only. */
  inspect(now: number): void {
    const late = this.#deadlines.late(now, this.#timeouts, this.#writer.pendingBytes, this.#crossed);
    if (late === null) return;
    if (late === 'response-timeout') return this.#listener?.onAnswerLate(now);
    if (late !== 'request-timeout') return this.#leave(late);
    this.#body.pause();
    this.#listener?.onRequestFailed(408, late);
  }
}

const noBytes = new Uint8Array(0);
const never = Number.POSITIVE_INFINITY;

/** 'close' follows, and tells it. */
function onError(): void {}

function onAborted(this: OwnedStream): void {
  this[streamOf]?.aborted();
}

function onClose(this: OwnedStream): void {
  this[streamOf]?.closed();
}
