import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { DeadlineQueue } from '../../base/deadline-queue.ts';
import { errorCode } from '../../base/errors.ts';
import type { PeerAddress } from '../../base/transport.ts';
import { reasonOfFailure } from '../../connection/ending-policy.ts';
import type { TransportResources } from '../../transport/socket-transport.ts';
import type { SocketBackedTransport } from '../../transport/transport-factory.ts';
import type { BackendFailure, BackendFailureCode, StreamWaiter } from '../exchange.ts';
import { after, LazyDeadline } from '../http1/lazy-deadline.ts';
import { Http2BackendStream } from './backend-stream.ts';
import { FloodBudget } from './flood-budget.ts';
import { backendSessionOptions, connectionWindowBytes, errorCodes, maxStreamsPerBackend } from './limits.ts';

/** Who holds a backend's sessions. */
export interface SessionKeeper {
  /** Its SETTINGS have come: it can be used. */
  becameReady(session: BackendSession): void;
  /** A stream is over: there is room for another. */
  hasRoom(session: BackendSession): void;
  /** Once: it takes no more requests. Those that are under way may still go on. */
  becameUseless(session: BackendSession): void;
  /** Once, after that: its descriptor is gone. */
  gone(session: BackendSession): void;
}

export interface SessionServices {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly resources: TransportResources;
}

export interface SessionTerms {
  readonly scheme: 'http' | 'https';
  /** Of an answer's head. */
  readonly headerBytes: number;
  /** 0: an unused session is kept for ever. */
  readonly idleMs: number;
}

/** How often clients may give up before the session is left, so that the backend need not end it for all (F4). */
const gaveUpTerms = { burst: 100, perSecond: 10 };
/** A session that was heard of so lately is not about to be closed for idleness. */
const aliveMs = 1000;
/** Requests that hear nothing for so long: is somebody there? */
const quietMs = 15_000;
/** How long the answer to that may take. */
const pingAnswerMs = 10_000;
/** gRPC's servers allow a PING without data in five minutes, and end sessions that send more. */
const pingAgainMs = 330_000;
/** How long a backend may take to say that it speaks HTTP/2, whoever still waits for it. */
const settingsMs = 15_000;
/** What a session gets to close once it has said so. */
const closeGraceMs = 2000;

/** One HTTP/2 connection to a backend, which carries many requests at once. */
export class BackendSession {
  readonly scheme: 'http' | 'https';
  readonly resources: TransportResources;
  readonly peer: PeerAddress;
  readonly local: PeerAddress;
  /** Requests that are under way. */
  active = 0;
  /** Requests that there were. */
  total = 0;
  readonly #services: SessionServices;
  readonly #keeper: SessionKeeper;
  readonly #terms: SessionTerms;
  readonly #transport: SocketBackedTransport;
  readonly #session: ClientHttp2Session;
  readonly #deadline: LazyDeadline;
  readonly #gaveUp: FloodBudget;
  #maxStreams = 0;
  #ready = false;
  /** No more requests. */
  #useless = false;
  #gone = false;
  /** Streams after this one were not begun, as the backend's GOAWAY says. */
  #lastProcessed = Number.POSITIVE_INFINITY;
  #error: Error | null = null;
  #sawEnd = false;
  heardAt: number;
  #idleSince: number;
  #pingedAt = Number.NEGATIVE_INFINITY;
  #pinging = false;
  #closeBy = Number.POSITIVE_INFINITY;
  upgrades = false;

