import { AddressSet } from '../base/prefix-trie.ts';
import { isPerRequest, trustDomain } from '../config/connection-kind.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import { ClientList } from './client-list.ts';
import { HttpSite } from './http-site.ts';
import { NameTree } from './name-tree.ts';
import { routesByName } from './routes-by-name.ts';

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

  readonly #sites: ReadonlyMap<string, HttpSite>;

  // The look-up under way, so that none needs a closure. Empty between two.
  #best: ResolvedRoute | undefined;
  #clientIp = '';
  #alpn: readonly string[] = noAlpn;

  /** @param scope what the table is for, in the keys of its sites: the same across reloads */
  constructor(routes: readonly ResolvedRoute[], scope = '') {
    this.routes = routes;
    this.initialDataMs = smallest(routes.map((route) => route.timeouts.initialDataMs));
    this.initialDataBytes = smallest(routes.map((route) => route.limits.initialDataBytes));
    this.#tls = nameTree(routes.filter(({ match }) => match.protocol !== 'http'));
    this.#http = clearTree(routes.filter(({ match }) => match.protocol !== 'tls'));
    this.#other = nameTree(routes.filter(({ match }) => match.protocol === 'tcp'));
    const asking = routes.filter(asksForBytes);
    this.#everyoneNeedsBytes = asking.some((route) => route.match.clientIp === null);
    this.#clientsThatNeedBytes = new AddressSet(asking.flatMap((route) => route.match.clientIp ?? []));
    this.#sites = this.#compileSites(scope);
  }

  /** The sites of the table: trust domains whose connections are decrypted, or clear, and read. */
  get sites(): Iterable<HttpSite> {
    return this.#sites.values();
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
  match({ kind, serverName, clientIp, alpn }: ConnectionQuery): ResolvedRoute | undefined {
    return this.#find(this.#names(kind), serverName, clientIp, alpn);
  }

  /**
   * The site of a connection: that of its route. For TLS it does the handshake, also where its route
   * takes the whole connection once decrypted. Undefined where the bytes are passed on, blocked, or
   * match nothing.
   */
  site(query: ConnectionQuery): HttpSite | undefined {
    const route = this.match(query);
    return route === undefined ? undefined : this.siteOf(route);
  }

  /** The site that a route of this table belongs to. */
  siteOf(route: ResolvedRoute): HttpSite | undefined {
    const domain = trustDomain(route);
    return domain === null ? undefined : this.#sites.get(domain);
  }

  /** Whether TLS for a name ends here, for some of its clients at least. */
  endsTlsFor(name: string): boolean {
    for (const site of this.#sites.values()) if (site.tlsFor(name) !== null) return true;
    return false;
  }

  #compileSites(scope: string): Map<string, HttpSite> {
    const byDomain = new Map<string, ResolvedRoute[]>();
    for (const route of this.routes) {
      const domain = trustDomain(route);
      if (domain === null) continue;
      const sharing = byDomain.get(domain);
      if (sharing === undefined) byDomain.set(domain, [route]);
      else sharing.push(route);
    }
    const sites = new Map<string, HttpSite>();
    for (const [domain, routes] of byDomain) {
      const alone = domain === 'clear' || this.routes.every((route) => bringsTo(route, domain));
      sites.set(
        domain,
        new HttpSite(`${scope}#${domain}`, domain, routes, alone ? null : this.#connectionMatch),
      );
    }
    return sites;
  }

  readonly #connectionMatch = (name: string | null, clientIp: string, alpn: readonly string[]) =>
    this.#find(this.#tls, name, clientIp, alpn);

  #find(
    names: NameTree<ClientList>,
    name: string | null,
    clientIp: string,
    alpn: readonly string[],
  ): ResolvedRoute | undefined {
    this.#best = undefined;
    this.#clientIp = clientIp;
    this.#alpn = alpn;
    names.visit(name, this.#visitList);
    const best = this.#best;
    this.#best = undefined;
    this.#alpn = noAlpn;
    return best;
  }

  /** Lists come from the least specific name to the most, so an equal priority wins. */
  readonly #visitList = (list: ClientList): void => {
    const route = list.find(this.#clientIp, this.#alpn);
    if (route !== undefined && (this.#best === undefined || route.priority >= this.#best.priority)) {
      this.#best = route;
    }
  };

  #names(kind: FirstBytesKind): NameTree<ClientList> {
    if (kind === 'tls') return this.#tls;
    return kind === 'http' ? this.#http : this.#other;
  }
}

const noAlpn: readonly string[] = [];

/** Whether a TLS connection that a route takes comes to the site of `domain`, if it is one at all. */
function bringsTo(route: ResolvedRoute, domain: string): boolean {
  return route.match.protocol === 'http' || (isPerRequest(route) && trustDomain(route) === domain);
}

/** Whether a route can only be told from the first bytes. */
function asksForBytes({ match }: ResolvedRoute): boolean {
  return match.protocol !== 'tcp' || match.domains !== null || match.alpn !== null;
}

function nameTree(routes: readonly ResolvedRoute[]): NameTree<ClientList> {
  return new NameTree(routesByName(routes, (sharing) => new ClientList(sharing)));
}

/** In clear text only a request tells its host, so that before it routes for HTTP have no names. */
function clearTree(routes: readonly ResolvedRoute[]): NameTree<ClientList> {
  const patternsOf = ({ match }: ResolvedRoute) =>
    match.protocol === 'http' ? nobodysName : (match.domains ?? nobodysName);
  return new NameTree(routesByName(routes, (sharing) => new ClientList(sharing), patternsOf));
}

const nobodysName = [null];

function smallest(values: readonly number[]): number {
  let least = 0;
  for (const value of values) if (value > 0 && (least === 0 || value < least)) least = value;
  return least;
}
