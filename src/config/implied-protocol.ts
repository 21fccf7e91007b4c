import type { RouteProtocol } from './resolved.ts';
import type { Route } from './schema.ts';

/**
 * The protocol of a route. `inherits`: nothing in the route settles it, so that TLS routes on the
 * same port and name decide, and `protocol` is what it is without any.
 */
export function impliedProtocol({ match, action }: Route): { protocol: RouteProtocol; inherits: boolean } {
  if (match.protocol !== undefined) return { protocol: match.protocol, inherits: false };
  if ('tls' in action && action.tls !== undefined) return { protocol: 'tls', inherits: false };
  const inherits = action.type !== 'forward';
  const readsRequests =
    match.path !== undefined || match.methods !== undefined || match.headers !== undefined;
  if (readsRequests || action.type === 'redirect' || action.type === 'respond')
    return { protocol: 'http', inherits };
  if (match.domains !== undefined || match.alpn !== undefined) return { protocol: 'tls', inherits };
  return { protocol: 'tcp', inherits };
}
