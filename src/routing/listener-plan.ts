import { type PortSegment, portSegments } from '../config/port-segments.ts';
import type { ResolvedRoute } from '../config/resolved.ts';

/** One socket to listen on, with the routes that its connections can take. */
export interface ListenerSpec {
  /** The same across reloads: `127.0.0.1:8443`, `[::1]:8443`, `*:8443`, `*:0`, `*:0#route-name`. */
  readonly key: string;
  /** Null: every address, dual stack. */
  readonly address: string | null;
  /** 0: any free port. */
  readonly port: number;
  /** In the order of the configuration. Listeners with the same routes share the array. */
  readonly routes: readonly ResolvedRoute[];
}

/**
 * The listeners that a set of routes needs, sorted by port, then address; ranges are spelled out.
 *
 * - Port 0: routes with the same address share one listener where they can be told apart by what
 *   the client sends (protocol `tls` or `http`). A `tcp` route has nothing to be told apart by,
 *   so each gets a listener of its own.
 * - An address beside all addresses on one port: the kernel refuses to bind both, so one listener
 *   takes all of them, and a route with an address matches by the address that a connection
 *   arrived at. The same for an IPv4 address beside `0.0.0.0`. `::` is dual stack: all addresses.
 */
export function listenerPlan(routes: readonly ResolvedRoute[]): ListenerSpec[] {
  return [...freePortListeners(routes), ...portSegments(routes).flatMap(segmentListeners)];
}

/** The listening address of a route: `::` is dual stack, so it is every address. */
export function listeningAddress(route: ResolvedRoute): string | null {
  return route.match.address === '::' ? null : route.match.address;
}

/** Whether a connection that arrived at `localAddress` may take a route that listens on `address`. */
export function acceptsAt(address: string | null, localAddress: string): boolean {
  if (address === null || address === localAddress) return true;
  return address === '0.0.0.0' && isIpv4(localAddress);
}

function freePortListeners(routes: readonly ResolvedRoute[]): ListenerSpec[] {
  const listeners = new Map<string, { address: string | null; routes: ResolvedRoute[] }>();
  for (const route of routes) {
    if (!route.match.ports.some((range) => range.from === 0)) continue;
    const address = listeningAddress(route);
    const key = listenerKey(address, 0) + (route.match.protocol === 'tcp' ? `#${route.name}` : '');
    const listener = listeners.get(key) ?? { address, routes: [] };
    listener.routes.push(route);
    listeners.set(key, listener);
  }
  return [...listeners].map(([key, listener]) => ({ key, port: 0, ...listener }));
}

function segmentListeners({ from, to, routes }: PortSegment<ResolvedRoute>): ListenerSpec[] {
  const groups = groupByAddress(routes);
  const listeners: ListenerSpec[] = [];
  for (let port = from; port <= to; port++) {
    for (const [address, group] of groups) {
      listeners.push({ key: listenerKey(address, port), address, port, routes: group });
    }
  }
  return listeners;
}

/** The routes of one port by the address to bind, after folding what cannot be bound side by side. */
function groupByAddress(routes: readonly ResolvedRoute[]): [string | null, readonly ResolvedRoute[]][] {
  const addresses = new Set(routes.map(listeningAddress));
  if (addresses.has(null)) return [[null, routes]];
  const groups = new Map<string | null, ResolvedRoute[]>();
  for (const route of routes) {
    const address = listeningAddress(route);
    const folded = addresses.has('0.0.0.0') && address !== null && isIpv4(address) ? '0.0.0.0' : address;
    addTo(groups, folded, route);
  }
  return [...groups].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

function listenerKey(address: string | null, port: number): string {
  if (address === null) return `*:${port}`;
  return isIpv4(address) ? `${address}:${port}` : `[${address}]:${port}`;
}

function isIpv4(address: string): boolean {
  return !address.includes(':');
}

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
