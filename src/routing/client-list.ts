import { type Cidr, formatAddress, formatCidr, parseCidr } from '../base/address.ts';
import { PrefixTrie } from '../base/prefix-trie.ts';
import { addressRank } from '../config/neighbours.ts';
import type { ResolvedRoute } from '../config/resolved.ts';

/** A route as one name pattern and one client block see it. */
interface Candidate {
  readonly route: ResolvedRoute;
  /** Null: any ALPN, or none. */
  readonly alpn: ReadonlySet<string> | null;
  /** Length of the client block that let it in; −1 where the route takes every client. */
  readonly prefix: number;
}

/**
 * The routes that share a name pattern and a kind of first bytes, in the order in which they are
 * tried for one client. Only ALPN is left to decide, so a list ends at its first route that does
 * not ask for it: what would follow can never win.
 */
export class ClientList {
  /** The only route, where it takes every client: the usual case, answered without a further look. */
  readonly #only: ResolvedRoute | null;
  readonly #everyone: readonly Candidate[] = nobody;
  readonly #blocks: PrefixTrie<readonly Candidate[]> | null = null;

  constructor(routes: readonly ResolvedRoute[]) {
    this.#only = onlyOpenRoute(routes);
    if (this.#only !== null) return;
    const open = routes.filter((route) => route.match.clientIp === null);
    this.#everyone = inOrder(open.map((route) => toCandidate(route, -1)));
    if (open.length < routes.length) this.#blocks = this.#compileBlocks(routes);
  }

  /** The best route for a client that offers these protocols. */
  find(clientIp: string, alpn: readonly string[]): ResolvedRoute | undefined {
    if (this.#only !== null) return this.#only;
    const candidates = this.#blocks?.lookup(clientIp) ?? this.#everyone;
    for (const candidate of candidates) {
      if (candidate.alpn === null || overlaps(candidate.alpn, alpn)) return candidate.route;
    }
    return undefined;
  }

  /** From the widest block to the narrowest, so that each takes over what the one around it has. */
  #compileBlocks(routes: readonly ResolvedRoute[]): PrefixTrie<readonly Candidate[]> {
    const trie = new PrefixTrie<readonly Candidate[]>();
    for (const { cidr, own } of blocksOf(routes)) {
      const around = trie.lookup(formatAddress(cidr.bytes)) ?? this.#everyone;
      trie.set(cidr, inOrder([...own.map((route) => toCandidate(route, cidr.prefix)), ...around]));
    }
    return trie;
  }
}

const nobody: readonly Candidate[] = [];

function onlyOpenRoute(routes: readonly ResolvedRoute[]): ResolvedRoute | null {
  const [route] = routes;
  if (route === undefined || routes.length > 1) return null;
  return route.match.clientIp === null && route.match.alpn === null ? route : null;
}

function blocksOf(routes: readonly ResolvedRoute[]): { cidr: Cidr; own: ResolvedRoute[] }[] {
  const blocks = new Map<string, { cidr: Cidr; own: ResolvedRoute[] }>();
  for (const route of routes) {
    for (const text of route.match.clientIp ?? []) {
      const cidr = parseCidr(text);
      if (cidr === undefined) continue;
      const key = formatCidr(cidr);
      const block = blocks.get(key) ?? { cidr, own: [] };
      block.own.push(route);
      blocks.set(key, block);
    }
  }
  return [...blocks.values()].sort((a, b) => a.cidr.prefix - b.cidr.prefix);
}

function toCandidate(route: ResolvedRoute, prefix: number): Candidate {
  return { route, alpn: route.match.alpn === null ? null : new Set(route.match.alpn), prefix };
}

function inOrder(candidates: Candidate[]): readonly Candidate[] {
  candidates.sort((a, b) => compareWithinName(a, b));
  const last = candidates.findIndex((candidate) => candidate.alpn === null);
  return last < 0 ? candidates : candidates.slice(0, last + 1);
}

/** Priority; then what is more specific beside the name; then the order of the configuration. */
function compareWithinName(a: Candidate, b: Candidate): number {
  return (
    b.route.priority - a.route.priority ||
    b.prefix - a.prefix ||
    Number(b.alpn !== null) - Number(a.alpn !== null) ||
    protocolRank(b.route) - protocolRank(a.route) ||
    addressRank(b.route) - addressRank(a.route) ||
    a.route.order - b.route.order
  );
}

/** A route that asks for TLS or HTTP says more than one that takes any bytes. */
export function protocolRank(route: ResolvedRoute): number {
  return route.match.protocol === 'tcp' ? 0 : 1;
}

function overlaps(wanted: ReadonlySet<string>, offered: readonly string[]): boolean {
  for (const protocol of offered) if (wanted.has(protocol)) return true;
  return false;
}
