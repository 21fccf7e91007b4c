import { isPerRequest, trustDomain } from '../config/connection-kind.ts';
import { isPlainPath, readingsOf } from '../config/request-path.ts';
import type { ResolvedRoute, ResolvedTls } from '../config/resolved.ts';
import { NameTree } from './name-tree.ts';
import { PathTable } from './path-table.ts';
import type { RequestCandidate, RequestList } from './request-list.ts';
import { routesByName } from './routes-by-name.ts';
import type { SiteRequest } from './site-request.ts';

export type { SiteRequest } from './site-request.ts';

/**
 * The route of a request, or why it has none: nobody has its host or nobody takes such a request
 * (404); its host is for connections of another kind, such as one with client certificates (421);
 * servers would not agree which route its path belongs to (400).
 */
export type RequestMatch =
  | { readonly route: ResolvedRoute; readonly outcome?: undefined }
  | { readonly route?: undefined; readonly outcome: 'no-route' | 'misdirected' | 'ambiguous-path' };

const noRoute: RequestMatch = Object.freeze({ outcome: 'no-route' as const });
const misdirected: RequestMatch = Object.freeze({ outcome: 'misdirected' as const });
const ambiguousPath: RequestMatch = Object.freeze({ outcome: 'ambiguous-path' as const });

/** The route that a TLS connection for a name would take. */
export type ConnectionMatch = (
  name: string | null,
  clientIp: string,
  alpn: readonly string[],
) => ResolvedRoute | undefined;

const noAlpn: readonly string[] = [];

/**
 * One trust domain on one listening address: connections that may serve each other's requests, and
 * the routes of these. Clear text is one; TLS that ends here is one for each way of asking for
 * client certificates (T8). Immutable, like the table that it is part of.
 */
export class HttpSite {
  /** The same across reloads, and different from that of every other site. May hold a PEM text: not for logs. */
  readonly key: string;
  readonly trustDomain: string;
  /** Routes that are chosen by request, in the order of the configuration. */
  readonly routes: readonly ResolvedRoute[];
  readonly #names: NameTree<PathTable>;
  /** Null where every connection comes here, so that none needs to be imagined. */
  readonly #connectionMatch: ConnectionMatch | null;

  // The look-up under way: what a closure for each request would hold. Empty between two.
  #request: SiteRequest | null = null;
  /** Null until somebody asks: most sites have no paths, and a request makes a text of its own. */
  #path: string | null = null;
  #best: RequestCandidate | undefined;
  #sawPaths = false;
  #handshake: ResolvedTls | null = null;

  /** @param routes those of the trust domain, also the ones that take whole connections */
  constructor(
    key: string,
    domain: string,
    routes: readonly ResolvedRoute[],
    connectionMatch: ConnectionMatch | null,
  ) {
    this.key = key;
    this.trustDomain = domain;
    this.routes = routes.filter(isPerRequest);
    this.#connectionMatch = connectionMatch;
    this.#names = new NameTree(
      routesByName(
        routes,
        (sharing) => new PathTable(sharing.filter(isPerRequest), handshakeSettings(sharing)),
      ),
    );
  }

  /**
   * How a handshake for a name (null: none) is done: the settings of the most specific pattern that
   * covers it. Null in clear text. A route that takes whole connections has an `alpn` of its own.
   */
  tlsFor(name: string | null): ResolvedTls | null {
    this.#handshake = null;
    this.#names.visit(name, this.#takeHandshake);
    return this.#handshake;
  }

  /**
   * The route of a request: of those that match, the highest priority; then the most specific
   * (host: exact, longer wildcard, shorter wildcard, `'*'`, none; then path: exact, longer prefix,
   * shorter prefix, none; then the narrower client block, more headers, methods given, ALPN given,
   * an address of its own); then the first in the configuration.
   */
  match(request: SiteRequest): RequestMatch {
    const refusal = this.#connectionMatch === null ? null : this.#misdirected(request, this.#connectionMatch);
    if (refusal !== null) return refusal;
    const best = this.#find(request, null);
    if (this.#sawPaths && !isPlainPath(request.path)) return this.#agreement(request);
    return best ?? noRoute;
  }

  /** A connection of its own for that host must come here too: else its handshake would have been another. */
  #misdirected({ host, clientIp, alpn }: SiteRequest, connectionMatch: ConnectionMatch): RequestMatch | null {
    const winner = connectionMatch(host, clientIp, alpn ?? noAlpn);
    if (winner === undefined) return noRoute;
    return isPerRequest(winner) && trustDomain(winner) === this.trustDomain ? null : misdirected;
  }

  /** What all readings of a path agree on: a backend may follow any of them. */
  #agreement(request: SiteRequest): RequestMatch {
    const readings = readingsOf(request.path);
    if (readings === null) return ambiguousPath;
    const [first, ...others] = readings;
    const best = this.#find(request, first!);
    const agreed = others.every((reading) => this.#find(request, reading)?.route === best?.route);
    return agreed ? (best ?? noRoute) : ambiguousPath;
  }

  /** @param path null: the request's own */
  #find(request: SiteRequest, path: string | null): RequestCandidate | undefined {
    this.#request = request;
    this.#path = path;
    this.#best = undefined;
    this.#sawPaths = false;
    this.#names.visit(request.host, this.#visitPaths);
    const best = this.#best;
    this.#request = null;
    this.#best = undefined;
    return best;
  }

  readonly #visitPaths = (table: PathTable): void => {
    if (table.hasPaths) {
      this.#sawPaths = true;
      this.#path ??= this.#request!.path || '/';
    }
    table.visit(this.#path ?? '', this.#visitList);
  };

  /** Lists come from the least specific to the most, so an equal priority wins. */
  readonly #visitList = (list: RequestList): void => {
    const found = list.find(this.#request!);
    if (found !== undefined && (this.#best === undefined || found.priority >= this.#best.priority)) {
      this.#best = found;
    }
  };

  readonly #takeHandshake = ({ handshake }: PathTable): void => {
    if (handshake !== null) this.#handshake = handshake;
  };
}

/** The route of a request on a site, or why it has none. */
export function matchRequest(site: HttpSite, request: SiteRequest): RequestMatch {
  return site.match(request);
}

/** Routes that say it agree, but for what those of whole connections offer by ALPN. */
function handshakeSettings(routes: readonly ResolvedRoute[]): ResolvedTls | null {
  const telling = routes.filter(({ inheritsTls }) => !inheritsTls);
  return (telling.find(isPerRequest) ?? telling[0])?.tls ?? null;
}
