import type { Deadline } from '../../base/deadline-queue.ts';
import type { Transport } from '../../base/transport.ts';
import type { BackendFailureCode, BackendPool, StreamWaiter, Waiting } from '../exchange.ts';
import { BackendConnection, type BackendKeeper } from '../http1/backend-connection.ts';
import type { HeadLimits } from '../http1/head-limits.ts';
import { after, LazyDeadline } from '../http1/lazy-deadline.ts';
import { type BackendSpec, nameOf } from './backend-spec.ts';
import { Connecting, type ConnectServices } from './connecting.ts';

export interface PoolSettings {
  /** An unused connection is closed after this. 0: never. */
  readonly idleMs: number;
  /** Connections at once, those being opened included. */
  readonly maxConnections: number;
  /** Requests that wait for a connection; one more is refused. */
  readonly maxWaiting: number;
  readonly limits: HeadLimits;
}

export interface PoolStatistics {
  target: string;
  idle: number;
  busy: number;
  opened: number;
  reused: number;
}

/**
 * HTTP/1 connections to one backend, one exchange at a time on each. What was used last is used
 * first, so that the number of connections follows the load down.
 */
export class Http1Pool implements BackendPool, BackendKeeper {
  readonly #services: ConnectServices;
  readonly #spec: BackendSpec;
  readonly #settings: PoolSettings;
  /** The longest idle first. */
  readonly #idle: BackendConnection[] = [];
  #busy = 0;
  readonly #opening = new Set<Opening>();
  readonly #queue = new Set<Queued>();
  readonly #idleDeadline: LazyDeadline;
  #opened = 0;
  #reused = 0;
  closed = false;

  constructor(services: ConnectServices, spec: BackendSpec, settings: PoolSettings) {
    this.#services = services;
    this.#spec = spec;
    this.#settings = settings;
    this.#idleDeadline = new LazyDeadline(services.deadlines, (now) => this.#retireIdle(now));
  }

  get statistics(): PoolStatistics {
    return {
      target: nameOf(this.#spec.endpoint),
      idle: this.#idle.length,
      busy: this.#busy,
      opened: this.#opened,
      reused: this.#reused,
    };
  }

  /** Nobody uses it, and it holds nothing. */
  get empty(): boolean {
    return this.#size === 0 && this.#queue.size === 0;
  }

  get #size(): number {
    return this.#idle.length + this.#busy + this.#opening.size;
  }

  acquire(waiter: StreamWaiter, fresh: boolean, deadlineMs: number): Waiting | null {
    if (!fresh && this.#giveIdle(waiter)) return null;
    if (fresh && this.#size >= this.#settings.maxConnections) this.#idle[0]?.retire();
    if (this.#size < this.#settings.maxConnections) return this.#open(waiter, deadlineMs);
    if (this.#queue.size >= this.#settings.maxWaiting) {
      waiter.onBackendFailed(failure('pool-overloaded', new Error('too many requests wait for the backend')));
      return null;
    }
    return new Queued(this, waiter, deadlineMs);
  }

  #giveIdle(waiter: StreamWaiter): boolean {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.usable) {
        connection.retire();
        continue;
      }
      this.#reused++;
      this.#hand(connection, waiter, 0);
      return true;
    }
    return false;
  }

