import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { DeadlineQueue } from '../../base/deadline-queue.ts';
import { errorCode, SmartProxyError } from '../../base/errors.ts';
import type { TerminationReason } from '../../base/termination.ts';
import type { CleanupCause, ConnectionManager } from '../../connection/connection-manager.ts';
import type { ConnectionOwner, ConnectionRecord } from '../../connection/connection-record.ts';
import { reasonOfFailure } from '../../connection/ending-policy.ts';
import type { TransportResources } from '../../transport/socket-transport.ts';
import type { ClientListener, ClientStream, OnRefused, OnRequest } from '../exchange.ts';
import type { HeadLimits } from '../http1/head-limits.ts';
import { after, LazyDeadline } from '../http1/lazy-deadline.ts';
import type { HandedOverTransport } from '../tls-transport.ts';
import { controlTerms, FloodBudget, overheadTerms, resetTerms } from './flood-budget.ts';
import { clientSessionOptions, connectionWindowBytes, endStreamFlag, errorCodes } from './limits.ts';
import { Http2Request, refusalOf } from './request.ts';
import { ServerStream } from './server-stream.ts';
import { isAbuse } from './session-errors.ts';
import { SessionTransport } from './session-transport.ts';

export interface Http2Services {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly deadlines: DeadlineQueue;
  readonly resources: TransportResources;
}

export interface SessionOptions {
  /** The connection came over TLS: the requests' scheme is `https`. */
  readonly tls: boolean;
  readonly limits: HeadLimits;
  readonly onRequest: OnRequest;
  readonly onRefused: OnRefused;
  /** Who keeps the list of sessions. */
  readonly ended: (session: ServerSession) => void;
}

/** So much within a second, and an error: it was about the amount. */
const floodBytes = 32_768;

/** A TLSSocket counts what is inside of it. */
type CountingSocket = Duplex & { readonly bytesRead: number; readonly bytesWritten: number };

/** Beside its fields a request has frames, tables and pseudo-fields: what it may cost on the wire. */
const requestBytes = 512;

/**
 * One client's HTTP/2 connection: any number of requests at once, each a stream. HTTP/2 has no
 * half-close: a client that sends FIN is gone (F6).
 */
export class ServerSession implements ConnectionOwner {
  readonly record: ConnectionRecord;
  readonly #services: Http2Services;
  readonly #options: SessionOptions;
  readonly #session: ServerHttp2Session;
  readonly #transport: SessionTransport;
  readonly #socket: CountingSocket;
  readonly #streams = new Set<ServerStream>();
  readonly #deadline: LazyDeadline;
  readonly #resets: FloodBudget;
  readonly #control: FloodBudget;
  readonly #overhead: FloodBudget;
  #requests = 0;
  /** When the wait for a request is over. */
  #idleDueAt = Number.POSITIVE_INFINITY;
  #answering = 0;
  /** Why the session ends as soon as no stream is left. */
  #leaving: TerminationReason | null = null;
  #over = false;
  /** Bytes of heads and bodies since the last look. */
  #useful = 0;
  #readBefore = 0;
  #writtenBefore = 0;
  #unreadBefore = 0;

