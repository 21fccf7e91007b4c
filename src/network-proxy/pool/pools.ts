import type { BackendPool } from '../exchange.ts';
import { type BackendSpec, keyOf } from './backend-spec.ts';
import type { ConnectServices } from './connecting.ts';
import { Http1Pool, type PoolSettings, type PoolStatistics } from './http1-pool.ts';

/** What the registry asks of a pool of any protocol. */
export interface KeptPool extends BackendPool {
  readonly empty: boolean;
  /** It was let go of: whoever remembers it asks for another. */
  readonly closed: boolean;
  readonly statistics: PoolStatistics;
  close(): void;
}

export interface PoolsOptions {
  readonly services: ConnectServices;
  readonly settings: Omit<PoolSettings, 'idleMs'>;
  /** Makes pools for what HTTP/1 is not: default, every backend is spoken to by HTTP/1. */
  readonly create?: (spec: BackendSpec, settings: PoolSettings) => KeptPool;
}

/** From here on pools that hold nothing are let go of. */
const manyPools = 1024;

/** All pools, by what makes connections differ. */
export class Pools {
  readonly #options: PoolsOptions;
  readonly #pools = new Map<string, KeptPool>();

  constructor(options: PoolsOptions) {
    this.#options = options;
  }

  /** @param idleMs how long an unused connection is kept; the first caller's counts */
  of(spec: BackendSpec, idleMs: number): KeptPool {
    const key = keyOf(spec);
    let pool = this.#pools.get(key);
    if (pool !== undefined) return pool;
    if (this.#pools.size >= manyPools) this.#dropEmpty();
    const settings = { ...this.#options.settings, idleMs };
    pool = this.#options.create?.(spec, settings) ?? new Http1Pool(this.#options.services, spec, settings);
    this.#pools.set(key, pool);
    return pool;
  }

  get statistics(): PoolStatistics[] {
    return [...this.#pools.values()].map((pool) => pool.statistics);
  }

  /** Closes idle connections; those in use close when their exchange is over. */
  close(): void {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #dropEmpty(): void {
    for (const [key, pool] of this.#pools) {
      if (!pool.empty) continue;
      pool.close();
      this.#pools.delete(key);
    }
  }
}
