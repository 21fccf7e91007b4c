import { parseCidr } from '../base/address.ts';
import { AddressSet } from '../base/prefix-trie.ts';
import type { ResolvedRoute } from '../config/resolved.ts';

/** The most specific pattern of a route that covers the name; null where the route asks for none. */
export function bestDomain(route: ResolvedRoute, name: string | null): string | null | undefined {
  if (route.match.domains === null) return null;
  return route.match.domains
    .filter((pattern) => covers(pattern, name))
    .sort((a, b) => nameRank(b) - nameRank(a))[0];
}

function covers(pattern: string, name: string | null): boolean {
  if (pattern === '*') return true;
  if (name === null) return false;
  return pattern.startsWith('*.')
    ? name.endsWith(pattern.slice(1)) && name.length >= pattern.length
    : name === pattern;
}

/** Above the length of every wildcard; finite, so that ranks can be subtracted. */
const exactRank = 1_000;

/** No name, `'*'`, wildcards by length, exact. */
export function nameRank(pattern: string | null | undefined): number {
  if (pattern === null || pattern === undefined) return 0;
  if (pattern === '*') return 1;
  return pattern.startsWith('*.') ? pattern.length : exactRank;
}

/** The most specific of some path patterns that covers a path. */
export function bestPath(patterns: readonly string[], path: string): string | undefined {
  return patterns
    .filter((pattern) =>
      pattern.endsWith('/*') ? `${path}/`.startsWith(pattern.slice(0, -1)) : pattern === path,
    )
    .sort((a, b) => pathRank(b) - pathRank(a))[0];
}

/** No path, prefixes by length, exact. */
export function pathRank(pattern: string | undefined): number {
  if (pattern === undefined) return 0;
  return pattern.endsWith('/*') ? pattern.length : Number.MAX_SAFE_INTEGER;
}

/** The length of the narrowest block that holds the client; −1 where the route takes every client. */
export function clientRank(route: ResolvedRoute, clientIp: string): number {
  let longest = -1;
  for (const text of route.match.clientIp ?? []) {
    const prefix = parseCidr(text)?.prefix ?? -1;
    if (prefix > longest && new AddressSet([text]).has(clientIp)) longest = prefix;
  }
  return longest;
}

/** At most four, so that a route with thousands of names stays readable. */
export function list(items: readonly string[]): string {
  const shown = items.slice(0, 4).join(', ');
  return items.length > 4 ? `${shown} and ${items.length - 4} more` : shown;
}
