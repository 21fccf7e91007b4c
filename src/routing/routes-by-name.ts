import type { ResolvedRoute } from '../config/resolved.ts';

/**
 * What is made of the routes of each name pattern (null: those that ask for no name).
 * @param patternsOf what a route is filed under; default: its domains
 */
export function routesByName<T>(
  routes: readonly ResolvedRoute[],
  make: (sharing: readonly ResolvedRoute[]) => T,
  patternsOf: (route: ResolvedRoute) => readonly (string | null)[] = domainsOf,
): Map<string | null, T> {
  const byPattern = new Map<string | null, ResolvedRoute[]>();
  for (const route of routes) {
    for (const pattern of patternsOf(route)) {
      const sharing = byPattern.get(pattern);
      if (sharing === undefined) byPattern.set(pattern, [route]);
      else if (sharing.at(-1) !== route) sharing.push(route);
    }
  }
  const made = new Map<string | null, T>();
  for (const [pattern, sharing] of byPattern) made.set(pattern, make(sharing));
  return made;
}

const nameless = [null];

function domainsOf({ match }: ResolvedRoute): readonly (string | null)[] {
  return match.domains ?? nameless;
}
