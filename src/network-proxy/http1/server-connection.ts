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
  OnRefused,
  OnRequest,
  Trailers,
  TunnelEnd,
} from '../exchange.ts';
import { AnswerWriter } from './answer-writer.ts';
import type { RequestHead } from './head.ts';
import type { HeadLimits } from './head-limits.ts';
import { Http1Request } from './messages.ts';
import type { Refusal } from './refusals.ts';
import { RequestReader, type RequestTaker } from './request-reader.ts';
import { type LatenessObserver, ServerDeadlines } from './server-deadlines.ts';

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
  readonly onRefused: OnRefused;
  /** Who keeps the list of connections. */
  readonly ended: (connection: ServerConnection) => void;
}

const never = Number.POSITIVE_INFINITY;

/** `waiting`: for a request; `exchange`: until its answer and the request itself are complete. */
type Phase = 'waiting' | 'exchange' | 'tunnel' | 'over';

/**
 * One client's HTTP/1.1 connection: requests one after the other, each answered before the next is
 * looked at (RFC 9112 §9.3.2). It is the client's stream of the present exchange.
 */
export class ServerConnection
  implements TransportListener, ConnectionOwner, ClientStream, RequestTaker, LatenessObserver
{
  readonly record: ConnectionRecord;
  readonly request: Http1Request;
  readonly #services: ServerServices;
  readonly #transport: Transport;
  readonly #options: ServeOptions;
  readonly #reader: RequestReader;
  readonly #writer: AnswerWriter;
  readonly #deadlines: ServerDeadlines;
  #timeouts: Timeouts;
  #phase: Phase = 'waiting';
  #listener: ClientListener | null = null;
  #clientEnded = false;
  #requests = 0;
  #draining = false;
  /** Why the connection ends with the present answer, where that says so. */
  #ending: CleanupCause | null = null;

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
    this.#reader = new RequestReader(transport, options.limits, this);
    this.#writer = new AnswerWriter(transport);
    this.#deadlines = new ServerDeadlines(services.deadlines, transport, this);
  }

  /** Takes the transport over. `firstBytes` were read of it already, and stay the caller's. */
  start(firstBytes: Uint8Array): void {
    this.#deadlines.expectHead(this.#active(), this.#timeouts.requestHeadMs);
    this.#transport.setListener(this);
    this.#clientEnded = this.record.clientEnded;
    if (!this.#clientEnded) this.#transport.resume();
    this.#reader.prepend(firstBytes);
    this.#goOn();
  }

  /** The last answer says that the connection ends; an idle connection ends at once. */
  drain(): void {
    this.#draining = true;
    if (this.#phase === 'waiting' && this.#reader.idle) this.#end({ reason: 'shutdown' });
    else this.#writer.closes = true;
  }

  /** Who hears of the request that is under way. */
  get exchange(): ClientListener | null {
    return this.#listener;
  }

  // ── what is read ─────────────────────────────────────────────────────────────────────────────

  onData(bytes: Uint8Array, loan?: Loan): void {
    this.#active();
    this.#reader.read(bytes, loan);
  }

  /** Whoever takes a request or its body counts from here: also what was read long before it was looked at. */
  #active(): number {
    const now = this.#services.clock.now();
    this.record.lastActivityAt = now;
    return now;
  }

  #goOn(): void {
    this.#reader.goOn();
    if (this.#clientEnded) this.#settleEnd();
  }

  headBegan(): void {
    this.#deadlines.expectHead(this.record.lastActivityAt, this.#timeouts.requestHeadMs);
  }

  headRead(head: RequestHead): void {
    this.#phase = 'exchange';
    this.#deadlines.headCame();
    this.request.begin(head);
    this.#writer.start(head);
    if (this.#draining) this.#writer.closes = true;
    if (++this.#requests === 1) this.#established();
    const listener = this.#options.onRequest(this);
    if (this.#phase !== 'exchange') return;
    this.#listener = listener;
    if (this.#reader.complete) listener.onRequestEnd(null);
  }

  /** In clear text there is no handshake: the first request shows that somebody speaks HTTP. */
  #established(): void {
    const { record } = this;
    const { manager } = this.#services;
    if (record.state === 'handed-over') manager.transition(record, 'established');
    if (this.#clientEnded && record.state === 'established') manager.transition(record, 'half-closed');
  }

  onBody(bytes: Uint8Array, loan?: Loan): void {
    this.#deadlines.expectBody(this.record.lastActivityAt, this.#timeouts.requestBodyMs);
    this.#listener?.onRequestBody(bytes, loan);
  }

  bodyRead(trailers: Trailers): void {
    this.#deadlines.bodyNotExpected();
    this.#transport.resume();
    this.#listener?.onRequestEnd(trailers);
  }

  bodyRefused(code: string): void {
    this.#bodyFailed(400, code);
  }

  #bodyFailed(status: 400 | 408 | 413, code: string): void {
    this.#writer.closes = true;
    this.#deadlines.bodyNotExpected();
    this.#listener?.onRequestFailed(status, code);
  }

  /** A page, then the end: after such a head nobody knows where the next one begins. */
  headRefused({ status, code, why }: Refusal): void {
    this.#answerBeforeRequest(status);
    this.#end({ reason: 'invalid-request', error: new SmartProxyError(code, why, { source: 'client' }) });
  }

  #answerBeforeRequest(status: number): void {
    this.#writer.start(null, this.#reader.asksHead);
    const page = errorPage(status, `${this.record.id}-${this.#requests + 1}`);
    this.#writer.answer(page, this.#services.clock.wallTime());
    this.#options.onRefused(status);
  }

  // ── what an exchange asks and does ───────────────────────────────────────────────────────────

  get bytesIn(): number {
    return this.#reader.bytes;
  }

  get bytesOut(): number {
    return this.#writer.bytes;
  }

  get takesChunks(): boolean {
    return this.#writer.isCurrent;
  }

  get pendingBytes(): number {
    return this.#transport.pendingBytes;
  }

  useTimeouts(timeouts: Timeouts): void {
    this.#timeouts = timeouts;
    const { record } = this;
    if (record.timeouts !== timeouts) this.#services.manager.useTimeouts(record, timeouts);
  }

  expectAnswer(dueAt: number): void {
    if (this.#phase === 'exchange') this.#deadlines.expectAnswer(dueAt);
  }

  resumeBody(form: BodyForm): void {
    if (this.#reader.complete || this.#phase !== 'exchange') return;
    this.#deadlines.expectBody(this.#active(), this.#timeouts.requestBodyMs);
    this.#reader.resumeBody(form);
    this.#transport.resume();
    this.#goOn();
  }

  pauseBody(): void {
    if (this.#reader.complete) return;
    this.#deadlines.bodyNotExpected();
    this.#reader.pauseBody();
    this.#transport.pause();
  }

  inform(response: HttpResponse): void {
    this.#writer.inform(response);
  }

  respond(response: HttpResponse, changes: HeadChanges, form: BodyForm): void {
    if (!this.#reader.complete) this.#writer.closes = true;
    this.record.joined = true;
    this.#writer.respond(response, changes, form);
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    const now = this.record.lastActivityAt;
    if (this.#clientEnded) this.#deadlines.expectSilence(now, this.#timeouts.cleanupGraceMs);
    const goesOn = this.#writer.write(bytes, loan);
    if (!goesOn) this.#deadlines.expectReading(now, this.#timeouts.responseWriteMs);
    return goesOn;
  }

  answer(answer: LocalAnswer): number {
    this.#active();
    if (!this.#reader.complete) this.#writer.closes = true;
    this.#writer.answer(answer, this.#services.clock.wallTime());
    if (answer.ending !== undefined) this.#ending = causeOf(answer.ending);
    const { bytes } = this.#writer;
    this.#exchangeOver();
    return bytes;
  }

  end(trailers: Trailers): void {
    this.#writer.end(trailers);
    this.#exchangeOver();
  }

  /** The next request is looked at once its answer could be written: one that nobody reads grows no queue. */
  #exchangeOver(): void {
    this.#listener = null;
    this.#deadlines.expectAnswer(never);
    this.record.joined = false;
    if (this.#writer.closes || !this.#reader.complete) return this.#endAnswered();
    this.#phase = 'waiting';
    if (this.#writer.full) {
      this.#deadlines.expectReading(this.record.lastActivityAt, this.#timeouts.responseWriteMs);
    } else this.#next(this.record.lastActivityAt);
  }

  #next(now: number): void {
    this.#deadlines.expectHead(now, this.#timeouts.keepAliveMs);
    this.#reader.next();
    this.#transport.resume();
    this.#goOn();
  }

  #endAnswered(): void {
    const reason = this.#draining ? 'shutdown' : this.#clientEnded ? 'client-closed' : 'responded';
    this.#end(this.#ending ?? { reason });
  }

  tunnel(backend: Transport): TunnelEnd {
    this.#phase = 'tunnel';
    this.#deadlines.stop();
    this.record.target = backend;
    return { transport: this.#transport, firstBytes: this.#reader.take() };
  }

  tunnelSideEnded(side: 'client' | 'target'): void {
    this.#services.manager.sideEnded(this.record, side);
  }

  abort(reason: TerminationReason, error?: Error): void {
    this.#listener = null;
    this.#end({ reason, ...(error === undefined ? {} : { error }), effect: 'reset' });
  }

  close(reason: TerminationReason, error?: Error): void {
    this.#listener = null;
    this.#end({ reason, ...(error === undefined ? {} : { error }) });
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  onEnd(): void {
    this.#clientEnded = true;
    this.#services.manager.sideEnded(this.record, 'client');
    this.#settleEnd();
  }

  /**
   * FIN is half a close as long as something is there that was asked for completely. Whoever sent
   * it may still read, or be gone: silence for as long as a clean-up takes means that it is gone (H7).
   */
  #settleEnd(): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'exchange' && !this.#reader.complete) {
      if (this.#reader.empty) this.#end({ reason: 'client-closed', effect: 'reset' });
    } else if (this.#phase === 'exchange' || this.#writer.full) {
      if (this.#reader.empty) this.#writer.closes = true;
      this.#deadlines.expectSilence(this.#services.clock.now(), this.#timeouts.cleanupGraceMs);
    } else if (this.#phase === 'waiting') this.#end({ reason: 'client-closed' });
  }

  onDrain(): void {
    this.#writer.drained();
    this.#deadlines.allTaken();
    if (this.#phase === 'waiting' && this.#reader.held) this.#next(this.#active());
    else this.#listener?.onClientDrain();
  }

  onFinish(): void {}

  onError(error: Error): void {
    this.#end({ reason: reasonOfFailure('client', error), error });
  }

  onClose(): void {
    this.#end({ reason: reasonOfFailure('client', undefined) });
  }

  /** 408 only to somebody who has begun to ask: an idle connection would take it for its next answer. */
  headIsLate(): void {
    const silent = this.#reader.idle;
    if (silent && this.#requests > 0) return this.#end({ reason: 'keep-alive-timeout' });
    if (!silent) this.#answerBeforeRequest(408);
    this.#end({ reason: 'request-timeout' });
  }

  bodyIsLate(): void {
    this.#bodyFailed(408, 'request-timeout');
  }

  answerIsLate(now: number): void {
    this.#listener?.onAnswerLate(now);
  }

  readerStands(): void {
    this.#end({ reason: 'stalled-write', effect: 'reset' });
  }

  clientIsGone(): void {
    this.#end({ reason: 'client-closed', effect: 'reset' });
  }

  /** The record ends, by whatever cause. */
  stop(): void {
    if (this.#phase === 'over') return;
    const wasTunnel = this.#phase === 'tunnel';
    this.#phase = 'over';
    this.#deadlines.stop();
    if (!wasTunnel) this.#transport.setListener(null);
    const listener = this.#listener;
    this.#listener = null;
    this.#options.ended(this);
    listener?.onClientGone(this.record.termination?.reason ?? 'internal-error');
    // Only now: the listener may ask how much of the request was used.
    this.#reader.stop();
  }

  #end(cause: CleanupCause): void {
    if (cause.effect !== 'reset' && this.#transport !== this.record.client) this.#transport.end();
    this.#services.manager.initiateCleanupOnce(this.record, cause);
  }
}

function causeOf({ reason, error }: NonNullable<LocalAnswer['ending']>): CleanupCause {
  return error === null ? { reason } : { reason, error };
}
