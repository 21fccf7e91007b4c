import type { TerminationReason } from '../../base/termination.ts';
import type { Loan } from '../../base/transport.ts';
import type { Timeouts } from '../../config/resolved.ts';
import type { ConnectionRecord } from '../../connection/connection-record.ts';
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
import { ReceiveWindow } from './receive-window.ts';
import type { Http2Request, RequestRefusal } from './request.ts';
import { type BodyOwner, RequestBody } from './request-body.ts';
import type { ServerSessionPort } from './server-session-port.ts';
import { StreamDeadlines } from './stream-deadlines.ts';
import { type TunnelStream, TunnelTransport } from './tunnel-transport.ts';

/** One request of a client's session, and its answer. */
export class ServerStream implements ClientStream, BodyOwner, AnswerOwner, TunnelStream {
  readonly takesChunks = false;
  readonly id: number;
  readonly request: Http2Request;
  bytesIn: number;
  readonly #session: ServerSessionPort;
  readonly #body: RequestBody;
  readonly #writer: AnswerWriter;
  readonly #window: ReceiveWindow;
  readonly #deadlines = new StreamDeadlines();
  #timeouts: Timeouts;
  #listener: ClientListener | null = null;
  /** Counted by the session as being answered. */
  #answering = false;
  #tunnel: TunnelTransport | null = null;
  /** Bytes of content that have come, and how many were announced; −1: not at all. */
  #content = 0;
  readonly #announced: number;
  /** END_STREAM came. */
  #clientEnded: boolean;
  /** The exchange is over, or has never begun: nothing is told any more. */
  #done = false;
  /** Nothing comes and nothing goes any more. */
  #over = false;

  constructor(session: ServerSessionPort, id: number, request: Http2Request, ended: boolean) {
    this.#session = session;
    this.id = id;
    this.request = request;
    this.bytesIn = request.headBytes;
    this.#timeouts = session.record.timeouts;
    this.#clientEnded = ended;
    this.#announced = request.hasBody ? request.contentLength : -1;
    this.#window = new ReceiveWindow(streamWindowBytes, (bytes) => this.#openWindow(bytes));
    this.#body = new RequestBody(this, this.#window, ended);
    this.#writer = new AnswerWriter(id, session.flow, this, request.method === 'HEAD');
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

  /** The request is complete: what follows an upgrade is none of it. */
  get #complete(): boolean {
    return !this.request.hasBody || this.#body.complete;
  }

