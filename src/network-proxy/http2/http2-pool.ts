import type { Deadline } from '../../base/deadline-queue.ts';
import type { Transport } from '../../base/transport.ts';
import type { TransportResources } from '../../transport/socket-transport.ts';
import type { SocketBackedTransport } from '../../transport/transport-factory.ts';
import type { BackendFailureCode, StreamWaiter, Waiting } from '../exchange.ts';
import { after } from '../http1/lazy-deadline.ts';
import { type BackendSpec, nameOf } from '../pool/backend-spec.ts';
import { Connecting, type ConnectServices } from '../pool/connecting.ts';
import type { PoolSettings, PoolStatistics } from '../pool/http1-pool.ts';
import type { KeptPool } from '../pool/pools.ts';
import { BackendSession, type SessionKeeper } from './backend-session.ts';
import { RepeatableStream } from './repeatable-stream.ts';

export interface Http2PoolServices extends ConnectServices {
  readonly resources: TransportResources;
}

/** From so many requests on a session on, another one is opened beside it, as long as there are few. */
const crowdedStreams = 64;
const fewSessions = 8;

/**
 * HTTP/2 sessions to one backend. A request goes to the session that has the fewest, so that what
 * happens to one, or on one, concerns as few others as possible (F4).
 */
export class Http2Pool implements KeptPool, SessionKeeper {
  readonly #services: Http2PoolServices;
  readonly #spec: BackendSpec;
  readonly #settings: PoolSettings;
  /** Those that take requests. */
  readonly #sessions = new Set<BackendSession>();
  /** Those that do not any more, or not yet, and are not gone. */
  readonly #others = new Set<BackendSession>();
  readonly #dialling = new Set<Connecting>();
  /** Not ready: what their dial took. */
  readonly #openedMs = new Map<BackendSession, number>();
  readonly #queue = new Set<Queued>();
  #opened = 0;
  #reused = 0;
  closed = false;

  constructor(services: Http2PoolServices, spec: BackendSpec, settings: PoolSettings) {
    this.#services = services;
    this.#spec = spec;
    this.#settings = settings;
  }

  get statistics(): PoolStatistics {
    let idle = 0;
    for (const session of this.#sessions) if (session.active === 0) idle++;
    let leaving = 0;
    for (const session of this.#others) if (session.active > 0) leaving++;
    return {
      target: nameOf(this.#spec.endpoint),
      idle,
      busy: this.#sessions.size - idle + leaving,
      opened: this.#opened,
      reused: this.#reused,
    };
  }

  get empty(): boolean {
    return this.#size === 0 && this.#queue.size === 0;
  }

  get #size(): number {
    return this.#sessions.size + this.#others.size + this.#dialling.size;
  }

  get services(): Http2PoolServices {
    return this.#services;
  }

  acquire(waiter: StreamWaiter, fresh: boolean, deadlineMs: number): Waiting | null {
    const session = this.#roomiest(fresh);
    if (session !== null) {
      this.#hand(session, waiter, deadlineMs, 0);
      const crowded = session.active >= crowdedStreams && this.#coming === 0;
      if (crowded && this.#size < fewSessions) this.#open(deadlineMs);
      return null;
    }
    if (this.#queue.size >= this.#settings.maxWaiting) {
      waiter.onBackendFailed(failure('pool-overloaded', new Error('too many requests wait for the backend')));
      return null;
    }
    const queued = new Queued(this, waiter, deadlineMs);
    this.#queue.add(queued);
    this.#openForQueue(deadlineMs);
    return queued;
  }

  /** The one with the fewest requests that can take another; null where there is none. */
  #roomiest(fresh: boolean): BackendSession | null {
    const now = this.#services.clock.now();
    let best: BackendSession | null = null;
    for (const session of this.#sessions) {
      if (session.room <= 0 || (fresh && !session.isAlive(now))) continue;
      if (best === null || session.active < best.active) best = session;
    }
    return best;
  }

  #hand(session: BackendSession, waiter: StreamWaiter, deadlineMs: number, openedMs: number): void {
    if (session.total > 0) this.#reused++;
    const repeats = waiter instanceof RepeatableStream;
    session.hand(repeats ? waiter : new RepeatableStream(this, waiter, deadlineMs), openedMs);
  }

  /** Sessions that are being opened. */
  get #coming(): number {
    return this.#dialling.size + this.#openedMs.size;
  }

  // ── opening ──────────────────────────────────────────────────────────────────────────────────

