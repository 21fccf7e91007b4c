import { asksForRequests, trustDomain } from './connection-kind.ts';
import type { Inherits } from './implied-protocol.ts';
import { NameIndex, shareListener } from './neighbours.ts';
import type { Problem } from './problems.ts';
import { withProtocol } from './resolve-route.ts';
import type { ResolvedRoute } from './resolved.ts';

/**
 * Routes that do not say how TLS is spoken take it from the routes of the same port and name, the
 * most specific of them first; and so do those that do not say whether it is.
 * @param inheriting by place (`order`): what each leaves open
 */
export function inheritProtocols(
  routes: readonly ResolvedRoute[],
  inheriting: ReadonlyMap<number, Inherits>,
): { routes: ResolvedRoute[]; problems: Problem[] } {
  const names = new NameIndex(routes.filter((route) => !inheriting.has(route.order)));
  const problems: Problem[] = [];
  const resolved = routes.map((route) => {
    const inherits = inheriting.get(route.order);
    if (inherits === undefined) return route;
    // For where it listens, what it inherits makes no difference but on port 0, where TLS shares one.
    const asTls = withProtocol(route, 'tls');
    const accepts = (peer: ResolvedRoute) => peer.match.protocol !== 'tcp' && shareListener(peer, asTls);
    const peers = names.nearest(route, accepts).flat();
    const encrypted = peers.find((peer) => peer.match.protocol === 'tls');
    const clear = peers.find((peer) => peer.match.protocol === 'http');
    if (inherits === 'protocol') {
      if (encrypted !== undefined && clear !== undefined) problems.push(ambiguous(route, encrypted, clear));
      if (encrypted === undefined) return clear === undefined ? route : inheritClear(route);
    }
    const donors = names
      .nearest(route, (peer) => accepts(peer) && canGive(peer, route))
      .map((closest) => closest[0]!);
    const other = donors.find((peer) => trustDomain(peer) !== trustDomain(donors[0]!));
    if (other !== undefined) problems.push(torn(route, donors[0]!, other));
    if (donors.length === 0 && readsRequests(route)) problems.push(undecipherable(route, encrypted));
    return withProtocol(route, 'tls', donors[0]?.tls ?? null);
  });
  return { routes: resolved, problems };
}

/** A name cannot be told from clear bytes but by reading requests; without one, any bytes will do. */
function inheritClear(route: ResolvedRoute): ResolvedRoute {
  return route.match.domains === null ? route : withProtocol(route, 'http');
}

function canGive(peer: ResolvedRoute, route: ResolvedRoute): boolean {
  return peer.match.protocol === 'tls' && (peer.tls !== null || !readsRequests(route));
}

function readsRequests({ action, match }: ResolvedRoute): boolean {
  return action.type === 'redirect' || action.type === 'respond' || asksForRequests(match);
}

function ambiguous(route: ResolvedRoute, encrypted: ResolvedRoute, clear: ResolvedRoute): Problem {
  const { domains } = route.match;
  const place = domains === null ? 'its port' : `its port for ${domains[0]}`;
  const bytes = domains === null && route.action.type === 'block' ? ", or 'tcp' for both" : '';
  return {
    path: `routes[${route.order}].match.protocol`,
    message: `is missing: ${place} is used with TLS ('${encrypted.name}') and without ('${clear.name}'), and '${route.name}' could belong to either`,
    instead: `write protocol: 'tls' or 'http'${bytes}`,
  };
}

function undecipherable(route: ResolvedRoute, passing: ResolvedRoute | undefined): Problem {
  const why =
    passing === undefined
      ? 'no route of its port and name ends TLS here'
      : `'${passing.name}' passes TLS of its port and name through`;
  const own = route.action.type === 'block' ? '' : "tls: { certificate: 'local' } or such in its action, or ";
  return {
    path: `routes[${route.order}].match.protocol`,
    message: `'${route.name}' needs requests that SmartProxy can read, and ${why}`,
    instead: `write ${own}protocol: 'http'`,
  };
}

function torn(route: ResolvedRoute, one: ResolvedRoute, other: ResolvedRoute): Problem {
  return {
    path: `routes[${route.order}].match.domains`,
    message: `belong to '${one.name}' and to '${other.name}', which speak TLS with clients in different ways`,
    instead: 'write a route for each',
  };
}
