import type { Clock } from '../../base/clock.ts';
import type { DeadlineQueue } from '../../base/deadline-queue.ts';
import { SmartProxyError } from '../../base/errors.ts';
import type { TerminationReason } from '../../base/termination.ts';
import type { Loan, Transport, TransportListener } from '../../base/transport.ts';
import type { CleanupCause, ConnectionManager } from '../../connection/connection-manager.ts';
import type { ConnectionOwner, ConnectionRecord } from '../../connection/connection-record.ts';
import { reasonOfFailure } from '../../connection/ending-policy.ts';
import { ownMemory } from '../../transport/portable-transport.ts';
import type { ClientListener, ClientStream, OnRefused, OnRequest } from '../exchange.ts';
import type { HeadLimits } from '../http1/head-limits.ts';
import { after, LazyDeadline } from '../http1/lazy-deadline.ts';
import { FloodWatch } from './flood-watch.ts';
import { FrameWriter } from './frame-writer.ts';
import { firstTableBytes, firstWindowBytes } from './frames.ts';
import { areTrailersSound, isRequestSound } from './head-rules.ts';
import {
  clientHeadLimits,
  clientSettings,
  connectionWindowBytes,
  errorCodes,
  maxStreamsPerClient,
  streamWindowBytes,
} from './limits.ts';
import { PeerFrames, type PeerListener } from './peer-frames.ts';
import { ReceiveWindow } from './receive-window.ts';
import { Http2Request, refusalOf, trailersOf } from './request.ts';
import { SendFlow } from './send-flow.ts';
import type { ServerSessionPort } from './server-session-port.ts';
import { ServerStream } from './server-stream.ts';

export interface Http2Services {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly deadlines: DeadlineQueue;
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

/** Beside its fields a request has frames, tables and pseudo-fields: what it may cost on the wire. */
const requestBytes = 512;

/**
 * One client's HTTP/2 connection: any number of requests at once, each a stream. HTTP/2 has no
 * half-close: a client that sends FIN is gone (F6).
 */
export class ServerSession implements ConnectionOwner, TransportListener, PeerListener, ServerSessionPort {
  readonly record: ConnectionRecord;
  readonly clock: Clock;
  readonly flow: SendFlow;
  readonly #services: Http2Services;
  readonly #options: SessionOptions;
  readonly #transport: Transport;
  readonly #frames: FrameWriter;
  readonly #peer: PeerFrames;
  readonly #streams = new Map<number, ServerStream>();
  readonly #deadline: LazyDeadline;
  readonly #floods: FloodWatch;
  readonly #window: ReceiveWindow;
  /** The last stream that the client has opened, and the last that was taken on; what GOAWAY tells. */
  #lastStream = 0;
  #lastTaken = 0;
  #requests = 0;
  /** When the wait for a request is over. */
  #idleDueAt = Number.POSITIVE_INFINITY;
  #answering = 0;
  /** Why the session ends as soon as no stream is left. */
  #leaving: TerminationReason | null = null;
  /** No stream is taken on any more: GOAWAY was sent. */
  #refusing = false;
  /** What GOAWAY says at the end. */
  #endCode: number = errorCodes.none;
  #clientLeft = false;
  #over = false;

