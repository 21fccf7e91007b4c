import type { ResolvedRoute } from './resolved.ts';

/** Whether a criterion can only be told from a request. */
export function asksForRequests(
  match: {
    readonly [Field in 'path' | 'methods' | 'headers']?: unknown;
  },
): boolean {
  return [match.path, match.methods, match.headers].some((field) => field !== undefined && field !== null);
}

/**
 * Whether a route is chosen anew for each request. Otherwise a connection belongs to it as a
 * whole, decrypted or not.
 */
export function isPerRequest({ match, action, tls, inheritsTls }: ResolvedRoute): boolean {
  if (match.protocol === 'http') return true;
  if (match.protocol !== 'tls' || tls === null) return false;
  return action.type !== 'handler' || inheritsTls || asksForRequests(match);
}

/**
 * The trust domain of a route's connections: those that may serve each other's requests. `clear`
 * for clear-text HTTP; for TLS that SmartProxy terminates, one for each way of asking for client
 * certificates, since these are checked once for a connection (T8). Null: the bytes are passed on.
 */
export function trustDomain({ match, tls }: ResolvedRoute): string | null {
  if (match.protocol === 'http') return 'clear';
  if (match.protocol !== 'tls' || tls === null) return null;
  if (tls.clientAuth === null) return 'tls';
  const { required, ca } = tls.clientAuth;
  return `tls with client certificates ${required ? 'required' : 'asked for'}: ${ca}`;
}

/** What is settled for a connection before its first request. */
export function connectionKind(route: ResolvedRoute): string | null {
  return isPerRequest(route) ? trustDomain(route) : null;
}
