import { sameItems } from '../base/same-items.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { HttpSite } from './http-site.ts';
import { acceptsAt, type ListenerSpec, listenerPlan, listeningAddress } from './listener-plan.ts';
import { PortTable } from './port-table.ts';

/**
 * What the connections of one listener can take. The address that they arrived at matters only
 * where some of its routes have an address of their own; then there is a table for each.
 */
class ListenerTable {
  readonly #routes: readonly ResolvedRoute[];
  readonly #key: string;
  readonly #byAddress = new Map<string, PortTable>();
  readonly #otherIpv4: PortTable;
  readonly #otherIpv6: PortTable;

  /** @param key the listener's, or that of the first of those which share the routes */
  constructor(routes: readonly ResolvedRoute[], key: string) {
    this.#routes = routes;
    this.#key = key;
    const addresses = new Set(routes.map(listeningAddress));
    if (addresses.size === 1) {
      this.#otherIpv4 = new PortTable(routes, key);
      this.#otherIpv6 = this.#otherIpv4;
      return;
    }
    const tableFor = (localAddress: string): PortTable =>
      new PortTable(
        routes.filter((route) => acceptsAt(listeningAddress(route), localAddress)),
        `${key}@${localAddress}`,
      );
    this.#otherIpv4 = tableFor('0.0.0.0');
    this.#otherIpv6 = tableFor('::');
    for (const address of addresses) {
      if (address !== null && address !== '0.0.0.0') this.#byAddress.set(address, tableFor(address));
    }
  }

  /** The table for a connection that arrived at `localAddress` (normalised), which is asked for if it matters. */
  at(localAddress: string | (() => string)): PortTable {
    if (this.#otherIpv4 === this.#otherIpv6) return this.#otherIpv4;
    return this.#tableAt(typeof localAddress === 'string' ? localAddress : localAddress());
  }

  /** Whether it is what a new one of these would be. */
  isFor(routes: readonly ResolvedRoute[], key: string): boolean {
    return key === this.#key && sameItems(routes, this.#routes);
  }

  *tables(): Iterable<PortTable> {
    yield this.#otherIpv4;
    if (this.#otherIpv6 !== this.#otherIpv4) yield this.#otherIpv6;
    yield* this.#byAddress.values();
  }

  #tableAt(localAddress: string): PortTable {
    const own = this.#byAddress.get(localAddress);
    if (own !== undefined) return own;
    return localAddress.includes(':') ? this.#otherIpv6 : this.#otherIpv4;
  }
}

/** Every route, compiled by listener. Immutable. */
export class RouteIndex {
  readonly routes: readonly ResolvedRoute[];
  readonly listeners: readonly ListenerSpec[];
  readonly #tables = new Map<string, ListenerTable>();
  readonly #sites = new Map<string, HttpSite>();

  /** @param before tables of its that a new one would be like are taken over */
  constructor(routes: readonly ResolvedRoute[], before: RouteIndex | null = null) {
    this.routes = routes;
    this.listeners = listenerPlan(routes);
    const compiled = new Map<readonly ResolvedRoute[], ListenerTable>();
    for (const { key, routes: shared } of this.listeners) {
      const table =
        compiled.get(shared) ??
        (before !== null ? before.#tableLike(shared, key) : undefined) ??
        new ListenerTable(shared, key);
      compiled.set(shared, table);
      this.#tables.set(key, table);
    }
    for (const listener of compiled.values()) {
      for (const table of listener.tables()) {
        for (const site of table.sites) this.#sites.set(site.key, site);
      }
    }
  }

  #tableLike(routes: readonly ResolvedRoute[], key: string): ListenerTable | undefined {
    const table = this.#tables.get(key);
    return table?.isFor(routes, key) ? table : undefined;
  }

  /** Every site. Listeners with the same routes share theirs. */
  get sites(): Iterable<HttpSite> {
    return this.#sites.values();
  }

  /** What a site of an earlier index is now: where requests on its connections go from a reload on. */
  site(key: string): HttpSite | undefined {
    return this.#sites.get(key);
  }

  /**
   * The table for a connection that a listener of the plan accepted at `localAddress` (normalised).
   * Undefined where a reload removed the listener. A function costs a system call only where the
   * address matters.
   */
  table(key: string, localAddress: string | (() => string)): PortTable | undefined {
    return this.#tables.get(key)?.at(localAddress);
  }
}

/**
 * Compiles routes once for all connections: 100,000 names take a fraction of a second.
 * @param before the index that this one takes the place of
 */
export function compileRoutes(
  routes: readonly ResolvedRoute[],
  before: RouteIndex | null = null,
): RouteIndex {
  return new RouteIndex(routes, before);
}
