import type { Counters, EndedRow, LiveRow } from '../admin/live/messages.ts';
import type { LiveSource } from '../admin/live/source.ts';
import { reasonInitiators } from '../base/termination.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { ConnectionStatistics } from '../connection/connection-statistics.ts';
import type { NetworkProxyStatistics } from '../network-proxy/connection-tracking.ts';
import type { Assembly } from './assembly.ts';
import { noNetworkProxy } from './network-proxy-side.ts';

export interface LivingProxy {
  state(): 'starting' | 'ready' | 'draining' | 'stopped';
  /** Null unless it runs. */
  assembly(): Assembly | null;
  /** How many reloads there were. */
  reloads(): number;
}

/** What the live feed sees of a proxy. Nothing here costs more than its answer is long. */
export function createLiveSource(proxy: LivingProxy, version: string): LiveSource {
  const measurement = () => proxy.assembly()?.measurement ?? null;
  return {
    version,
    get measured() {
      return measurement() !== null;
    },
    overview: () => overviewOf(proxy),
    rows: (limit) => proxy.assembly()?.manager.oldest(limit).map(liveRow) ?? [],
    endings(after) {
      const manager = proxy.assembly()?.manager;
      const count = manager?.ended ?? 0;
      const rows =
        manager
          ?.lastEnded(Math.max(0, count - after))
          .map(endedRow)
          .reverse() ?? [];
      return { count, rows };
    },
    samples: (seconds) => measurement()?.history(seconds) ?? [],
    past: () => measurement()?.past() ?? [],
  };
}

function overviewOf(proxy: LivingProxy): ReturnType<LiveSource['overview']> {
  const { manager, audit, networkProxy } = proxy.assembly() ?? {};
  const counted = networkProxy?.statistics() ?? noNetworkProxy;
  return {
    state: proxy.state(),
    counters: countersOf(manager?.statistics(), counted),
    audit: audit?.light ?? { records: 0, sockets: 0, consistent: true },
    pools: counted.pools,
    configuration: proxy.reloads(),
  };
}

function countersOf(
  statistics: ConnectionStatistics | undefined,
  { tlsTerminatedConnections: handshakes, requests }: NetworkProxyStatistics,
): Counters {
  const { active = 0, opened = 0, terminated = 0, refused = 0 } = statistics?.connections ?? {};
  return { active, opened, terminated, refused, handshakes, requests };
}

function liveRow(record: ConnectionRecord): LiveRow {
  const { clientAddress, kernel } = record;
  return {
    id: record.id,
    engine: kernel === null ? 'node' : 'nftables',
    state: record.state,
    route: record.route?.name ?? null,
    client: clientAddress.ip,
    clientPort: clientAddress.port,
    localPort: record.localPort,
    target: targetOf(record),
    name: record.hello?.serverName ?? null,
    startedAt: record.startedAtWall,
    fromClient: record.bytesFromClient,
    toClient: record.bytesToClient,
    ...(kernel !== null && { packets: { ...kernel.packets }, exact: kernel.exact }),
  };
}

/** The ending was set before the record came among the ended ones. */
function endedRow(record: ConnectionRecord): EndedRow {
  const { termination } = record;
  const reason = termination?.reason ?? 'internal-error';
  const durationMs = termination?.durationMs ?? 0;
  return {
    ...liveRow(record),
    reason,
    initiator: reasonInitiators[reason],
    phase: termination?.phase ?? 'accepted',
    error: termination?.error?.message ?? null,
    endedAt: record.startedAtWall + durationMs,
    durationMs,
  };
}

/** A unix socket has a path, and no port. */
function targetOf({ targetAddress }: ConnectionRecord): string | null {
  if (targetAddress === null) return null;
  const { host, port } = targetAddress;
  if (port === 0) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
