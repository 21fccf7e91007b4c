/** What was measured: several values of each quantity for each proxy. */
import type { HttpProxyName } from './http-proxies.ts';
import type { KernelContestant } from './kernel-hosts.ts';
import type { ProxyName } from './proxies.ts';

/**
 * `tls-server` and `loopback` are what the hand-over is compared with; `unobserved` is SmartProxy
 * without metrics, admin API and log.
 */
export type Contestant =
  | ProxyName
  | HttpProxyName
  | KernelContestant
  | 'tls-server'
  | 'loopback'
  | 'unobserved';

export interface Quantity {
  readonly name: string;
  readonly unit: string;
  readonly digits: number;
}

export const quantities = {
  bulk1: { name: 'bulk, 1 stream', unit: 'Gbit/s', digits: 1 },
  bulk4: { name: 'bulk, 4 streams', unit: 'Gbit/s', digits: 1 },
  bulk32: { name: 'bulk, 32 streams', unit: 'Gbit/s', digits: 1 },
  small: { name: '64-byte messages on 32 connections', unit: '/s', digits: 0 },
  small99: { name: 'p99 of a small message beside 4 bulk streams', unit: 'ms', digits: 2 },
  connections: { name: 'new connections', unit: '/s', digits: 0 },
  idle1000: { name: 'memory of an idle pair, 1,000 open', unit: 'KB', digits: 1 },
  idle8000: { name: 'memory of an idle pair, 8,000 open', unit: 'KB', digits: 1 },
  cleanup: { name: 'event-loop delay p99 while 8,000 connections end', unit: 'ms', digits: 1 },
  cleanupReset: { name: 'event-loop delay p99 while 8,000 connections are reset', unit: 'ms', digits: 1 },
  observedSmall: { name: '64-byte messages, everything observed', unit: '/s', digits: 0 },
  observedSmallCpu: {
    name: 'processor time of a 64-byte message, everything observed',
    unit: 'µs',
    digits: 1,
  },
  observedHttpCpu: { name: 'processor time of a GET of 1 KB, everything observed', unit: 'µs', digits: 1 },
  observedHttp: { name: 'GET of 1 KB, everything observed', unit: '/s', digits: 0 },
  scrape: { name: 'event-loop time of a scrape of 500 routes', unit: 'ms', digits: 1 },
  scrapeLines: { name: 'lines of a scrape of 500 routes', unit: '', digits: 0 },
  dashboardBrowser: { name: 'browser with a dashboard, 8,000 connections', unit: '% of a core', digits: 1 },
  dashboardProxy: { name: 'proxy for a viewer, 8,000 connections', unit: '% of a core', digits: 1 },
  admin99: { name: 'p99 of the admin API, 8,000 connections', unit: 'ms', digits: 1 },
  routing: { name: 'routing cost, 100,000 names over 10', unit: '×', digits: 2 },
  http: { name: 'GET of 1 KB', unit: '/s', digits: 0 },
  httpCpu: { name: 'processor time of a GET of 1 KB', unit: 'µs', digits: 1 },
  httpPost: { name: 'POST of 10 KB', unit: '/s', digits: 0 },
  httpPostCpu: { name: 'processor time of a POST of 10 KB', unit: 'µs', digits: 1 },
  https: { name: 'GET of 1 KB over TLS', unit: '/s', digits: 0 },
  httpsCpu: { name: 'processor time of a GET of 1 KB over TLS', unit: 'µs', digits: 1 },
  httpsPost: { name: 'POST of 10 KB over TLS', unit: '/s', digits: 0 },
  httpsPostCpu: { name: 'processor time of a POST of 10 KB over TLS', unit: 'µs', digits: 1 },
  http2: { name: 'GET of 1 KB over HTTP/2', unit: '/s', digits: 0 },
  http2Cpu: { name: 'processor time of a GET of 1 KB over HTTP/2', unit: 'µs', digits: 1 },
  handshakes: { name: 'full TLS handshakes', unit: '/s', digits: 0 },
  handshakesCpu: { name: 'processor time of a full TLS handshake', unit: 'µs', digits: 0 },
  resumptions: { name: 'resumed TLS handshakes', unit: '/s', digits: 0 },
  resumptionsCpu: { name: 'processor time of a resumed TLS handshake', unit: 'µs', digits: 0 },
  tlsBulk: { name: 'bulk over TLS', unit: 'Gbit/s', digits: 1 },
  tlsBulkCpu: { name: 'processor time of a GB over TLS', unit: 's', digits: 2 },
  httpHalfLoad: { name: 'half load', unit: '/s', digits: 0 },
  httpP50Added: { name: 'p50 added at half load', unit: 'ms', digits: 3 },
  httpP99Added: { name: 'p99 added at half load', unit: 'ms', digits: 3 },
  idleTls: { name: 'memory of an idle TLS connection', unit: 'KB', digits: 1 },
  handOverConnection: { name: 'processor time of a TLS connection, handed over', unit: 'µs', digits: 0 },
  handOverResumed: { name: 'processor time of a resumed TLS connection, handed over', unit: 'µs', digits: 0 },
  handOverBytes: { name: 'processor time of a GB over TLS, handed over', unit: 's', digits: 2 },
  kernelBulk: { name: 'bulk between hosts', unit: 'Gbit/s', digits: 1 },
  kernelCpu: { name: 'proxy during bulk between hosts', unit: '% of a core', digits: 2 },
  kernelConnections: { name: 'new connections between hosts', unit: '/s', digits: 0 },
  kernelLoad: { name: 'ruleset of 1,000 routes', unit: 'ms', digits: 0 },
  kernelReload: { name: 'one changed route of 1,000', unit: 'ms', digits: 0 },
  kernelRate: { name: 'flows at a steady rate', unit: '/s', digits: 0 },
  kernelRecords: { name: 'records of flows at a steady rate', unit: '', digits: 0 },
  kernelAstray: {
    name: 'lost, doubled or inexact records, and overruns, at a steady rate',
    unit: '',
    digits: 0,
  },
  kernelBurstRate: { name: 'flows in a burst', unit: '/s', digits: 0 },
  kernelBurstRecords: { name: 'records of flows in a burst', unit: '', digits: 0 },
  kernelBurstAstray: { name: 'lost or doubled records of a burst', unit: '', digits: 0 },
  kernelInexact: { name: 'flows of a burst whose ending was lost', unit: '', digits: 0 },
  kernelOverruns: { name: 'overruns reported in a burst', unit: '', digits: 0 },
  kernelFlowMemory: { name: 'memory of a recorded flow, 100,000 open', unit: 'KB', digits: 2 },
} as const satisfies Record<string, Quantity>;