  /** Takes the socket over, which was taken from `record.client` already. */
  constructor(services: Http2Services, record: ConnectionRecord, socket: Duplex, options: SessionOptions) {
    const { clock, deadlines } = services;
    this.record = record;
    this.#services = services;
    this.#options = options;
    this.#socket = socket as CountingSocket;
    this.#resets = new FloodBudget(clock, resetTerms);
    this.#control = new FloodBudget(clock, controlTerms);
    this.#overhead = new FloodBudget(clock, overheadTerms);
    this.#deadline = new LazyDeadline(deadlines, (now) => this.#due(now));
    socket.allowHalfOpen = false;
    this.#session = http2.performServerHandshake(socket, clientSessionOptions(options.limits.headerBytes));
    const client = record.client as HandedOverTransport;
    this.#transport = new SessionTransport(this.#session, socket, client.below);
    client.opened(this.#transport);
  }

  start(): void {
    const session = this.#session;
    session.setLocalWindowSize(connectionWindowBytes);
    session.on('stream', (stream, _headers, flags, raw?: string[]) => this.#begin(stream, flags, raw ?? []));
    session.on('goaway', (code) => this.#leave(code === errorCodes.none ? 'client-closed' : 'client-reset'));
    session.on('ping', this.#controlFrame);
    session.on('remoteSettings', this.#controlFrame);
    session.on('priority', this.#controlFrame);
    session.on('error', (error: Error) => this.#failed(error));
    session.on('close', () => this.#closed());
    this.#socket.on('end', () => this.#clientEnded());
    this.#transport.setListener({
      ...silent,
      onError: (error) => this.#failed(error),
      onClose: () => this.#closed(),
    });
    this.#waitForRequest(this.record.timeouts.requestHeadMs);
    // First bytes that were put back are the session's already: nothing is read past it.
    this.#socket.resume();
  }

  get resources(): TransportResources {
    return this.#services.resources;
  }

  now(): number {
    return this.#services.clock.now();
  }

  requestIdOf(streamId: number): string {
    return `${this.record.id}-s${streamId}`;
  }

  // ── streams ──────────────────────────────────────────────────────────────────────────────────

  #begin(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    if (this.#over) return stream.close(errorCodes.refused);
    const request = new Http2Request(raw, {
      scheme: this.#options.tls ? 'https' : 'http',
      ended: (flags & endStreamFlag) !== 0,
      webSocketKey: () => this.#webSocketKey(),
    });
    this.received(requestBytes + request.headBytes);
    this.#idleDueAt = Number.POSITIVE_INFINITY;
    if (++this.#requests === 1) this.#established();
    const inner = new ServerStream(this, stream, request);
    this.#streams.add(inner);
    const refusal = refusalOf(request, this.#options.limits);
    if (refusal === null) inner.begin();
    else inner.refuse(refusal);
  }

  /** In clear text there is no handshake: the first request shows that somebody speaks HTTP. */
  #established(): void {
    const { record } = this;
    if (record.state === 'handed-over') this.#services.manager.transition(record, 'established');
  }

  #webSocketKey(): string {
    const { clock } = this.#services;
    return Buffer.from(Array.from({ length: 16 }, () => Math.floor(clock.random() * 256))).toString('base64');
  }

  *exchanges(): Iterable<ClientListener> {
    for (const { exchange } of this.#streams) if (exchange !== null) yield exchange;
  }

  /** @internal No stream of it is quiet for too long by the terms of its route: neither is the session. */
  allowQuiet(inactivityMs: number): void {
    const { record } = this;
    const { timeouts } = record;
    if (timeouts.inactivityMs === 0 || (inactivityMs !== 0 && inactivityMs <= timeouts.inactivityMs)) return;
    this.#services.manager.useTimeouts(record, { ...timeouts, inactivityMs });
  }

  onRequest(stream: ClientStream): ClientListener {
    return this.#options.onRequest(stream);
  }

  onRefused(status: number): void {
    this.#options.onRefused(status);
  }

  /** @internal Bytes that were worth reading. */
  received(bytes: number): void {
    this.#useful += bytes;
    this.record.lastActivityAt = this.now();
  }

  /** @internal Bytes of an answer were written. */
  sent(): void {
    this.record.lastActivityAt = this.now();
  }

  /** @internal An answer has begun, or is over: what would be cut by an ending. */
  answering(change: 1 | -1): void {
    this.#answering += change;
    this.record.joined = this.#answering > 0;
  }

  /** @internal `cut`: by the client, or because it broke a rule. */
  streamOver(stream: ServerStream, cut: boolean): void {
    this.#streams.delete(stream);
    if (this.#over) return;
    if (cut && !this.#resets.charge(1)) return this.#abused('too many streams were given up');
    if (this.#streams.size > 0) return;
    if (this.#leaving !== null) this.#end({ reason: this.#leaving });
    else this.#waitForRequest(this.record.timeouts.keepAliveMs);
  }

  // ── floods (F1) ──────────────────────────────────────────────────────────────────────────────

  readonly #controlFrame = (): void => {
    if (!this.#control.charge(1)) this.#abused('too many frames that carry nothing');
  };

  /** Looks what is late, and how many bytes came that nothing has counted. Called about once a second. */
  inspect(): void {
    const now = this.now();
    for (const stream of this.#streams) stream.inspect(now);
    if (this.#over) return;
    const overhead = this.#overheadNow;
    this.#readBefore = this.#socket.bytesRead;
    this.#writtenBefore = this.#socket.bytesWritten;
    this.#useful = 0;
    this.#unreadBefore = this.#unread;
    if (!this.#overhead.charge(Math.max(0, overhead))) this.#abused('too many bytes that carry nothing');
  }

  /** Since the last look. */
  get #overheadNow(): number {
    const { bytesRead, bytesWritten } = this.#socket;
    const called = bytesWritten - this.#writtenBefore;
    const unread = this.#unread - this.#unreadBefore;
    return bytesRead - this.#readBefore - 2 * this.#useful - called - unread;
  }

  get #unread(): number {
    let bytes = 0;
    for (const stream of this.#streams) bytes += stream.unread;
    return bytes;
  }

  #abused(why: string): void {
    this.#transport.endsWith(errorCodes.calmDown);
    const error = new SmartProxyError('http2-flood', why, { source: 'client' });
    this.#end({ reason: 'protocol-abuse', error, effect: 'finish' });
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  /** No new request; the session ends with the last one that is under way. */
  drain(): void {
    this.#leave('shutdown');
    if (!this.#over) this.#session.close();
  }

  #leave(reason: TerminationReason): void {
    this.#leaving ??= reason;
    if (this.#streams.size === 0) this.#end({ reason: this.#leaving });
  }

  #waitForRequest(milliseconds: number): void {
    this.#idleDueAt = after(this.now(), milliseconds);
    this.#deadline.ask(this.#idleDueAt);
  }

  #due(now: number): void {
    if (this.#idleDueAt > now) return this.#deadline.ask(this.#idleDueAt);
    this.#end({ reason: this.#requests === 0 ? 'request-timeout' : 'keep-alive-timeout' });
  }

  #clientEnded(): void {
    if (this.#over) return;
    this.#services.manager.sideEnded(this.record, 'client');
    this.#end({ reason: this.#leaving ?? 'client-closed' });
  }

  #failed(error: Error): void {
    // nghttp2 also ends sessions for frames of which it tells nobody, and calls that a broken rule.
    const flooded = isAbuse(error) || this.#overheadNow > floodBytes;
    if (flooded) return this.#end({ reason: 'protocol-abuse', error, effect: 'finish' });
    const code = errorCode(error);
    if (code === 'ERR_HTTP2_SESSION_ERROR') return this.#end({ reason: 'client-reset', error });
    const broken = code?.startsWith('ERR_HTTP2') === true;
    this.#end({ reason: broken ? 'invalid-request' : reasonOfFailure('client', error), error });
  }

  #closed(): void {
    this.#end({ reason: this.#leaving ?? 'client-reset' });
  }

  #end(cause: CleanupCause): void {
    this.#services.manager.initiateCleanupOnce(this.record, cause);
  }

  /** The record ends, by whatever cause. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline.stop();
    const reason = this.record.termination?.reason ?? 'internal-error';
    for (const stream of [...this.#streams]) stream.sessionEnded(reason);
    this.#streams.clear();
    this.#options.ended(this);
  }
}

const silent = { onData() {}, onEnd() {}, onDrain() {}, onFinish() {} };
