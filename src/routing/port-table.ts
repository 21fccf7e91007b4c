import { AddressSet } from '../base/prefix-trie.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import { ClientList } from './client-list.ts';
import { NameTree } from './name-tree.ts';

/** What the first bytes turned out to be. `none`: nothing was read, or nothing came. */
export type FirstBytesKind = 'none' | 'tls' | 'http' | 'other';

/** What is known of a connection when its route is chosen. */
export interface ConnectionQuery {
  /** Normalised. */
  readonly clientIp: string;
  readonly kind: FirstBytesKind;
  /** Lower case, without a trailing dot; null where the client gave none. */
  readonly serverName: string | null;
  /** What the client offers, in its order. */
  readonly alpn: readonly string[];
}

/**
 * The routes that a connection to one listening address can take, compiled once and never
 * changed: a reload makes another table and swaps the reference.
 */
export class PortTable {
  readonly routes: readonly ResolvedRoute[];
  /** Milliseconds: the smallest of the routes, leaving out 0 (off); 0 where all are off. */
  readonly initialDataMs: number;
  /** Bytes: the smallest of the routes, leaving out 0 (no limit); 0 where none has one. */
  readonly initialDataBytes: number;
  readonly #tls: NameTree<ClientList>;
  readonly #http: NameTree<ClientList>;
  readonly #other: NameTree<ClientList>;
  readonly #everyoneNeedsBytes: boolean;
  readonly #clientsThatNeedBytes: AddressSet;

  constructor(routes: readonly ResolvedRoute[]) {
    this.routes = routes;
    this.initialDataMs = smallest(routes.map((route) => route.timeouts.initialDataMs));
    this.initialDataBytes = smallest(routes.map((route) => route.limits.initialDataBytes));
    this.#tls = nameTree(routes.filter(({ match }) => match.protocol !== 'http'));
    this.#http = nameTree(routes.filter(({ match }) => match.protocol !== 'tls'));
    this.#other = nameTree(routes.filter(({ match }) => match.protocol === 'tcp'));
    const asking = routes.filter(asksForBytes);
    this.#everyoneNeedsBytes = asking.some((route) => route.match.clientIp === null);
    this.#clientsThatNeedBytes = new AddressSet(asking.flatMap((route) => route.match.clientIp ?? []));
  }

  /**
   * Whether the choice for this client depends on what it sends. Where no route that it could
   * match asks for a name or a protocol, waiting would only delay a server that speaks first (L18).
   */
  needs(clientIp: string): 'nothing' | 'first-bytes' {
    if (this.#everyoneNeedsBytes) return 'first-bytes';
    if (this.#clientsThatNeedBytes.size === 0) return 'nothing';
    return this.#clientsThatNeedBytes.has(clientIp) ? 'first-bytes' : 'nothing';
  }

  /**
   * The route of a connection: of those that match, the highest priority; then the most specific
   * (exact name, longer wildcard, shorter wildcard, `'*'`, no name; then the narrower client
   * block; ALPN given; TLS or HTTP before any bytes; an address of its own); then the first in
   * the configuration. Undefined where none matches. A client without a name takes a `'*'` route
   * or one that asks for no name (T7).
   */
  match(query: ConnectionQuery): ResolvedRoute | undefined {
    let best: ResolvedRoute | undefined;
    this.#names(query.kind).visit(query.serverName, (list) => {
      const route = list.find(query.clientIp, query.alpn);
      // Lists come from the least specific name to the most, so an equal priority wins.
      if (route !== undefined && (best === undefined || route.priority >= best.priority)) best = route;
    });
    return best;
  }

  #names(kind: FirstBytesKind): NameTree<ClientList> {
    if (kind === 'tls') return this.#tls;
    return kind === 'http' ? this.#http : this.#other;
  }
}

/** Whether a route can only be told from the first bytes. */
function asksForBytes({ match }: ResolvedRoute): boolean {
  return match.protocol !== 'tcp' || match.domains !== null || match.alpn !== null;
}

function nameTree(routes: readonly ResolvedRoute[]): NameTree<ClientList> {
  const byPattern = new Map<string | null, ResolvedRoute[]>();
  for (const route of routes) {
    for (const pattern of route.match.domains ?? [null]) {
      const sharing = byPattern.get(pattern);
      if (sharing === undefined) byPattern.set(pattern, [route]);
      else if (sharing.at(-1) !== route) sharing.push(route);
    }
  }
  const lists = new Map<string | null, ClientList>();
  for (const [pattern, sharing] of byPattern) lists.set(pattern, new ClientList(sharing));
  return new NameTree(lists);
}

function smallest(values: readonly number[]): number {
  let least = 0;
  for (const value of values) if (value > 0 && (least === 0 || value < least)) least = value;
  return least;
}