  /** Brings the request to whoever takes requests. */
  begin(): void {
    const listener = this.#session.onRequest(this);
    if (this.#done) return;
    this.#listener = listener;
    if (this.#complete) listener.onRequestEnd(this.#body.trailers);
  }

  /** A page instead: the request goes nowhere. */
  refuse({ status, code }: RequestRefusal): void {
    const requestId = this.#session.requestIdOf(this.id);
    const { method } = this.request;
    this.record.note(this.#session.clock.now(), 'request-failed', {
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

  // ── what the client sends ────────────────────────────────────────────────────────────────────

  /** Null: all is well; else the error of a stream that breaks a rule. `frameBytes` count for the window. */
  dataCame(bytes: Uint8Array, loan: Loan | undefined, frameBytes: number, ended: boolean): number | null {
    if (this.#clientEnded) return errorCodes.streamClosed;
    if (!this.#window.use(frameBytes)) return errorCodes.flowControl;
    this.#content += bytes.length;
    const wrong = ended ? this.#content !== this.#announced : this.#content > this.#announced;
    if (this.#announced >= 0 && wrong) return errorCodes.protocol;
    if (this.#tunnel !== null) this.#session.received(bytes.length);
    this.#window.take(frameBytes - bytes.length);
    this.#body.arrived(bytes, loan);
    if (ended) this.#endCame(null);
    return null;
  }

  /** As `dataCame`. */
  trailersCame(trailers: Trailers): number | null {
    if (this.#clientEnded) return errorCodes.streamClosed;
    if (this.#announced >= 0 && this.#content !== this.#announced) return errorCodes.protocol;
    this.#endCame(trailers);
    return null;
  }

  #endCame(trailers: Trailers): void {
    this.#clientEnded = true;
    this.#body.end(trailers);
    this.#settle();
  }

  /** What may be sent now, the flow's `pump` sends. False: that is more than a window may be. */
  windowOpened(bytes: number): boolean {
    return this.#writer.opened(bytes);
  }

  /** The client gives the stream up, or has broken a rule of it and hears of that by `code`. */
  cut(code: number, byClient: boolean): void {
    const listener = this.#listener;
    const gone = !this.#done && this.#tunnel === null;
    if (!byClient) this.#session.flow.frames.reset(this.id, code);
    this.#close(gone || !byClient || code !== errorCodes.none);
    if (gone) listener?.onClientGone('client-reset');
  }

  // ── the request's body ───────────────────────────────────────────────────────────────────────

  resumeBody(_form: BodyForm): void {
    if (this.#complete || this.#done) return;
    this.#deadlines.expectBody(this.#session.clock.now(), this.#timeouts);
    this.#body.resume();
  }

  pauseBody(): void {
    if (this.#complete) return;
    this.#deadlines.bodyNotExpected();
    this.#body.pause();
  }

  bodyRead(bytes: Uint8Array, loan?: Loan): void {
    this.#session.received(bytes.length);
    this.bytesIn += bytes.length;
    this.#deadlines.expectBody(this.record.lastActivityAt, this.#timeouts);
    this.#listener?.onRequestBody(bytes, loan);
  }

  bodyEnded(trailers: Trailers): void {
    this.#deadlines.bodyNotExpected();
    if (this.request.hasBody) this.#listener?.onRequestEnd(trailers);
  }

  #openWindow(bytes: number): void {
    if (!this.#clientEnded && !this.#over) this.#session.flow.frames.windowUpdate(this.id, bytes);
  }

  // ── the answer ───────────────────────────────────────────────────────────────────────────────

  inform(response: HttpResponse): void {
    this.#writer.inform(response);
  }

  respond(response: HttpResponse, changes: HeadChanges): void {
    if (this.#over) return;
    this.#answering = true;
    this.#session.answering(1);
    this.#writer.respond(response, changes);
  }

  answer(answer: LocalAnswer): number {
    this.#session.sent();
    this.#writer.answer(answer);
    const { bytes } = this.#writer;
    this.#exchangeOver();
    return bytes;
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
    this.#tunnel?.drained();
    this.#listener?.onClientDrain();
  }

  end(trailers: Trailers): void {
    this.#writer.end(trailers);
    this.#exchangeOver();
  }

  /** What is pending still has a reader, who must make progress. */
  #exchangeOver(): void {
    this.#done = true;
    this.#listener = null;
    this.#deadlines.bodyNotExpected();
    this.#deadlines.expectAnswer(never);
    if (!this.#writer.ended && !this.#deadlines.readerExpected) this.#expectReader();
    this.#settle();
  }

  answerOut(): void {
    this.#tunnel?.finished();
    this.#settle();
  }

  /**
   * Nothing is left to be sent: the stream is over, and the client need not go on with its request
   * (RFC 9113 §8.1). Not before the exchange has said that it is done.
   */
  #settle(): void {
    if (this.#done && this.#writer.ended) this.#reset(errorCodes.none);
  }

  // ── the tunnel ───────────────────────────────────────────────────────────────────────────────

  tunnel(): TunnelEnd {
    const { client, clientAddress } = this.record;
    const { clock } = this.#session;
    const place = { clock, peer: clientAddress, local: client.local };
    this.#tunnel = new TunnelTransport(this, this.#body, place);
    this.#deadlines.expectCrossing('inactivity', clock.now(), this.#timeouts.inactivityMs, 0);
    return { transport: this.#tunnel, firstBytes: noBytes };
  }

  /** A tunnel may stand still for as long as its route says. */
  send(bytes: Uint8Array, loan?: Loan): boolean {
    return this.#writer.write(bytes, loan);
  }

  sendEnd(): void {
    this.#writer.end(null);
  }

  cancel(): void {
    this.#reset(errorCodes.cancel);
  }

  /** The connection goes on: only half of a stream has ended, and the other half is not waited for without end. */
  tunnelSideEnded(): void {
    const { halfCloseMs } = this.#timeouts;
    const now = this.#session.clock.now();
    this.#deadlines.expectCrossing('half-close-timeout', now, halfCloseMs, this.#crossed);
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

  #end(code: number): void {
    this.#done = true;
    this.#listener = null;
    this.#reset(code);
  }

  /** A stream that both sides have ended is over without a word. */
  #reset(code: number): void {
    if (this.#over) return;
    const ended = this.#writer.ended && this.#clientEnded;
    if (!ended) this.#session.flow.frames.reset(this.id, code);
    this.#close(false);
  }

  /** @internal The session ends, by whatever cause: there is nothing to be said any more. */
  sessionEnded(reason: TerminationReason): void {
    const listener = this.#listener;
    this.#close(false);
    listener?.onClientGone(reason);
  }

  #close(cut: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#done = true;
    this.#listener = null;
    if (this.#answering) this.#session.answering(-1);
    this.#writer.stop();
    this.#session.received(this.#body.unread);
    this.#body.stop();
    this.#tunnel?.over();
    this.#session.streamOver(this.id, cut, this.#clientEnded ? 0 : this.#window.left);
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

  /** The client hears a reset, and the exchange why. */
  #leave(reason: TerminationReason): void {
    const listener = this.#listener;
    this.#end(errorCodes.cancel);
    listener?.onClientGone(reason);
  }
}

const noBytes = new Uint8Array(0);
const never = Number.POSITIVE_INFINITY;