  #hand(connection: BackendConnection, waiter: StreamWaiter, openedMs: number): void {
    this.#busy++;
    connection.busy = true;
    connection.attach(waiter);
    waiter.onStream(connection, openedMs);
  }

  #open(waiter: StreamWaiter, deadlineMs: number): Waiting {
    const opening = new Opening(this, waiter);
    this.#opening.add(opening);
    opening.start(this.#services, this.#spec, deadlineMs);
    return opening;
  }

  /** @internal */
  openingDone(opening: Opening, transport: Transport, tookMs: number): void {
    this.#opening.delete(opening);
    this.adopt(transport, opening.waiter, tookMs);
  }

  /** Takes over an open connection, for the one who waits for it. */
  adopt(transport: Transport, waiter: StreamWaiter, openedMs: number): void {
    this.#opened++;
    const connection = new BackendConnection(transport, this, this.#settings.limits, this.#services.clock);
    this.#hand(connection, waiter, openedMs);
  }

  /** @internal Failed, or given up. */
  openingOver(opening: Opening): void {
    this.#opening.delete(opening);
    this.#serveQueue();
  }

  becameIdle(connection: BackendConnection): void {
    this.#busy--;
    connection.busy = false;
    if (this.closed) return connection.retire();
    const next = this.#takeQueued();
    if (next !== null) {
      this.#reused++;
      return this.#hand(connection, next.waiter, 0);
    }
    connection.idleSince = connection.heardAt;
    this.#idle.push(connection);
    if (this.#idle.length === 1) this.#idleDeadline.ask(after(connection.idleSince, this.#settings.idleMs));
  }

  becameUseless(connection: BackendConnection): void {
    if (connection.busy) this.#busy--;
    else {
      const place = this.#idle.indexOf(connection);
      if (place >= 0) this.#idle.splice(place, 1);
    }
    this.#serveQueue();
  }

  /** There is room again for one more connection. */
  #serveQueue(): void {
    if (this.closed || this.#queue.size === 0 || this.#size >= this.#settings.maxConnections) return;
    const next = this.#takeQueued();
    if (next !== null)
      next.continueAs(this.#open(next.waiter, next.deadlineLeft(this.#services.clock.now())));
  }

  #takeQueued(): Queued | null {
    const [first] = this.#queue;
    if (first === undefined) return null;
    first.leave();
    return first;
  }

  /** @internal */
  get queue(): Set<Queued> {
    return this.#queue;
  }

  /** @internal */
  get services(): ConnectServices {
    return this.#services;
  }

  #retireIdle(now: number): void {
    const { idleMs } = this.#settings;
    while (this.#idle.length > 0 && this.#idle[0]!.idleSince + idleMs <= now) this.#idle[0]!.retire();
    if (this.#idle.length > 0) this.#idleDeadline.ask(this.#idle[0]!.idleSince + idleMs);
  }

  /** Closes what is idle, now and later; exchanges that are under way go on. */
  close(): void {
    this.closed = true;
    this.#idleDeadline.stop();
    for (const connection of [...this.#idle]) connection.retire();
  }
}

/** Waits for a connection of its own. */
class Opening implements Waiting {
  readonly waiter: StreamWaiter;
  readonly #pool: Http1Pool;
  #connecting: Connecting | null = null;

  constructor(pool: Http1Pool, waiter: StreamWaiter) {
    this.#pool = pool;
    this.waiter = waiter;
  }

  start(services: ConnectServices, spec: BackendSpec, deadlineMs: number): void {
    const handlers = {
      onConnected: (transport: Transport, _protocol: string | null, tookMs: number) =>
        this.#pool.openingDone(this, transport, tookMs),
      onFailed: (code: BackendFailureCode, error: Error) => this.#failed(code, error),
    };
    this.#connecting = new Connecting(services, spec, handlers, deadlineMs);
  }

  cancel(): void {
    this.#connecting?.cancel();
    this.#pool.openingOver(this);
  }

  #failed(code: BackendFailureCode, error: Error): void {
    this.#pool.openingOver(this);
    this.waiter.onBackendFailed(failure(code, error));
  }
}

/** Waits until another exchange is over, or another connection closed. */
class Queued implements Waiting, Deadline {
  dueAt = 0;
  position = -1;
  readonly waiter: StreamWaiter;
  readonly #pool: Http1Pool;
  readonly #dueAt: number;
  #successor: Waiting | null = null;

  constructor(pool: Http1Pool, waiter: StreamWaiter, deadlineMs: number) {
    this.#pool = pool;
    this.waiter = waiter;
    this.#dueAt = after(pool.services.clock.now(), deadlineMs);
    pool.queue.add(this);
    pool.services.deadlines.schedule(this, this.#dueAt);
  }

  deadlineLeft(now: number): number {
    return this.#dueAt === Number.POSITIVE_INFINITY ? 0 : Math.max(1, this.#dueAt - now);
  }

  /** It waits for a connection of its own from now on. */
  continueAs(waiting: Waiting): void {
    this.#successor = waiting;
  }

  leave(): void {
    this.#pool.queue.delete(this);
    this.#pool.services.deadlines.remove(this);
  }

  cancel(): void {
    this.leave();
    this.#successor?.cancel();
  }

  expire(): void {
    this.leave();
    this.waiter.onBackendFailed(failure('pool-overloaded', new Error('no connection became free in time')));
  }
}

function failure(code: BackendFailureCode, error: Error) {
  return { code, error, answered: false, unprocessed: true } as const;
}
