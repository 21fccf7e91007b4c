import type { ResolvedMatch, ResolvedRoute, ResolvedTls, Timeouts } from '../../src/config/resolved.ts';

export const timeouts: Timeouts = {
  initialDataMs: 15_000,
  connectMs: 5_000,
  tlsHandshakeMs: 10_000,
  inactivityMs: 3_600_000,
  halfCloseMs: 300_000,
  stalledWriteMs: 300_000,
  maxLifetimeMs: 0,
  cleanupGraceMs: 2_000,
  shutdownGraceMs: 30_000,
  requestHeadMs: 30_000,
  requestBodyMs: 60_000,
  keepAliveMs: 75_000,
  responseHeadMs: 60_000,
  responseWriteMs: 60_000,
  poolIdleMs: 4_000,
};

/** What a test says of a route; the rest is a plain one on port 443 that takes everything. */
export interface RouteSketch extends Partial<Omit<ResolvedMatch, 'ports'>> {
  name?: string;
  ports?: number | ResolvedMatch['ports'];
  priority?: number;
  initialDataMs?: number;
  initialDataBytes?: number;
  action?: ResolvedRoute['action'];
  tls?: ResolvedTls | null;
  inheritsTls?: boolean;
}

/** Routes as the configuration would resolve them, in this order. */
export function routesOf(...sketches: RouteSketch[]): ResolvedRoute[] {
  return sketches.map((sketch, order) => routeOf(sketch, order));
}

function routeOf(sketch: RouteSketch, order: number): ResolvedRoute {
  const { name = `r${order}`, ports = 443, priority = 0, initialDataMs, initialDataBytes, ...rest } = sketch;
  const { action = { type: 'block', how: 'close' }, tls = null, inheritsTls = false, ...match } = rest;
  return {
    name,
    order,
    priority,
    match: {
      ports: typeof ports === 'number' ? [{ from: ports, to: ports }] : ports,
      address: null,
      domains: null,
      path: null,
      methods: null,
      headers: null,
      clientIp: null,
      protocol: match.domains || match.alpn ? 'tls' : 'tcp',
      alpn: null,
      ...match,
    },
    action,
    tls,
    inheritsTls,
    security: { allow: [], block: [] },
    limits: {
      maxConnections: 0,
      maxConnectionsPerIp: 0,
      connectionsPerMinutePerIp: 0,
      initialDataBytes: initialDataBytes ?? 65_536,
      pendingBytesPerConnection: 1_048_576,
      headerBytes: 65_536,
      relayBufferBytes: 0,
    },
    timeouts: { ...timeouts, initialDataMs: initialDataMs ?? timeouts.initialDataMs },
    fingerprint: `${name}-${order}`,
  };
}
