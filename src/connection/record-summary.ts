import type { Termination } from '../base/termination.ts';
import type { ConnectionRecord, TrailEvent } from './connection-record.ts';

/** A record as the API, the log and the events show it. */
export interface RecordSummary {
  id: string;
  state: string;
  route: string | null;
  engine: 'node' | 'nftables';
  client: { ip: string; port: number };
  localPort: number;
  target: { host: string; port: number } | null;
  tls: {
    mode: 'passthrough' | 'terminate' | 'terminate-and-reencrypt';
    serverName: string | null;
    alpn: readonly string[];
  } | null;
  viaNetworkProxy: boolean;
  /** The record of the SmartProxy that brought it, where that is another process. */
  outer?: string;
  /** HTTP requests that it has begun. */
  requests: number;
  clientEnded: boolean;
  targetEnded: boolean;
  startedAt: string;
  lastActivityAt: string;
  bytes: { fromClient: number; toClient: number };
  /** With engine `nftables`, where bytes are those of layer 3. */
  packets?: { fromClient: number; toClient: number };
  /** With engine `nftables`: false where the kernel's events overran. */
  exact?: boolean;
  events: readonly TrailEvent[];
  termination: Termination | null;
}

/** What a record says at this moment; nothing in it changes later. */
export function summarize(record: ConnectionRecord): RecordSummary {
  const { startedAt, startedAtWall, clientAddress } = record;
  return {
    id: record.id,
    state: record.state,
    route: record.route?.name ?? null,
    engine: record.kernel === null ? 'node' : 'nftables',
    client: { ip: clientAddress.ip, port: clientAddress.port },
    localPort: record.localPort,
    target: record.targetAddress,
    tls: tlsSummary(record),
    viaNetworkProxy: record.viaNetworkProxy,
    ...(record.outer !== null && { outer: record.outer.id }),
    requests: record.requests,
    clientEnded: record.clientEnded,
    targetEnded: record.targetEnded,
    startedAt: new Date(startedAtWall).toISOString(),
    lastActivityAt: new Date(startedAtWall + (record.lastActivityAt - startedAt)).toISOString(),
    bytes: { fromClient: record.bytesFromClient, toClient: record.bytesToClient },
    ...kernelSummary(record),
    events: record.trail,
    termination: record.termination,
  };
}

function kernelSummary({ kernel }: ConnectionRecord): Pick<RecordSummary, 'packets' | 'exact'> {
  return kernel === null ? {} : { packets: { ...kernel.packets }, exact: kernel.exact };
}

function tlsSummary(record: ConnectionRecord): RecordSummary['tls'] {
  if (record.hello === null) return null;
  const { serverName, alpn } = record.hello;
  return { mode: tlsMode(record), serverName, alpn };
}

function tlsMode({ route }: ConnectionRecord): NonNullable<RecordSummary['tls']>['mode'] {
  if (route === null || route.tls === null) return 'passthrough';
  const { action } = route;
  return action.type === 'forward' && action.tls !== 'none' ? action.tls : 'terminate';
}
