import { type ConnectionStatistics, Tally } from '../connection/connection-statistics.ts';
import type { AuditSnapshot } from '../connection/self-audit.ts';
import type { NetworkProxyStatistics } from '../network-proxy/connection-tracking.ts';
import { type KernelStatistics, noKernel } from './kernel-side.ts';
import { type MeasuredStatistics, nothingMeasured } from './measurement.ts';
import { noNetworkProxy } from './network-proxy-side.ts';

/** What happened since the start, as `GET /api/v1/statistics` tells it. */
export type Statistics = ConnectionStatistics &
  MeasuredStatistics & {
    networkProxy: NetworkProxyStatistics;
    nftables: KernelStatistics;
    audit: AuditSnapshot;
  };

/** Before the first start. */
export const nothingYet: Statistics = Object.freeze({
  ...new Tally().statistics([]),
  ...nothingMeasured,
  networkProxy: noNetworkProxy,
  nftables: noKernel,
  audit: { records: 0, sockets: 0, flows: 0, addresses: 0, timers: 0, descriptors: null, consistent: true },
});
