import { NameIndex, shareListener } from './neighbours.ts';
import type { Problem } from './problems.ts';
import { withProtocol } from './resolve-route.ts';
import type { ResolvedRoute } from './resolved.ts';

/**
 * Routes that say neither protocol nor tls take TLS from the routes of the same port and name.
 * @param inheriting the names' places (`order`) of the routes that leave it open
 */
export function inheritProtocols(
  routes: readonly ResolvedRoute[],
  inheriting: ReadonlySet<number>,
): { routes: ResolvedRoute[]; problems: Problem[] } {
  const names = new NameIndex(routes.filter((route) => !inheriting.has(route.order)));
  const problems: Problem[] = [];
  const resolved = routes.map((route) => {
    if (!inheriting.has(route.order)) return route;
    // For where it listens, what it inherits makes no difference but on port 0, where TLS shares one.
    const asTls = withProtocol(route, 'tls');
    const peers = names.onSameName(route).filter((peer) => shareListener(peer, asTls));
    const encrypted = peers.find((peer) => peer.match.protocol === 'tls');
    const clear = peers.find((peer) => peer.match.protocol === 'http');
    if (encrypted !== undefined && clear !== undefined) problems.push(ambiguous(route, encrypted, clear));
    return encrypted === undefined ? route : asTls;
  });
  return { routes: resolved, problems };
}

function ambiguous(route: ResolvedRoute, encrypted: ResolvedRoute, clear: ResolvedRoute): Problem {
  const name = route.match.domains?.[0];
  const place = name === undefined ? 'its port' : `its port for ${name}`;
  return {
    path: `routes[${route.order}].match.protocol`,
    message: `is missing: ${place} is used with TLS ('${encrypted.name}') and without ('${clear.name}'), and '${route.name}' could belong to either`,
    instead: "write protocol: 'tls' or 'http'",
  };
}
