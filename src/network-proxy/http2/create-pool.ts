import type { BackendSpec } from '../pool/backend-spec.ts';
import { Http1Pool } from '../pool/http1-pool.ts';
import type { PoolsOptions } from '../pool/pools.ts';
import { AutoPool } from './auto-pool.ts';
import { Http2Pool, type Http2PoolServices } from './http2-pool.ts';

/** Makes the pool for what a target speaks. */
export function poolCreator(services: Http2PoolServices): NonNullable<PoolsOptions['create']> {
  return (spec, settings) => {
    if (spec.protocol === 'http1') return new Http1Pool(services, spec, settings);
    const Pool = spec.protocol === 'http2' ? Http2Pool : AutoPool;
    return new Pool(services, spec, settings);
  };
}

/** What is offered to a backend by ALPN. */
export function offeredProtocols({ protocol }: BackendSpec): readonly string[] {
  return offers[protocol];
}

const offers: Readonly<Record<BackendSpec['protocol'], readonly string[]>> = {
  http1: ['http/1.1'],
  http2: ['h2'],
  auto: ['h2', 'http/1.1'],
};