  /** One dial at a time serves many: they wait for it together. */
  #openForQueue(deadlineMs: number): void {
    if (this.#coming * crowdedStreams >= this.#queue.size) return;
    if (this.#size < this.#settings.maxConnections) this.#open(deadlineMs);
  }

  #open(deadlineMs: number): void {
    let connecting: Connecting;
    const done = (): void => void this.#dialling.delete(connecting);
    const handlers = {
      onConnected: (transport: Transport, protocol: string | null, tookMs: number) => {
        done();
        if (this.#spec.tls !== null && protocol !== 'h2') return this.#speaksOtherwise(transport);
        this.adopt(transport, tookMs);
      },
      onFailed: (code: BackendFailureCode, error: Error) => {
        done();
        this.#openingFailed(code, error);
      },
    };
    connecting = new Connecting(this.#services, this.#spec, handlers, deadlineMs);
    this.#dialling.add(connecting);
  }

  #speaksOtherwise(transport: Transport): void {
    transport.destroy();
    this.#openingFailed('invalid-response', new Error('the backend did not choose HTTP/2'));
  }

  /** Takes over an open connection that speaks HTTP/2. */
  adopt(transport: Transport, tookMs: number): void {
    const { idleMs, limits } = this.#settings;
    const terms = {
      scheme: this.#spec.tls === null ? 'http' : 'https',
      headerBytes: limits.headerBytes,
      idleMs,
    } as const;
    const session = new BackendSession(this.#services, transport as SocketBackedTransport, terms, this);
    this.#others.add(session);
    this.#openedMs.set(session, tookMs);
  }

  becameReady(session: BackendSession): void {
    this.#others.delete(session);
    this.#sessions.add(session);
    this.#opened++;
    const openedMs = this.#openedMs.get(session) ?? 0;
    this.#openedMs.delete(session);
    this.#serveQueue(session, openedMs);
  }

  hasRoom(session: BackendSession): void {
    this.#serveQueue(session, 0);
  }

  #serveQueue(session: BackendSession, openedMs: number): void {
    for (const queued of this.#queue) {
      if (session.room <= 0 || (session.active >= crowdedStreams && this.#coming > 0)) break;
      queued.leave();
      this.#hand(session, queued.waiter, queued.deadlineMs, session.total === 0 ? openedMs : 0);
    }
    if (this.closed && session.active === 0) session.shut();
  }

  becameUseless(session: BackendSession): void {
    this.#sessions.delete(session);
    this.#others.add(session);
    if (this.#openedMs.delete(session)) {
      const { code, error } = session.openingFailure;
      this.#openingFailed(code, error);
    }
    if (this.#queue.size > 0) this.#openForQueue(0);
  }

  gone(session: BackendSession): void {
    this.#others.delete(session);
    if (this.#queue.size > 0) this.#openForQueue(0);
  }

  /** Whoever waits is told, unless there are sessions that will have room. */
  #openingFailed(code: BackendFailureCode, error: Error): void {
    if (this.#sessions.size > 0) return;
    for (const queued of [...this.#queue]) queued.fail(code, error);
  }

  // ── waiting ──────────────────────────────────────────────────────────────────────────────────

  /** @internal */
  left(queued: Queued): void {
    this.#queue.delete(queued);
  }

  /** @internal Nobody waits for what is being dialled any more. */
  gaveUp(): void {
    if (this.#queue.size > 0) return;
    for (const connecting of this.#dialling) connecting.cancel();
    this.#dialling.clear();
    for (const session of [...this.#openedMs.keys()]) session.destroy();
  }

  /** @internal */
  get lateCode(): BackendFailureCode {
    return this.#sessions.size === 0 ? 'connect-timeout' : 'pool-overloaded';
  }

  /** Closes what is idle, now and later; requests that are under way go on. */
  close(): void {
    this.closed = true;
    for (const session of [...this.#sessions, ...this.#others]) if (session.active === 0) session.shut();
  }
}

/** Waits for room on a session. */
class Queued implements Waiting, Deadline {
  dueAt = 0;
  position = -1;
  readonly waiter: StreamWaiter;
  readonly deadlineMs: number;
  readonly #pool: Http2Pool;

  constructor(pool: Http2Pool, waiter: StreamWaiter, deadlineMs: number) {
    this.#pool = pool;
    this.waiter = waiter;
    this.deadlineMs = deadlineMs;
    const { clock, deadlines } = pool.services;
    deadlines.schedule(this, after(clock.now(), deadlineMs));
  }

  leave(): void {
    this.#pool.left(this);
    this.#pool.services.deadlines.remove(this);
  }

  cancel(): void {
    this.leave();
    this.#pool.gaveUp();
  }

  fail(code: BackendFailureCode, error: Error): void {
    this.leave();
    this.waiter.onBackendFailed(failure(code, error));
  }

  expire(): void {
    const code = this.#pool.lateCode;
    this.fail(code, new Error('no session had room in time'));
    this.#pool.gaveUp();
  }
}

function failure(code: BackendFailureCode, error: Error) {
  return { code, error, answered: false, unprocessed: true } as const;
}
