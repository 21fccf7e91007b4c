import type { Logger } from '../../src/base/logger.ts';
import type { Limits, ResolvedRoute } from '../../src/config/resolved.ts';
import { ConnectionRecord } from '../../src/connection/connection-record.ts';
import { memoryPair } from '../../src/transport/memory-transport.ts';
import { routesOf, timeouts } from '../routing/routes.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

export const noLimits: Limits = {
  maxConnections: 0,
  maxConnectionsPerIp: 0,
  connectionsPerMinutePerIp: 0,
  initialDataBytes: 65_536,
  pendingBytesPerConnection: 1_048_576,
  headerBytes: 65_536,
  relayBufferBytes: 0,
};

const [client] = memoryPair({ clock: new VirtualClock() });
let lastId = 0;

/** A record as admission sees it; the transport behind it is never used. */
export function recordOf(ip: string, route: ResolvedRoute | null = null): ConnectionRecord {
  const init = {
    client,
    clientAddress: { ip, port: 40_000 },
    localPort: 443,
    startedAt: 0,
    startedAtWall: 0,
  };
  const record = new ConnectionRecord({ id: `c${++lastId}`, ...init, timeouts });
  record.route = route;
  return record;
}

export function limitedRoute(
  name: string,
  limits: Partial<Limits>,
  security: Partial<ResolvedRoute['security']> = {},
): ResolvedRoute {
  const [route] = routesOf({ name });
  return {
    ...(route as ResolvedRoute),
    limits: { ...noLimits, ...limits },
    security: { allow: [], block: [], ...security },
  };
}

export interface LogLine {
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

/** A logger that remembers its lines. */
export function memoryLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (event: string, fields: Record<string, unknown> = {}): void =>
    void lines.push({ event, fields });
  return { log: { debug: write, info: write, warn: write, error: write }, lines };
}
