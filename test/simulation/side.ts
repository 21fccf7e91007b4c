import { silentLogger } from '../../src/base/logger.ts';
import type { Limits, ResolvedOptions, Timeouts } from '../../src/config/resolved.ts';
import { ConfigurationLoader, type OrderingServices } from '../../src/network-proxy/engine-configuration.ts';
import { compileRoutes, type RouteIndex } from '../../src/routing/route-index.ts';
import type { PreparedSide } from '../../src/smart-proxy/network-proxy-side.ts';
import { TransportFactory } from '../../src/transport/transport-factory.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** Which NetworkProxy a simulated proxy has. */
export type BridgeMode =
  | { readonly mode: 'in-process' }
  | { readonly mode: 'loopback'; readonly port: number; readonly secret: Uint8Array };

const idleClock = new VirtualClock();

/** No certificate is ordered in a simulation. */
export const noOrdering: OrderingServices = {
  port: { open: async () => () => {} },
  issued() {},
  failed() {},
};

/** For sockets, of which a simulation has none. */
export const simulatedResources = new TransportFactory({
  clock: idleClock,
  relayBufferBytes: 0,
  kind: 'portable',
}).resources;

const options: ResolvedOptions = {
  routes: [],
  timeouts: {} as Timeouts,
  limits: {} as Limits,
  trustedSources: [],
  admin: null,
  log: { level: 'info', connections: false, requests: true },
  metrics: false,
  nftables: { instance: 'simulation', manageSysctls: false, keepOnExit: false, maxFlows: 0 },
  stateDirectory: '',
  trustForwarded: [],
  networkProxy: { bridge: 'in-process', port: null, secretFile: null },
  certificates: { directory: '', acme: null, renewBeforeDays: null },
};

/** What loading a configuration without files gives: a promise that no world could wait for. */
const loader = new ConfigurationLoader({ clock: idleClock, log: silentLogger, ordering: noOrdering });
const nothingLoaded = await loader.load(options, compileRoutes([]));

/** What a reload would have loaded. Every request is told of in the log. */
export function prepareSide(
  bridge: BridgeMode,
  index: RouteIndex,
  settings: { readonly timeouts: Timeouts; readonly limits: Limits },
): PreparedSide {
  if (bridge.mode === 'loopback') return { end: bridge, loaded: null };
  const { timeouts, limits } = settings;
  const inForce = { ...options, routes: index.routes, timeouts, limits };
  return { end: 'in-process', loaded: { ...nothingLoaded, options: inForce, index } };
}