export type QuantityName = keyof typeof quantities;

/** Collects values; the same harness fills it in round after round. */
export class Measurements {
  readonly #values = new Map<string, number[]>();

  add(quantity: QuantityName, proxy: Contestant, value: number): void {
    const key = `${quantity} ${proxy}`;
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
    const { name, unit, digits } = quantities[quantity];
    console.error(`  ${name}: ${proxy} ${value.toFixed(digits)} ${unit}`);
  }

  /** The median of the rounds; undefined where nothing was measured. */
  median(quantity: QuantityName, proxy: Contestant): number | undefined {
    const sorted = this.#values.get(`${quantity} ${proxy}`)?.toSorted((a, b) => a - b);
    return sorted?.[Math.floor((sorted.length - 1) / 2)];
  }

  ratio(quantity: QuantityName, proxy: Contestant, other: Contestant): number | undefined {
    return this.ratioToBest(quantity, proxy, [other]);
  }

  /** Over the largest of the others. */
  ratioToBest(quantity: QuantityName, proxy: Contestant, others: readonly Contestant[]): number | undefined {
    const above = this.median(quantity, proxy);
    const below = others.flatMap((other) => this.median(quantity, other) ?? []);
    return above === undefined || below.length === 0 ? undefined : above / Math.max(...below);
  }
}
