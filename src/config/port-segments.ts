import type { ResolvedRoute } from './resolved.ts';

/** Neighbouring ports with the same routes. */
export interface PortSegment<Route extends ResolvedRoute> {
  readonly from: number;
  readonly to: number;
  /** In the order of the configuration. */
  readonly routes: readonly Route[];
}

/** Cuts the ports wherever a route's range begins or ends. Port 0 is in none of them. */
export function portSegments<Route extends ResolvedRoute>(routes: readonly Route[]): PortSegment<Route>[] {
  const begins = new Map<number, Route[]>();
  const ends = new Map<number, Route[]>();
  for (const route of routes) {
    for (const { from, to } of route.match.ports) {
      if (from === 0) continue;
      addTo(begins, from, route);
      addTo(ends, to + 1, route);
    }
  }
  const cuts = [...new Set([...begins.keys(), ...ends.keys()])].sort((a, b) => a - b);
  const active = new Set<Route>();
  const found: PortSegment<Route>[] = [];
  cuts.forEach((from, i) => {
    for (const route of ends.get(from) ?? []) active.delete(route);
    for (const route of begins.get(from) ?? []) active.add(route);
    if (active.size === 0) return;
    const inOrder = [...active].sort((a, b) => a.order - b.order);
    found.push({ from, to: (cuts[i + 1] ?? from + 1) - 1, routes: inOrder });
  });
  return found;
}

function addTo<Route>(lists: Map<number, Route[]>, port: number, route: Route): void {
  const list = lists.get(port);
  if (list === undefined) lists.set(port, [route]);
  else list.push(route);
}
