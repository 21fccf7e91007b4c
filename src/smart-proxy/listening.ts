import { isKernelRoute } from '../config/kernel-route.ts';
import { portSegments } from '../config/port-segments.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { ListenerSpec } from '../routing/listener-plan.ts';
import type { RouteIndex } from '../routing/route-index.ts';

export interface ListeningAddress {
  address: string;
  port: number;
  /** The last port, where the kernel takes the connections of several. */
  toPort?: number;
  /** The names of the routes that take connections here. */
  routes: string[];
  /** Where it is no socket of this process: the kernel takes the connections. */
  engine?: 'nftables';
}

/** The listeners that are sockets. A port is the kernel's as a whole, or this process's. */
export function socketPlan(index: RouteIndex): ListenerSpec[] {
  return index.listeners.filter(({ routes }) => !routes.some(isKernelRoute));
}

/** Where the kernel takes connections: a range of ports is one entry. */
export function kernelListeners(routes: readonly ResolvedRoute[]): ListeningAddress[] {
  return portSegments(routes.filter(isKernelRoute)).flatMap(({ from, to, routes: sharing }) =>
    [...Map.groupBy(sharing, ({ match }) => match.address ?? '::')].map(([address, group]) => ({
      address,
      port: from,
      ...(to > from && { toPort: to }),
      routes: group.map(({ name }) => name),
      engine: 'nftables' as const,
    })),
  );
}
