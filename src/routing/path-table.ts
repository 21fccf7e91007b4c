import type { ResolvedRoute, ResolvedTls } from '../config/resolved.ts';
import { type RequestCandidate, RequestList, requestCandidate } from './request-list.ts';

/** Prefixes of one length: `/api` for `/api/*`. */
interface Prefixes {
  readonly length: number;
  /** While they are few, comparing is faster than cutting a key out of the path. */
  readonly few: readonly (readonly [prefix: string, list: RequestList])[];
  readonly many: ReadonlyMap<string, RequestList> | null;
}

const fewPrefixes = 4;

/** The routes of one name pattern by path: exact ones in a map, prefixes by their length. */
export class PathTable {
  /** How a handshake for such a name is done; null where nothing is said about that. */
  readonly handshake: ResolvedTls | null;
  /** Of routes that take every path. */
  readonly #everywhere: RequestList | null;
  /** The shortest first. */
  readonly #prefixes: readonly Prefixes[];
  readonly #exact: ReadonlyMap<string, RequestList> | null;

  constructor(routes: readonly ResolvedRoute[], handshake: ResolvedTls | null) {
    this.handshake = handshake;
    if (routes.every(({ match }) => match.path === null)) {
      // The usual case, of which there may be 100,000: nothing to sort out, and nothing of its own to keep.
      this.#everywhere = routes.length === 0 ? null : new RequestList(routes.map(requestCandidate));
      this.#prefixes = noPrefixes;
      this.#exact = null;
      return;
    }
    const byPattern = listsByPattern(routes);
    this.#everywhere = byPattern.get(null) ?? null;
    const exact = [...byPattern].filter(isExact);
    this.#exact = exact.length === 0 ? null : new Map(exact);
    // Shared by all tables without any: there may be 100,000.
    this.#prefixes =
      byPattern.size === 1 && this.#everywhere !== null ? noPrefixes : groupPrefixes(byPattern);
  }

  /** Whether the path makes a difference. */
  get hasPaths(): boolean {
    return this.#exact !== null || this.#prefixes.length > 0;
  }

  /** Calls back for each list whose pattern covers `path`, the least specific first. */
  visit(path: string, callback: (list: RequestList) => void): void {
    if (this.#everywhere !== null) callback(this.#everywhere);
    for (const prefixes of this.#prefixes) {
      if (prefixes.length > path.length) break;
      if (!endsSegment(path, prefixes.length)) continue;
      const list = listIn(prefixes, path);
      if (list !== undefined) callback(list);
    }
    const exact = this.#exact?.get(path);
    if (exact !== undefined) callback(exact);
  }
}

const noPrefixes: readonly Prefixes[] = [];

function listsByPattern(routes: readonly ResolvedRoute[]): Map<string | null, RequestList> {
  const byPattern = new Map<string | null, RequestCandidate[]>();
  for (const route of routes) {
    const candidate = requestCandidate(route);
    for (const pattern of route.match.path ?? [null]) {
      const sharing = byPattern.get(pattern);
      if (sharing === undefined) byPattern.set(pattern, [candidate]);
      else sharing.push(candidate);
    }
  }
  return new Map([...byPattern].map(([pattern, candidates]) => [pattern, new RequestList(candidates)]));
}

function isExact(entry: [string | null, RequestList]): entry is [string, RequestList] {
  return entry[0] !== null && !entry[0].endsWith('/*');
}

function groupPrefixes(byPattern: ReadonlyMap<string | null, RequestList>): Prefixes[] {
  const byLength = new Map<number, [string, RequestList][]>();
  for (const [pattern, list] of byPattern) {
    if (pattern === null || !pattern.endsWith('/*')) continue;
    const prefix = pattern.slice(0, -2);
    byLength.set(prefix.length, [...(byLength.get(prefix.length) ?? []), [prefix, list]]);
  }
  return [...byLength]
    .sort(([one], [other]) => one - other)
    .map(([length, entries]) => {
      const many = entries.length > fewPrefixes;
      return { length, few: many ? [] : entries, many: many ? new Map(entries) : null };
    });
}

function endsSegment(path: string, at: number): boolean {
  return path.length === at || path.charCodeAt(at) === 0x2f;
}

function listIn({ length, few, many }: Prefixes, path: string): RequestList | undefined {
  if (many !== null) return many.get(path.slice(0, length));
  for (const [prefix, list] of few) if (path.startsWith(prefix)) return list;
  return undefined;
}
