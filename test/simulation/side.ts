import { silentLogger } from '../../src/base/logger.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { Limits, Timeouts } from '../../src/config/resolved.ts';
import { ConfigurationLoader, type OrderingServices } from '../../src/network-proxy/engine-configuration.ts';
import { compileRoutes, type RouteIndex } from '../../src/routing/route-index.ts';
import type { PreparedSide } from '../../src/smart-proxy/network-proxy-side.ts';
import { TransportFactory } from '../../src/transport/transport-factory.ts';
import { machine } from '../config/samples.ts';
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

const { options } = resolveOptions(
  { routes: [], log: { connections: false, requests: true }, metrics: false },
  machine,
);

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
