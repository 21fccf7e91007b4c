import { readBridgeSecret } from '../certificates/bridge-secret.ts';
import { trustDomain } from '../config/connection-kind.ts';
import type { Problem } from '../config/problems.ts';
import type { ResolvedOptions, ResolvedRoute } from '../config/resolved.ts';
import type { SmartProxyOptions } from '../config/schema.ts';
import { bridgeListenerKey } from './assembly.ts';
import { type ProxyRole, ProxyServer, type SmartProxySurroundings } from './proxy-server.ts';

const role: ProxyRole = {
  problems: (options) => (isBridged(options) ? [] : unreadableRoutes(options.routes)),
  sockets(options, index) {
    const { port } = options.networkProxy;
    if (!isBridged(options) || port === null) return index.listeners;
    return [{ key: bridgeListenerKey, address: '127.0.0.1', port, routes: index.routes }];
  },
  usesKernel: false,
  /** With a bridge `admin` is the other process's. */
  admin: (options) => (isBridged(options) ? options.networkProxy.admin : options.admin),
  async alone(options) {
    const { secretFile } = options.networkProxy;
    const bridgeSecret =
      isBridged(options) && secretFile !== null ? await readBridgeSecret(secretFile) : null;
    return { bridgeSecret };
  },
  reread: (read, { networkProxy }) => ({ ...read, ...(networkProxy !== undefined && { networkProxy }) }),
};

/**
 * NetworkProxy by itself: a reverse proxy that ends TLS and reads requests, configured as
 * SmartProxy is. With `bridge: 'loopback'` it is the other process: it listens on the bridge's port
 * of the loopback only, and serves what a SmartProxy with the same secret brings there. Otherwise
 * it listens where its routes say, and every route must be one that is read here. `networkProxy`
 * itself stays as it was at the start when the configuration is read again.
 */
export class NetworkProxy extends ProxyServer {
  constructor(options: SmartProxyOptions, surroundings: SmartProxySurroundings = {}) {
    super(role, options, surroundings);
  }
}

function isBridged({ networkProxy }: ResolvedOptions): boolean {
  return networkProxy.bridge === 'loopback';
}

/** Routes that pass bytes on need SmartProxy. */
function unreadableRoutes(routes: readonly ResolvedRoute[]): Problem[] {
  return routes
    .filter((route) => trustDomain(route) === null)
    .map(({ order, name }) => ({
      path: `routes[${order}]`,
      message: `'${name}' passes bytes on, and NetworkProxy by itself only serves what it can read`,
      instead: 'end TLS here (tls.mode), speak clear-text HTTP, or run SmartProxy',
    }));
}