  /** Takes the transport over. */
  constructor(
    services: Http2Services,
    record: ConnectionRecord,
    transport: Transport,
    options: SessionOptions,
  ) {
    const { clock, deadlines } = services;
    this.record = record;
    this.clock = clock;
    this.#services = services;
    this.#options = options;
    this.#transport = transport;
    this.#frames = new FrameWriter(transport);
    this.flow = new SendFlow(this.#frames);
    this.#peer = new PeerFrames(this, clientHeadLimits(options.limits.headerBytes));
    this.#floods = new FloodWatch(clock, transport);
    this.#window = new ReceiveWindow(connectionWindowBytes, (bytes) => this.#frames.windowUpdate(0, bytes));
    this.#deadline = new LazyDeadline(deadlines, (now) => this.#due(now));
  }

  /** `firstBytes` were read already, and stay the caller's. */
  start(firstBytes: Uint8Array): void {
    this.#waitForRequest(this.record.timeouts.requestHeadMs);
    this.#transport.setListener(this);
    this.#frames.settings(clientSettings(clientHeadLimits(this.#options.limits.headerBytes)));
    this.#frames.windowUpdate(0, connectionWindowBytes - firstWindowBytes);
    if (firstBytes.length > 0) this.#peer.read(firstBytes, undefined);
    if (this.#over) return;
    if (this.record.clientEnded) return this.onEnd();
    this.#transport.resume();
  }

  requestIdOf(streamId: number): string {
    return `${this.record.id}-s${streamId}`;
  }

  onData(bytes: Uint8Array, loan?: Loan): void {
    // Memory that is lent can be taken once, and pieces for several backends may be in one read.
    this.#peer.read(bytes, loan === ownMemory ? loan : undefined);
  }

  // ── streams ──────────────────────────────────────────────────────────────────────────────────

  onHead(id: number, raw: readonly string[] | null, ended: boolean): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) return this.#trailers(stream, raw, ended);
    // Of a stream that was over before the client could know.
    if (id <= this.#lastStream) return this.onIdleFrame();
    if (id % 2 === 0) return this.#broke(errorCodes.protocol, "a stream has a number that is not a client's");
    this.#lastStream = id;
    if (this.#refusing || this.#streams.size >= maxStreamsPerClient)
      return this.#refuse(id, errorCodes.refused, ended);
    if (raw === null) return this.#refuse(id, errorCodes.calmDown, ended);
    if (!isRequestSound(raw)) return this.#refuse(id, errorCodes.protocol, ended);
    this.#begin(id, raw, ended);
  }

  #begin(id: number, raw: readonly string[], ended: boolean): void {
    this.#lastTaken = id;
    const request = new Http2Request(raw, {
      scheme: this.#options.tls ? 'https' : 'http',
      ended,
      webSocketKey: this.#webSocketKey,
    });
    this.received(requestBytes + request.headBytes);
    this.#idleDueAt = Number.POSITIVE_INFINITY;
    if (++this.#requests === 1) this.#established();
    const stream = new ServerStream(this, id, request, ended);
    this.#streams.set(id, stream);
    const refusal = refusalOf(request, this.#options.limits);
    if (refusal === null) stream.begin();
    else stream.refuse(refusal);
  }

  #trailers(stream: ServerStream, raw: readonly string[] | null, ended: boolean): void {
    const sound = raw !== null && ended && areTrailersSound(raw);
    const error = sound ? stream.trailersCame(trailersOf(raw)) : errorCodes.protocol;
    if (error !== null) stream.cut(error, false);
  }

  /** Nobody hears of a stream that is refused. It counts as one that was given up. */
  #refuse(id: number, code: number, ended: boolean): void {
    this.#frames.reset(id, code);
    // As of a stream that is over: what comes before the client knows.
    if (!ended) this.#floods.mayCome(streamWindowBytes);
    if (!this.#floods.streamGivenUp()) this.#abused('too many streams were refused');
  }

  onBody(id: number, bytes: Buffer, loan: Loan | undefined, frameBytes: number, ended: boolean): void {
    if (!this.#window.use(frameBytes))
      return this.#broke(errorCodes.flowControl, 'more came than was allowed');
    // A stream that waits does not stop the others.
    this.#window.take(frameBytes);
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#floods.late(frameBytes);
      return this.#forNobody(id);
    }
    const error = stream.dataCame(bytes, loan, frameBytes, ended);
    if (error !== null) stream.cut(error, false);
  }

  /** A frame for a stream that is over already, or was never begun. */
  #forNobody(id: number): void {
    if (id > this.#lastStream || id % 2 === 0) {
      this.#broke(errorCodes.protocol, 'a frame is for a stream that was never begun');
    }
  }

  onReset(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#forNobody(id);
    else stream.cut(code, true);
  }

  onStreamError(id: number, code: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#forNobody(id);
    else stream.cut(code, false);
  }

  onWindow(id: number, bytes: number): void {
    if (id === 0) {
      if (!this.flow.opened(bytes)) this.#broke(errorCodes.flowControl, 'a window is too large');
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#forNobody(id);
    if (stream.windowOpened(bytes)) this.flow.pump();
    else stream.cut(errorCodes.flowControl, false);
  }

  onInitialWindow(bytes: number): void {
    const change = bytes - this.flow.initialWindow;
    this.flow.initialWindow = bytes;
    for (const stream of this.#streams.values()) {
      if (!stream.windowOpened(change)) return this.#broke(errorCodes.flowControl, 'a window is too large');
    }
    this.flow.pump();
  }

  onTableSize(bytes: number): void {
    if (bytes < firstTableBytes) this.#frames.giveUpTable();
  }

  onSettings(): void {
    this.#frames.settingsTaken();
  }

  onPing(payload: Buffer): void {
    this.#frames.pong(payload);
  }

  onGoaway(code: number): void {
    this.#leave(code === errorCodes.none ? 'client-closed' : 'client-reset');
  }

  /** In clear text there is no handshake: the first request shows that somebody speaks HTTP. */
  #established(): void {
    const { record } = this;
    if (record.state === 'handed-over') this.#services.manager.transition(record, 'established');
  }

  readonly #webSocketKey = (): string => {
    const { clock } = this;
    return Buffer.from(Array.from({ length: 16 }, () => Math.floor(clock.random() * 256))).toString('base64');
  };

