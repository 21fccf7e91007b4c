import type { Transport } from '../../base/transport.ts';
import type { BackendFailureCode, StreamWaiter, Waiting } from '../exchange.ts';
import type { BackendSpec } from '../pool/backend-spec.ts';
import { Connecting } from '../pool/connecting.ts';
import { Http1Pool, type PoolSettings, type PoolStatistics } from '../pool/http1-pool.ts';
import type { KeptPool } from '../pool/pools.ts';
import { Http2Pool, type Http2PoolServices } from './http2-pool.ts';

/**
 * What is spoken is the backend's choice, by ALPN: the first connection tells, and it holds until
 * the last connection is gone. In clear text nobody can choose, and it is HTTP/1.1.
 */
export class AutoPool implements KeptPool {
  readonly #services: Http2PoolServices;
  readonly #spec: BackendSpec;
  readonly #http1: Http1Pool;
  readonly #http2: Http2Pool;
  readonly #asking = new Set<Asking>();
  #connecting: Connecting | null = null;
  /** What the backend chose; null: not known, or not any more. */
  #chosen: Http1Pool | Http2Pool | null = null;

  constructor(services: Http2PoolServices, spec: BackendSpec, settings: PoolSettings) {
    this.#services = services;
    this.#spec = spec;
    this.#http1 = new Http1Pool(services, { ...spec, protocol: 'http1' }, settings);
    this.#http2 = new Http2Pool(services, { ...spec, protocol: 'http2' }, settings);
    if (spec.tls === null) this.#chosen = this.#http1;
  }

  get closed(): boolean {
    return this.#http1.closed;
  }

  get empty(): boolean {
    return this.#asking.size === 0 && this.#http1.empty && this.#http2.empty;
  }

  get statistics(): PoolStatistics {
    const { target, idle, busy, opened, reused } = this.#http1.statistics;
    const other = this.#http2.statistics;
    return {
      target,
      idle: idle + other.idle,
      busy: busy + other.busy,
      opened: opened + other.opened,
      reused: reused + other.reused,
    };
  }

  acquire(waiter: StreamWaiter, fresh: boolean, deadlineMs: number): Waiting | null {
    const chosen = this.#chosen;
    if (chosen !== null && (this.#spec.tls === null || !chosen.empty)) {
      return chosen.acquire(waiter, fresh, deadlineMs);
    }
    this.#chosen = null;
    const asking = new Asking(this, waiter, deadlineMs);
    this.#asking.add(asking);
    this.#connecting ??= this.#ask(deadlineMs);
    return asking;
  }

  #ask(deadlineMs: number): Connecting {
    const handlers = {
      onConnected: (transport: Transport, protocol: string | null, tookMs: number) =>
        this.#answered(transport, protocol, tookMs),
      onFailed: (code: BackendFailureCode, error: Error) => this.#failed(code, error),
    };
    return new Connecting(this.#services, this.#spec, handlers, deadlineMs);
  }

  #answered(transport: Transport, protocol: string | null, tookMs: number): void {
    this.#connecting = null;
    const waiting = [...this.#asking];
    this.#asking.clear();
    const [first, ...others] = waiting;
    if (first === undefined) return transport.destroy();
    if (protocol === 'h2') {
      this.#chosen = this.#http2;
      this.#http2.adopt(transport, tookMs);
      first.continueIn(this.#http2);
    } else {
      this.#chosen = this.#http1;
      this.#http1.adopt(transport, first.waiter, tookMs);
    }
    for (const asking of others) asking.continueIn(this.#chosen);
  }

  #failed(code: BackendFailureCode, error: Error): void {
    this.#connecting = null;
    const waiting = [...this.#asking];
    this.#asking.clear();
    for (const { waiter } of waiting) {
      waiter.onBackendFailed({ code, error, answered: false, unprocessed: true });
    }
  }

  /** @internal */
  gaveUp(asking: Asking): void {
    if (!this.#asking.delete(asking) || this.#asking.size > 0) return;
    this.#connecting?.cancel();
    this.#connecting = null;
  }

  close(): void {
    this.#http1.close();
    this.#http2.close();
  }
}

/** Waits to learn what the backend speaks, and then for a stream. */
class Asking implements Waiting {
  readonly waiter: StreamWaiter;
  readonly #pool: AutoPool;
  readonly #deadlineMs: number;
  #successor: Waiting | null = null;
  #cancelled = false;

  constructor(pool: AutoPool, waiter: StreamWaiter, deadlineMs: number) {
    this.#pool = pool;
    this.waiter = waiter;
    this.#deadlineMs = deadlineMs;
  }

  continueIn(pool: Http1Pool | Http2Pool): void {
    if (this.#cancelled) return;
    this.#successor = pool.acquire(this.waiter, false, this.#deadlineMs);
  }

  cancel(): void {
    this.#cancelled = true;
    this.#pool.gaveUp(this);
    this.#successor?.cancel();
  }
}