  /** Takes over an open transport. */
  constructor(
    services: SessionServices,
    transport: SocketBackedTransport,
    terms: SessionTerms,
    keeper: SessionKeeper,
  ) {
    const { clock } = services;
    this.scheme = terms.scheme;
    this.resources = services.resources;
    this.peer = transport.peer;
    this.local = transport.local;
    this.#services = services;
    this.#keeper = keeper;
    this.#terms = terms;
    this.#transport = transport;
    this.heardAt = clock.now();
    this.#idleSince = this.heardAt;
    this.#gaveUp = new FloodBudget(clock, gaveUpTerms);
    this.#deadline = new LazyDeadline(services.deadlines, (now) => this.#look(now));
    const socket = transport.handOver<Duplex>(noBytes);
    socket.allowHalfOpen = false;
    this.#session = http2.connect(`${terms.scheme}://backend`, {
      ...backendSessionOptions(terms.headerBytes),
      createConnection: () => socket,
    });
    this.#listen(socket);
  }

  #listen(socket: Duplex): void {
    const session = this.#session;
    session.setLocalWindowSize(connectionWindowBytes);
    session.on('remoteSettings', (settings) => this.#settled(settings));
    session.on('goaway', (_code, lastStream) => this.#saidGoodbye(lastStream));
    session.on('error', (error: Error) => {
      this.#error ??= error;
      this.#leave();
    });
    session.on('close', () => this.#closed());
    socket.on('end', () => {
      this.#sawEnd = true;
      this.#leave();
    });
    socket.resume();
    this.#wait();
  }

  #settled({ maxConcurrentStreams, enableConnectProtocol }: http2.Settings): void {
    this.#maxStreams = Math.min(maxConcurrentStreams ?? maxStreamsPerBackend, maxStreamsPerBackend);
    this.upgrades = enableConnectProtocol === true;
    this.heard();
    if (this.#useless) return;
    if (this.#ready) return this.#keeper.hasRoom(this);
    this.#ready = true;
    this.#wait();
    this.#keeper.becameReady(this);
  }

  /** How many more requests it can take. */
  get room(): number {
    return this.#ready && !this.#useless && !this.#session.closed ? this.#maxStreams - this.active : 0;
  }

  /** How many it takes at once. */
  get maxStreams(): number {
    return this.#maxStreams;
  }

  /** It was heard of just now: what needs a connection that is surely open may use it. */
  isAlive(now: number): boolean {
    return now - this.heardAt < aliveMs;
  }

  /** Begins another request. */
  hand(waiter: StreamWaiter, openedMs: number): void {
    const reused = this.total > 0;
    this.active++;
    this.total++;
    this.#wait();
    waiter.onStream(new Http2BackendStream(this, waiter, reused), openedMs);
  }

  /** @internal For the streams. */
  request(fields: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    return this.#session.request(fields, options);
  }

  /** @internal */
  later(action: () => void): void {
    this.#services.clock.setImmediate(action);
  }

  /** @internal Something came from the backend. */
  heard(): void {
    this.heardAt = this.#services.clock.now();
  }

  /** @internal A client did not want its answer any more. */
  gaveUp(): void {
    if (!this.#gaveUp.charge(1)) this.retire();
  }

  /** @internal */
  streamOver(): void {
    this.active--;
    if (this.active === 0) this.#idleSince = this.#services.clock.now();
    if (this.#useless) return this.#closeSoon();
    this.#wait();
    this.#keeper.hasRoom(this);
  }

  /** @internal Why a stream ended before its answer was complete. */
  failureOf(id: number | undefined, code: number, answered: boolean): BackendFailure {
    const refused = code === errorCodes.refused || id === undefined || id > this.#lastProcessed;
    const error = this.#error ?? new Error(`the backend ended the stream with code ${code}`);
    return { code: this.#failureCode(), error, answered, unprocessed: refused && !answered };
  }

  #failureCode(): BackendFailureCode {
    if (this.#error !== null) {
      if (errorCode(this.#error) === 'ERR_HTTP2_ERROR') return 'invalid-response';
      const reason = reasonOfFailure('target', this.#error);
      return reason === 'target-timed-out' ? reason : 'target-reset';
    }
    return this.#sawEnd ? 'target-closed' : 'target-reset';
  }

  /** Why it cannot be used, before it ever could. */
  get openingFailure(): { code: BackendFailureCode; error: Error } {
    const error = this.#error ?? new Error('the backend closed the connection before it spoke HTTP/2');
    return { code: this.#failureCode(), error };
  }

  // ── endings ──────────────────────────────────────────────────────────────────────────────────

  #saidGoodbye(lastStream: number): void {
    this.#lastProcessed = Math.min(this.#lastProcessed, lastStream);
    this.#leave();
  }

  /** Takes no more requests, and closes after those that are under way. Idempotent. */
  retire(): void {
    this.#leave();
    this.#session.close();
  }

  /** Closes it at once, where no request is under way: nobody will look after it any more. */
  shut(): void {
    this.retire();
    // GOAWAY and FIN go out first.
    this.later(() => this.#transport.destroy());
  }

  /** Ends it by a reset, with everything on it. */
  destroy(): void {
    this.#leave();
    this.#transport.reset();
  }

  #leave(): void {
    if (this.#useless) return;
    this.#useless = true;
    this.#closeSoon();
    this.#keeper.becameUseless(this);
  }

  /** Nothing is left to wait for but the backend's FIN. */
  #closeSoon(): void {
    if (this.active > 0 || this.#gone) return;
    this.#closeBy = this.#services.clock.now() + closeGraceMs;
    this.#wait();
  }

  #closed(): void {
    this.#leave();
    if (this.#gone) return;
    this.#gone = true;
    this.#deadline.stop();
    this.#keeper.gone(this);
  }

  // ── deadlines ────────────────────────────────────────────────────────────────────────────────

  #wait(): void {
    if (!this.#gone) this.#deadline.ask(this.#dueAt());
  }

  #dueAt(): number {
    if (this.active > 0) return this.#pinging ? this.#pingedAt + pingAnswerMs : this.#pingDueAt();
    if (this.#useless) return this.#closeBy;
    if (!this.#ready) return this.#idleSince + settingsMs;
    return after(this.#idleSince, this.#terms.idleMs);
  }

  #pingDueAt(): number {
    return Math.max(this.heardAt + quietMs, this.#pingedAt + pingAgainMs);
  }

  #look(now: number): void {
    if (this.#dueAt() <= now) this.#due(now);
    this.#wait();
  }

  #due(now: number): void {
    if (this.active === 0) {
      if (!this.#useless) return this.retire();
      this.#closeBy = Number.POSITIVE_INFINITY;
      this.#transport.destroy();
    } else if (this.#pinging) {
      this.#error ??= Object.assign(new Error('the backend did not answer a PING'), { code: 'ETIMEDOUT' });
      this.destroy();
    } else this.#ping(now);
  }

  #ping(now: number): void {
    this.#pingedAt = now;
    this.#pinging = true;
    const sent = this.#session.ping((error) => {
      this.#pinging = false;
      if (error === null) this.heard();
    });
    if (!sent) this.#pinging = false;
  }
}

const noBytes = new Uint8Array(0);