  *exchanges(): Iterable<ClientListener> {
    for (const { exchange } of this.#streams.values()) if (exchange !== null) yield exchange;
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
    this.#floods.useful(bytes);
    this.record.lastActivityAt = this.clock.now();
  }

  /** @internal Bytes of an answer were written. */
  sent(): void {
    this.record.lastActivityAt = this.clock.now();
  }

  /** @internal An answer has begun, or is over: what would be cut by an ending. */
  answering(change: 1 | -1): void {
    this.#answering += change;
    this.record.joined = this.#answering > 0;
  }

  streamOver(id: number, cut: boolean, mayCome: number): void {
    this.#streams.delete(id);
    if (this.#over) return;
    this.#floods.mayCome(mayCome);
    if (cut && !this.#floods.streamGivenUp()) return this.#abused('too many streams were given up');
    if (this.#streams.size > 0) return;
    if (this.#leaving !== null) this.#end({ reason: this.#leaving });
    else this.#waitForRequest(this.record.timeouts.keepAliveMs);
  }

  // ── floods (F1) ──────────────────────────────────────────────────────────────────────────────

  onIdleFrame(): void {
    if (!this.#floods.idleFrame()) this.#abused('too many frames that carry nothing');
  }

  onFlood(why: string): void {
    this.#abused(why);
  }

  /** Looks what is late, and how many bytes came that nothing has counted. Called about once a second. */
  inspect(): void {
    const now = this.clock.now();
    let unread = 0;
    for (const stream of [...this.#streams.values()]) {
      stream.inspect(now);
      unread += stream.unread;
    }
    if (this.#over) return;
    if (this.#floods.stalls(this.#frames.full, now, this.record.timeouts.responseWriteMs)) {
      this.#end({ reason: 'stalled-write', effect: 'reset' });
    } else if (!this.#floods.look(unread)) this.#abused('too many bytes that carry nothing');
  }

  #abused(why: string): void {
    this.#endCode = errorCodes.calmDown;
    const error = new SmartProxyError('http2-flood', why, { source: 'client' });
    this.#end({ reason: 'protocol-abuse', error, effect: 'finish' });
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  /** No new request; the session ends with the last one that is under way. */
  drain(): void {
    this.#leave('shutdown');
    if (!this.#over) this.#goaway();
  }

  #goaway(): void {
    this.#refusing = true;
    this.#frames.goaway(this.#lastTaken, this.#endCode);
  }

  #leave(reason: TerminationReason): void {
    this.#leaving ??= reason;
    if (this.#streams.size === 0) this.#end({ reason: this.#leaving });
  }

  #waitForRequest(milliseconds: number): void {
    this.#idleDueAt = after(this.clock.now(), milliseconds);
    this.#deadline.ask(this.#idleDueAt);
  }

  #due(now: number): void {
    if (this.#idleDueAt > now) return this.#deadline.ask(this.#idleDueAt);
    this.#end({ reason: this.#requests === 0 ? 'request-timeout' : 'keep-alive-timeout' });
  }

  onEnd(): void {
    this.#clientLeft = true;
    this.#services.manager.sideEnded(this.record, 'client');
    this.#end({ reason: this.#leaving ?? 'client-closed' });
  }

  onDrain(): void {
    this.flow.drained();
  }

  onFinish(): void {}

  onBroken(code: number, why: string): void {
    this.#broke(code, why);
  }

  /** A rule of the connection was broken, of which a client is told (RFC 9113 §5.4.1). */
  #broke(code: number, why: string): void {
    this.#endCode = code;
    const error = new SmartProxyError('http2-broken', why, { source: 'client' });
    this.#end({ reason: 'invalid-request', error });
  }

  onError(error: Error): void {
    this.#clientLeft = true;
    this.#end({ reason: reasonOfFailure('client', error), error });
  }

  onClose(): void {
    this.#clientLeft = true;
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
    this.#peer.stop();
    const reason = this.record.termination?.reason ?? 'internal-error';
    for (const stream of [...this.#streams.values()]) stream.sessionEnded(reason);
    if (!this.#clientLeft && (!this.#refusing || this.#endCode !== errorCodes.none)) this.#goaway();
    this.#transport.setListener(null);
    this.#options.ended(this);
  }
}
