import type { RouteProtocol } from './resolved.ts';
import type { Route } from './schema.ts';

/** What a route takes from those of the same port and name: how they speak TLS, or also whether they do. */
export type Inherits = 'nothing' | 'tls' | 'protocol';

/**
 * The protocol of a route. `inherits`: what nothing in the route settles, so that others on the
 * same port and name decide; `protocol` is what it is without any.
 */
export function impliedProtocol({ match, action }: Route): { protocol: RouteProtocol; inherits: Inherits } {
  const ownTls = 'tls' in action && action.tls !== undefined;
  const open = action.type !== 'forward' && !ownTls;
  if (match.protocol !== undefined) {
    return { protocol: match.protocol, inherits: open && match.protocol === 'tls' ? 'tls' : 'nothing' };
  }
  if (ownTls) return { protocol: 'tls', inherits: 'nothing' };
  const inherits = open ? 'protocol' : 'nothing';
  const readsRequests =
    match.path !== undefined || match.methods !== undefined || match.headers !== undefined;
  if (readsRequests || action.type === 'redirect' || action.type === 'respond')
    return { protocol: 'http', inherits };
  if (match.domains !== undefined || match.alpn !== undefined) return { protocol: 'tls', inherits };
  return { protocol: 'tcp', inherits };
}
