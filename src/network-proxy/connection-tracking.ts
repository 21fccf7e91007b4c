import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { Transport } from '../base/transport.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import type { PoolStatistics } from './pool/http1-pool.ts';

/** What NetworkProxy has counted: the `networkProxy` of the statistics. */
export interface NetworkProxyStatistics {
  /** Clients whose sockets are open. */
  connectedClients: number;
  /** Those of them that SmartProxy brought, in this process or over the loopback. */
  portProxyConnections: number;
  /** TLS handshakes that were completed. Never goes down. */
  tlsTerminatedConnections: number;
  /** Requests that were begun. Never goes down. */
  requests: number;
  pools: readonly PoolStatistics[];
}

/** How old the status of pools may be that is told. */
const samplePoolsEveryMs = 1000;

/**
 * Who is connected. A client is counted from the hand-over until its socket's 'close': 'end' is
 * only half of it. Each count goes up in one place, and down in one.
 */
export class ConnectionTracking {
  /** Each client's socket by the id of its connection, until its 'close'. */
  readonly socketMap = new Map<string, Duplex>();
  connectedClients = 0;
  portProxyConnections = 0;
  tlsTerminatedConnections = 0;
  readonly #clock: Clock;
  readonly #poolStatus: () => readonly PoolStatistics[];
  #pools: readonly PoolStatistics[] = [];
  #sampledAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, poolStatus: () => readonly PoolStatistics[]) {
    this.#clock = clock;
    this.#poolStatus = poolStatus;
  }

  /** @param overBridge SmartProxy brought it */
  setupConnectionTracking(record: ConnectionRecord, overBridge: boolean): void {
    const stream = streamOf(record.client);
    if (stream === null || stream.destroyed) return;
    const { id } = record;
    this.socketMap.set(id, stream);
    this.connectedClients++;
    if (overBridge) this.portProxyConnections++;
    stream.once('close', () => {
      this.socketMap.delete(id);
      this.connectedClients--;
      if (overBridge) this.portProxyConnections--;
    });
  }

  /** Pools are looked at once a second at most, however often somebody asks. */
  statistics(): Omit<NetworkProxyStatistics, 'requests'> {
    const now = this.#clock.now();
    if (now - this.#sampledAt >= samplePoolsEveryMs) {
      this.#sampledAt = now;
      this.#pools = this.#poolStatus();
    }
    const { connectedClients, portProxyConnections, tlsTerminatedConnections } = this;
    return { connectedClients, portProxyConnections, tlsTerminatedConnections, pools: this.#pools };
  }
}

/** A transport in memory has no socket. */
function streamOf(transport: Transport): Duplex | null {
  return (transport as Transport & { readonly stream?: Duplex }).stream ?? null;
}
