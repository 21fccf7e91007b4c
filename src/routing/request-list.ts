import { parseCidr } from '../base/address.ts';
import { PrefixTrie } from '../base/prefix-trie.ts';
import { addressRank } from '../config/neighbours.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { SiteRequest } from './site-request.ts';

/** A route as one name pattern and one path pattern see it. */
export interface RequestCandidate {
  readonly route: ResolvedRoute;
  readonly priority: number;
  /** Length of the block by client; null: every client. */
  readonly clients: PrefixTrie<number> | null;
  readonly methods: ReadonlySet<string> | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly alpn: ReadonlySet<string> | null;
}

/**
 * The routes that share a name pattern and a path pattern. They are told apart by the client, then
 * by what they ask for besides; usually there is one.
 */
export class RequestList {
  /** Where it takes every request: the usual case, answered without a further look. */
  readonly #only: RequestCandidate | null;
  /** Best first, but for the client. */
  readonly #candidates: readonly RequestCandidate[];

  constructor(candidates: readonly RequestCandidate[]) {
    const [first] = candidates;
    this.#only = first !== undefined && candidates.length === 1 && takesAll(first) ? first : null;
    this.#candidates = this.#only === null ? candidates.toSorted(compareBesidesClient) : nobody;
  }

  /** The best candidate for a request; undefined where none takes it. */
  find(request: SiteRequest): RequestCandidate | undefined {
    if (this.#only !== null) return this.#only;
    let best: RequestCandidate | undefined;
    let bestPrefix = -1;
    for (const candidate of this.#candidates) {
      if (best !== undefined && candidate.priority < best.priority) break;
      const prefix = candidate.clients === null ? -1 : candidate.clients.lookup(request.clientIp);
      if (prefix === undefined || (best !== undefined && prefix <= bestPrefix)) continue;
      if (!takes(candidate, request)) continue;
      best = candidate;
      bestPrefix = prefix;
    }
    return best;
  }
}

export function requestCandidate(route: ResolvedRoute): RequestCandidate {
  const { clientIp, methods, headers, alpn } = route.match;
  return {
    route,
    priority: route.priority,
    clients: clientIp === null ? null : prefixLengths(clientIp),
    methods: methods === null ? null : new Set(methods),
    headers: headers === null ? noHeaders : Object.entries(headers),
    alpn: alpn === null ? null : new Set(alpn),
  };
}

const nobody: readonly RequestCandidate[] = [];

function takesAll({ clients, methods, headers, alpn }: RequestCandidate): boolean {
  return clients === null && methods === null && headers.length === 0 && alpn === null;
}

const noHeaders: RequestCandidate['headers'] = [];

function prefixLengths(blocks: readonly string[]): PrefixTrie<number> {
  const lengths = new PrefixTrie<number>();
  for (const text of blocks) {
    const cidr = parseCidr(text);
    if (cidr !== undefined) lengths.set(cidr, cidr.prefix);
  }
  return lengths;
}

function takes({ methods, headers, alpn }: RequestCandidate, request: SiteRequest): boolean {
  if (methods !== null && !methods.has(request.method)) return false;
  if (alpn !== null && !(request.alpn?.some((protocol) => alpn.has(protocol)) ?? false)) return false;
  for (const [name, value] of headers) if (request.field(name) !== value) return false;
  return true;
}

function compareBesidesClient(a: RequestCandidate, b: RequestCandidate): number {
  return (
    b.priority - a.priority ||
    b.headers.length - a.headers.length ||
    Number(b.methods !== null) - Number(a.methods !== null) ||
    Number(b.alpn !== null) - Number(a.alpn !== null) ||
    addressRank(b.route) - addressRank(a.route) ||
    a.route.order - b.route.order
  );
}
