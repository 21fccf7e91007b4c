import { isPerRequest } from './connection-kind.ts';
import { shareListener } from './neighbours.ts';
import type { Problem } from './problems.ts';
import { defaultCertificate } from './resolve-tls.ts';
import type { ResolvedRoute, ResolvedTls } from './resolved.ts';

const reasons: readonly (readonly [field: keyof ResolvedTls, what: string])[] = [
  ['clientAuth', 'asks for other client certificates'],
  ['certificate', 'shows another certificate'],
  ['minVersion', 'has another oldest version'],
  ['alpn', 'offers other protocols'],
];

/**
 * Routes that end TLS for the same name in different ways. A handshake is over before the first
 * request is read, so a name has one certificate and one way of asking for those of clients.
 */
export function checkTlsSettings(routes: readonly ResolvedRoute[]): Problem[] {
  const problems: Problem[] = [];
  /** By pattern: one route for each different way and place to listen. */
  const known = new Map<string | null, Map<string, ResolvedRoute>>();
  for (const route of routes) {
    if (route.tls === null || route.inheritsTls) continue;
    const differing = new Set<ResolvedRoute>();
    for (const pattern of route.match.domains ?? [null]) {
      const ways = known.get(pattern) ?? new Map<string, ResolvedRoute>();
      known.set(pattern, ways);
      for (const other of ways.values()) {
        const problem = differing.has(other) ? undefined : difference(route, other, pattern);
        if (problem !== undefined) problems.push(problem);
        differing.add(other);
      }
      const way = JSON.stringify([route.tls, route.match.ports, route.match.address, isPerRequest(route)]);
      if (!ways.has(way)) ways.set(way, route);
    }
  }
  return problems;
}

function difference(route: ResolvedRoute, other: ResolvedRoute, pattern: string | null): Problem | undefined {
  if (!shareListener(route, other)) return undefined;
  const found = reasons.find(([field]) => {
    // A handler of whole connections speaks what it likes, and is chosen before the handshake.
    if (field === 'alpn' && !(isPerRequest(route) && isPerRequest(other))) return false;
    return settingText(route.tls!, field, pattern) !== settingText(other.tls!, field, pattern);
  });
  if (found === undefined) return undefined;
  const [field, what] = found;
  const name = pattern === null ? 'the same port' : `${pattern} on the same port`;
  return {
    path: `routes[${route.order}].action.tls.${field}`,
    message: `'${other.name}' ${what} for ${name}; a handshake is over before a request can be read`,
    instead: 'write the same in both, or give them different names',
  };
}

function settingText(tls: ResolvedTls, field: keyof ResolvedTls, pattern: string | null): string {
  // For "any name" the default is settled name by name.
  if (field === 'certificate' && tls.certificate.from === 'default' && pattern !== null && pattern !== '*') {
    return JSON.stringify({ from: defaultCertificate(pattern) });
  }
  return JSON.stringify(tls[field]);
}
