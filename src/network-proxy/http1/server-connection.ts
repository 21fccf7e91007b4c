import type { Clock } from '../../base/clock.ts';
import type { DeadlineQueue } from '../../base/deadline-queue.ts';
import { SmartProxyError } from '../../base/errors.ts';
import type { TerminationReason } from '../../base/termination.ts';
import type { Loan, Transport, TransportListener } from '../../base/transport.ts';
import type { Timeouts } from '../../config/resolved.ts';
import type { CleanupCause, ConnectionManager } from '../../connection/connection-manager.ts';
import type { ConnectionOwner, ConnectionRecord } from '../../connection/connection-record.ts';
import { reasonOfFailure } from '../../connection/ending-policy.ts';
import { errorPage } from '../error-pages.ts';
import type {
  BodyForm,
  ClientListener,
  ClientStream,
  HeadChanges,
  HttpResponse,
  LocalAnswer,
  OnRequest,
  Trailers,
  TunnelEnd,
} from '../exchange.ts';
import { AnswerWriter } from './answer-writer.ts';
import { BodyReader } from './body-reader.ts';
import type { BodyTaker } from './body-taker.ts';
import type { HeadLimits } from './head-limits.ts';
import { after, LazyDeadline } from './lazy-deadline.ts';
import { Http1Request } from './messages.ts';
import { ReadAhead } from './read-ahead.ts';
import type { Refusal } from './refusals.ts';
import { RequestParser } from './request-parser.ts';

export interface ServerServices {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly deadlines: DeadlineQueue;
}

export interface ServeOptions {
  /** The connection came over TLS: the requests' scheme is `https`. */
  readonly tls: boolean;
  readonly limits: HeadLimits;
  readonly onRequest: OnRequest;
  /** Who keeps the list of connections. */
  readonly ended: (connection: ServerConnection) => void;
}

/** Where a connection is between two requests, and within one. */
type Phase = 'idle' | 'head' | 'exchange' | 'tunnel' | 'over';

/**
 * One client's HTTP/1.1 connection: requests one after the other, each answered before the next is
 * read (RFC 9112 §9.3.2). What is read too early waits, within a bound. It is the client's stream
 * of the present exchange.
 */
export class ServerConnection implements TransportListener, ConnectionOwner, ClientStream, BodyTaker {
  readonly record: ConnectionRecord;
  readonly request: Http1Request;
  readonly #services: ServerServices;
  readonly #transport: Transport;
  readonly #options: ServeOptions;
  readonly #parser: RequestParser;
  readonly #body: BodyReader;
  readonly #writer: AnswerWriter;
  readonly #deadline: LazyDeadline;
  readonly #waiting = new ReadAhead();
  #timeouts: Timeouts;
  #phase: Phase = 'idle';
  #listener: ClientListener | null = null;
  #requestDone = false;
  #bodyPaused = true;
  /** `#consume` is at work: what comes next is seen by its loop. */
  #consuming = false;
  #clientEnded = false;
  #requests = 0;
  #bytesAtStart = 0;
  /** When the present wait for a head, for more of a body, for a reader, or for a client that ended is over. */
  #headDueAt = Number.POSITIVE_INFINITY;
  #bodyDueAt = Number.POSITIVE_INFINITY;
  #writeDueAt = Number.POSITIVE_INFINITY;
  #graceDueAt = Number.POSITIVE_INFINITY;
  #writtenBefore = 0;
  #draining = false;

  constructor(
    services: ServerServices,
    record: ConnectionRecord,
    transport: Transport,
    options: ServeOptions,
  ) {
    this.#services = services;
    this.record = record;
    this.#transport = transport;
    this.#options = options;
    this.#timeouts = record.timeouts;
    this.request = new Http1Request(options.tls);
    this.#parser = new RequestParser(options.limits);
    this.#body = new BodyReader(options.limits);
    this.#writer = new AnswerWriter(transport);
    this.#deadline = new LazyDeadline(services.deadlines, (now) => this.#due(now));
  }

