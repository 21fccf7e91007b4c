import { type Cidr, parseCidr } from '../base/address.ts';
import { connectionKind } from './connection-kind.ts';
import { coveringPatterns, coversDomain } from './domain.ts';
import { coversPath } from './request-path.ts';
import type { ResolvedMatch, ResolvedRoute } from './resolved.ts';

/** Routes by the names that they ask for, so that checking 100,000 of them is not quadratic. */
export class NameIndex {
  readonly #byPattern = new Map<string, ResolvedRoute[]>();
  /** Routes that ask for no name, by port; those with many ports apart. */
  readonly #byPort = new Map<number, ResolvedRoute[]>();
  readonly #onManyPorts: ResolvedRoute[] = [];

  constructor(routes: readonly ResolvedRoute[]) {
    for (const route of routes) {
      if (route.match.domains === null) this.#addNameless(route);
      for (const domain of route.match.domains ?? []) append(this.#byPattern, domain, route);
    }
  }

  #addNameless(route: ResolvedRoute): void {
    const { ports } = route.match;
    const single = ports.every((range) => range.from === range.to);
    if (!single) this.#onManyPorts.push(route);
    else for (const { from } of ports) append(this.#byPort, from, route);
  }

  /** Routes that ask for no name and may share a port with `route`; one may come twice. */
  nameless(route: ResolvedRoute): ResolvedRoute[] {
    const { ports } = route.match;
    if (ports.some((range) => range.from !== range.to))
      return [...this.#onManyPorts, ...[...this.#byPort.values()].flat()];
    return [...this.#onManyPorts, ...ports.flatMap(({ from }) => this.#byPort.get(from) ?? [])];
  }

  /** Routes with a name or a wildcard that covers `domain`; a route may come twice. */
  covering(domain: string): ResolvedRoute[] {
    return coveringPatterns(domain).flatMap((pattern) => this.#byPattern.get(pattern) ?? []);
  }

  /**
   * For each name of `route` (null where it asks for none) the accepted routes that are closest to
   * it: on the name itself, on the longest wildcard around it, …, on any, on none. Names without
   * any are left out.
   */
  nearest(route: ResolvedRoute, accepts: (other: ResolvedRoute) => boolean): ResolvedRoute[][] {
    const nameless = () => this.nameless(route).filter(accepts);
    const found = (route.match.domains ?? [null]).map((name) => {
      for (const pattern of name === null ? [] : coveringPatterns(name)) {
        const peers = (this.#byPattern.get(pattern) ?? []).filter(accepts);
        if (peers.length > 0) return peers;
      }
      return nameless();
    });
    return found.filter((peers) => peers.length > 0);
  }
}

function append<Key>(map: Map<Key, ResolvedRoute[]>, key: Key, route: ResolvedRoute): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [route]);
  else known.push(route);
}

/** Whether some connection can come to both, by port and address alone. */
export function shareListener(one: ResolvedRoute, other: ResolvedRoute): boolean {
  return (
    addressesMeet(one.match, other.match) &&
    one.match.ports.some((range) => other.match.ports.some((its) => portsMeet(range, its, one, other)))
  );
}

function portsMeet(
  range: { from: number; to: number },
  its: { from: number; to: number },
  one: ResolvedRoute,
  other: ResolvedRoute,
): boolean {
  if (range.to === 0 || its.to === 0)
    return range.to === its.to && sharesAnyPort(one) && sharesAnyPort(other);
  return range.from <= its.to && its.from <= range.to;
}

/** On port 0, plain TCP gets a port of its own, and everything that is told by its bytes shares one. */
function sharesAnyPort(route: ResolvedRoute): boolean {
  return route.match.protocol !== 'tcp';
}

function addressesMeet(one: ResolvedMatch, other: ResolvedMatch): boolean {
  return coversAddress(one.address, other.address) || coversAddress(other.address, one.address);
}

/** One address says more than all of IPv4, which says more than every address. */
export function addressRank(route: ResolvedRoute): number {
  const { address } = route.match;
  if (address === null || address === '::') return 0;
  return address === '0.0.0.0' ? 1 : 2;
}

/** Whether a listener on `outer` takes the connections that come to `inner`. */
export function coversAddress(outer: string | null, inner: string | null): boolean {
  if (outer === null || outer === '::' || outer === inner) return true;
  return outer === '0.0.0.0' && inner !== null && inner !== '::' && !inner.includes(':');
}

/** Whether every connection that `inner` matches is one that `outer` matches. */
export function covers(outer: ResolvedRoute, inner: ResolvedRoute): boolean {
  const a = outer.match;
  const b = inner.match;
  return (
    b.ports.every((range) =>
      a.ports.some((wider) =>
        range.to === 0
          ? portsMeet(wider, range, outer, inner)
          : wider.from <= range.from && range.to <= wider.to,
      ),
    ) &&
    coversAddress(a.address, b.address) &&
    (a.protocol === 'tcp' || a.protocol === b.protocol) &&
    coversDomains(a.domains, b.domains) &&
    coversClients(a.clientIp, b.clientIp) &&
    (a.alpn === null || (b.alpn?.every((protocol) => a.alpn!.includes(protocol)) ?? false)) &&
    // Where requests of the two can never come over one connection, connections are what is covered.
    (connectionKind(outer) !== connectionKind(inner) || coversRequests(a, b))
  );
}

function coversDomains(outer: ResolvedMatch['domains'], inner: ResolvedMatch['domains']): boolean {
  if (outer === null || outer.includes('*')) return true;
  return inner?.every((name) => outer.some((pattern) => coversDomain(pattern, name))) ?? false;
}

function coversRequests(outer: ResolvedMatch, inner: ResolvedMatch): boolean {
  return (
    (outer.path === null ||
      (inner.path?.every((path) => outer.path!.some((wider) => coversPath(wider, path))) ?? false)) &&
    (outer.methods === null || (inner.methods?.every((name) => outer.methods!.includes(name)) ?? false)) &&
    Object.entries(outer.headers ?? {}).every(([name, value]) => inner.headers?.[name] === value)
  );
}

function coversClients(outer: readonly string[] | null, inner: readonly string[] | null): boolean {
  if (outer === null) return true;
  const blocks = outer.map((text) => parseCidr(text)!);
  return inner?.every((text) => blocks.some((block) => contains(block, parseCidr(text)!))) ?? false;
}

/** Whether some client is in both lists. */
export function clientsMeet(one: readonly string[] | null, other: readonly string[] | null): boolean {
  return (
    one === null ||
    other === null ||
    one.some((text) => coversClients(other, [text])) ||
    other.some((text) => coversClients(one, [text]))
  );
}

function contains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  for (let bit = 0; bit < outer.prefix; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((outer.bytes[bit >> 3]! & mask) !== (inner.bytes[bit >> 3]! & mask)) return false;
  }
  return true;
}