  /** Takes the transport over. `firstBytes` were read of it already, and stay the caller's. */
  start(firstBytes: Uint8Array): void {
    this.#waitForHead(this.#timeouts.requestHeadMs);
    this.#transport.setListener(this);
    if (this.record.clientEnded) this.#clientEnded = true;
    else this.#transport.resume();
    this.#waiting.append(firstBytes);
    this.#consumeWaiting();
    if (this.#clientEnded && this.#phase === 'exchange') this.#peerEnded();
  }

  /** No request is under way, and none has begun. */
  get idle(): boolean {
    return this.#phase === 'idle';
  }

  get bytesIn(): number {
    return this.#transport.bytesRead - this.#waiting.length - this.#bytesAtStart;
  }

  get bytesOut(): number {
    return this.#writer.bytes;
  }

  get takesChunks(): boolean {
    return this.#writer.isCurrent;
  }

  get bodyAtHand(): boolean {
    return !this.#requestDone && (this.#consuming ? this.#more : this.#waiting.length > 0);
  }

  get pendingBytes(): number {
    return this.#transport.pendingBytes;
  }

  /** The last answer says that the connection ends; an idle connection ends at once. */
  drain(): void {
    this.#draining = true;
    if (this.idle) this.#end({ reason: 'shutdown' });
    else this.#writer.closes = true;
  }

  // ── what is read ─────────────────────────────────────────────────────────────────────────────

  /** Whether bytes are left behind the one that is looked at. */
  #more = false;

  onData(bytes: Uint8Array, loan?: Loan): void {
    this.record.lastActivityAt = this.#services.clock.now();
    if (this.#waiting.length === 0) {
      const used = this.#consume(asBuffer(bytes), loan);
      if (used < bytes.length) this.#keepForLater(bytes.subarray(used));
    } else {
      this.#keepForLater(bytes);
      this.#consumeWaiting();
    }
  }

  #consumeWaiting(): void {
    if (this.#consuming) return;
    if (this.#waiting.length > 0) {
      const used = this.#consume(this.#waiting.view(), undefined);
      if (used > 0) this.#waiting.used(used);
    }
    // Nothing that is complete is left, and nothing more will come.
    if (this.#clientEnded && (this.#phase === 'idle' || this.#phase === 'head')) {
      this.#end({ reason: 'client-closed' });
    }
  }

  /** Goes through bytes as far as they can be used now, and returns how many that were. */
  #consume(bytes: Buffer, loan: Loan | undefined): number {
    const end = bytes.length;
    let at = 0;
    this.#consuming = true;
    while (at < end) {
      const next = this.#step(bytes, at, end, loan);
      if (next === at) break;
      at = next;
    }
    this.#consuming = false;
    this.#more = false;
    return at;
  }

  /** Returns the position after what was used; `at` where nothing can be used now. */
  #step(bytes: Buffer, at: number, end: number, loan: Loan | undefined): number {
    if (this.#phase === 'idle' || this.#phase === 'head') return this.#readHead(bytes, at, end);
    if (this.#phase === 'over') return end;
    if (this.#requestDone || this.#bodyPaused || this.#phase === 'tunnel') return at;
    return this.#readBody(bytes, at, end, loan);
  }

  #keepForLater(rest: Uint8Array): void {
    if (this.#phase === 'over') return;
    this.#waiting.append(rest);
    const full = this.#waiting.length >= this.#options.limits.headerBytes;
    if (this.#phase === 'exchange' && (full || !this.#requestDone)) this.#transport.pause();
  }

  #readHead(bytes: Buffer, at: number, end: number): number {
    const head = this.#parser.parse(bytes, at, end);
    if (head === null) {
      if (this.#phase === 'idle' && this.#parser.inHead) this.#headBegins();
      return at;
    }
    if (head.kind === 'invalid') {
      this.#refuse(head);
      return end;
    }
    this.#more = at + head.length < end;
    this.#bytesAtStart = this.#transport.bytesRead - (end - at);
    this.request.begin(head);
    this.#writer.start(head);
    if (this.#draining) this.#writer.closes = true;
    this.#body.start(head.framing);
    this.#beginExchange();
    return at + head.length;
  }

  #headBegins(): void {
    this.#phase = 'head';
    this.#waitForHead(this.#timeouts.requestHeadMs);
  }

  #beginExchange(): void {
    this.#phase = 'exchange';
    this.#headDueAt = Number.POSITIVE_INFINITY;
    this.#requestDone = this.#body.ended;
    this.#bodyPaused = true;
    if (++this.#requests === 1) this.#established();
    const listener = this.#options.onRequest(this);
    if (this.#phase !== 'exchange' || this.#writer.done) return;
    this.#listener = listener;
    if (this.#requestDone) listener.onRequestEnd(null);
  }

  /** In clear text there is no handshake: the first request shows that somebody speaks HTTP. */
  #established(): void {
    const { record } = this;
    if (record.state === 'handed-over') this.#services.manager.transition(record, 'established');
    if (this.#clientEnded && record.state === 'established')
      this.#services.manager.transition(record, 'half-closed');
  }

  #readBody(bytes: Buffer, at: number, end: number, loan: Loan | undefined): number {
    this.#bodyDueAt = after(this.record.lastActivityAt, this.#timeouts.requestBodyMs);
    const used = this.#body.read(bytes, at, end, this, loan);
    if (this.#body.refused !== null) {
      this.#bodyFailed(400, this.#body.refused);
      return end;
    }
    if (this.#body.ended && this.#phase === 'exchange') this.#bodyEnded();
    return used;
  }

  /** @internal Bytes of the request's body. */
  onBody(bytes: Uint8Array, loan?: Loan): void {
    this.#listener?.onRequestBody(bytes, loan);
  }

  #bodyEnded(): void {
    this.#requestDone = true;
    this.#bodyDueAt = Number.POSITIVE_INFINITY;
    this.#transport.resume();
    this.#listener?.onRequestEnd(this.#body.trailers);
  }

  #bodyFailed(status: 400 | 408 | 413, code: string): void {
    this.#writer.closes = true;
    this.#bodyPaused = true;
    this.#bodyDueAt = Number.POSITIVE_INFINITY;
    this.#listener?.onRequestFailed(status, code);
  }

  // ── the exchange's calls ─────────────────────────────────────────────────────────────────────

  useTimeouts(timeouts: Timeouts): void {
    this.#timeouts = timeouts;
  }

  resumeBody(form: BodyForm): void {
    if (this.#requestDone || this.#phase !== 'exchange') return;
    this.#body.useForm(form);
    this.#bodyPaused = false;
    this.#bodyDueAt = after(this.#services.clock.now(), this.#timeouts.requestBodyMs);
    this.#deadline.ask(this.#bodyDueAt);
    this.#transport.resume();
    this.#consumeWaiting();
  }

  pauseBody(): void {
    if (this.#requestDone) return;
    this.#bodyPaused = true;
    this.#bodyDueAt = Number.POSITIVE_INFINITY;
    this.#transport.pause();
  }

  inform(response: HttpResponse): void {
    this.#writer.inform(response);
  }

  respond(response: HttpResponse, changes: HeadChanges, form: BodyForm, more: boolean): void {
    if (!this.#requestDone) this.#writer.closes = true;
    this.record.joined = true;
    this.#writer.respond(response, changes, form, more);
  }

  answer(answer: LocalAnswer): number {
    if (!this.#requestDone) this.#writer.closes = true;
    this.#writer.answer(answer, this.#services.clock.wallTime());
    const { bytes } = this.#writer;
    this.#exchangeOver();
    return bytes;
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    const now = this.#services.clock.now();
    this.record.lastActivityAt = now;
    if (this.#clientEnded) this.#startGrace(now);
    const goOn = this.#writer.write(bytes, loan);
    if (!goOn) this.#watchReader(now);
    return goOn;
  }

  end(trailers: Trailers): void {
    this.#writer.end(trailers);
    this.#exchangeOver();
  }

  abort(reason: TerminationReason, error?: Error): void {
    this.#listener = null;
    this.#end({ reason, ...(error === undefined ? {} : { error }), effect: 'reset' });
  }

  #exchangeOver(): void {
    this.#listener = null;
    this.record.joined = false;
    if (this.#writer.closes || !this.#requestDone) return this.#endAnswered();
    this.#phase = 'idle';
    this.#waitForHead(this.#timeouts.keepAliveMs);
    if (this.#consuming) return;
    this.#transport.resume();
    this.#consumeWaiting();
  }

  #endAnswered(): void {
    this.#end({ reason: this.#draining ? 'shutdown' : this.#clientEnded ? 'client-closed' : 'responded' });
  }

  tunnel(): TunnelEnd {
    this.#phase = 'tunnel';
    this.#deadline.stop();
    return { transport: this.#transport, firstBytes: this.#waiting.take() };
  }

  tunnelSideEnded(side: 'client' | 'target'): void {
    this.#services.manager.sideEnded(this.record, side);
  }

  close(reason: TerminationReason, error?: Error): void {
    this.#listener = null;
    this.#end({ reason, ...(error === undefined ? {} : { error }) });
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  onEnd(): void {
    this.#clientEnded = true;
    this.#services.manager.sideEnded(this.record, 'client');
    this.#peerEnded();
  }

  /** FIN is half a close where everything that was asked for is there; else nobody waits any more. */
  #peerEnded(): void {
    if (this.#phase !== 'exchange') return this.#end({ reason: 'client-closed' });
    if (!this.#requestDone) return this.#end({ reason: 'client-closed', effect: 'reset' });
    if (!this.#writer.begun && this.#waiting.length === 0) this.#writer.closes = true;
    this.#startGrace(this.#services.clock.now());
  }

  /**
   * Whoever sent FIN may still read, or be gone: silence for as long as a clean-up takes means that
   * it is gone (H7).
   */
  #startGrace(now: number): void {
    this.#graceDueAt = after(now, this.#timeouts.cleanupGraceMs);
    this.#deadline.ask(this.#graceDueAt);
  }

  onDrain(): void {
    this.#writeDueAt = Number.POSITIVE_INFINITY;
    this.#listener?.onClientDrain();
  }

  onFinish(): void {}

  onError(error: Error): void {
    this.#end({ reason: reasonOfFailure('client', error), error });
  }

  onClose(): void {
    this.#end({ reason: reasonOfFailure('client', undefined) });
  }

  /** The record ends, by whatever cause. */
  stop(): void {
    if (this.#phase === 'over') return;
    const wasTunnel = this.#phase === 'tunnel';
    this.#phase = 'over';
    this.#deadline.stop();
    this.#waiting.clear();
    if (!wasTunnel) this.#transport.setListener(null);
    const listener = this.#listener;
    this.#listener = null;
    this.#options.ended(this);
    listener?.onClientGone(this.record.termination?.reason ?? 'internal-error');
  }

  /** A page where nothing was said yet, then the end: after such a head nobody knows where the next begins. */
  #refuse({ status, code, why }: Refusal): void {
    this.#writer.start(null);
    const id = this.requestId;
    this.#writer.answer(errorPage(status, id), this.#services.clock.wallTime());
    const error = new SmartProxyError(code, why, { source: 'client' });
    this.#end({ reason: 'invalid-request', error });
  }

  /** Of the present request, or of the next one where none is under way. */
  get requestId(): string {
    const number = this.#phase === 'exchange' ? this.#requests : this.#requests + 1;
    return `${this.record.id}-${number}`;
  }

  #end(cause: CleanupCause): void {
    if (cause.effect !== 'reset' && this.#transport !== this.record.client) this.#transport.end();
    this.#services.manager.initiateCleanupOnce(this.record, cause);
  }

  // ── deadlines ────────────────────────────────────────────────────────────────────────────────

  #waitForHead(milliseconds: number): void {
    this.#headDueAt = after(this.#services.clock.now(), milliseconds);
    this.#deadline.ask(this.#headDueAt);
  }

  #due(now: number): void {
    if (this.#headDueAt <= now) return this.#headIsLate();
    if (this.#graceDueAt <= now) return this.#end({ reason: 'client-closed', effect: 'reset' });
    if (this.#writeDueAt <= now) {
      if (this.#transport.bytesWritten === this.#writtenBefore) {
        return this.#end({ reason: 'stalled-write', effect: 'reset' });
      }
      this.#watchReader(now);
    }
    if (this.#bodyDueAt <= now) this.#bodyFailed(408, 'request-timeout');
    this.#deadline.ask(Math.min(this.#headDueAt, this.#bodyDueAt, this.#writeDueAt, this.#graceDueAt));
  }

  /** The reader is slow: it must take something before the deadline, and the next, … */
  #watchReader(now: number): void {
    this.#writtenBefore = this.#transport.bytesWritten;
    this.#writeDueAt = after(now, this.#timeouts.responseWriteMs);
    this.#deadline.ask(this.#writeDueAt);
  }

  /** 408 only to somebody who has begun to ask: an idle connection would take it for its next answer. */
  #headIsLate(): void {
    if (this.#phase === 'idle') {
      return this.#end({ reason: this.#requests === 0 ? 'request-timeout' : 'keep-alive-timeout' });
    }
    this.#writer.start(null);
    this.#writer.answer(errorPage(408, this.requestId), this.#services.clock.wallTime());
    this.#end({ reason: 'request-timeout' });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
