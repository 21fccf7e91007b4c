import { checkTlsSettings } from './check-tls-settings.ts';
import { connectionKind, isPerRequest } from './connection-kind.ts';
import { clientsMeet, covers, coversAddress, NameIndex, shareListener } from './neighbours.ts';
import type { Findings, Problem } from './problems.ts';
import type { ResolvedMatch, ResolvedRoute } from './resolved.ts';

/** What only shows when routes are seen together. `order` is a route's place in the configuration. */
export function checkRoutes(routes: readonly ResolvedRoute[]): Findings {
  const names = new NameIndex(routes);
  return {
    problems: [
      ...sameNames(routes),
      ...routes.flatMap((route) => shadowed(route, names)),
      ...checkTlsSettings(routes),
    ],
    warnings: waitingServers(routes),
  };
}

function sameNames(routes: readonly ResolvedRoute[]): Problem[] {
  const first = new Map<string, number>();
  const problems: Problem[] = [];
  for (const { name, order } of routes) {
    const before = first.get(name);
    if (before === undefined) first.set(name, order);
    else {
      problems.push({
        path: `routes[${order}].name`,
        message: `'${name}' is the name of routes[${before}] too`,
        instead: 'give each route a name of its own',
      });
    }
  }
  return problems;
}

/** A route that can never be chosen, because one other always is. */
function shadowed(route: ResolvedRoute, names: NameIndex): Problem[] {
  const firstName = route.match.domains?.[0];
  const candidates = firstName === undefined ? [] : names.covering(firstName);
  // A route for '*' takes clients without a name too, so it can stand before a nameless one.
  if (firstName === undefined) candidates.push(...names.covering('*'));
  candidates.push(...names.nameless(route));
  const other = candidates.find((candidate) => candidate !== route && shadows(candidate, route));
  if (other === undefined) return [];
  return [
    {
      path: `routes[${route.order}]`,
      message: `'${route.name}' can never be chosen: '${other.name}' matches all of its connections and ${advantage(other, route)}${settled(other, route)}`,
      instead: 'remove one, or make their matches differ',
    },
  ];
}

function advantage(other: ResolvedRoute, route: ResolvedRoute): string {
  if (other.priority > route.priority) return 'has a higher priority';
  return outnames(other, route) ? "is more specific ('*' goes before no name)" : 'comes first';
}

/** Why a path that differs does not help. */
function settled(other: ResolvedRoute, route: ResolvedRoute): string {
  if (other.match.protocol !== route.match.protocol || connectionKind(other) === connectionKind(route))
    return '';
  if (isPerRequest(other) && isPerRequest(route))
    return '; client certificates are asked for before a request can be read';
  return '; whether TLS ends here for requests is settled before one can be read';
}

function shadows(other: ResolvedRoute, route: ResolvedRoute): boolean {
  if (other.priority < route.priority || !covers(other, route)) return false;
  if (other.priority > route.priority || outnames(other, route)) return true;
  return other.order < route.order && equallySpecific(other, route);
}

/**
 * Given that `other` covers `route`: whether it names any host, and `route` none. '*' takes everything that
 * "no name" takes, and names are compared before clients, paths and all the rest.
 */
function outnames(other: ResolvedRoute, route: ResolvedRoute): boolean {
  const named = other.match.domains !== null && route.match.domains === null;
  return named && other.match.protocol === route.match.protocol;
}

/** Given that `other` covers `route`: whether nothing in `route` is more specific. */
function equallySpecific(other: ResolvedRoute, route: ResolvedRoute): boolean {
  const a = other.match;
  const b = route.match;
  return (
    a.protocol === b.protocol &&
    (b.domains === null || b.domains.every((name) => a.domains?.includes(name))) &&
    (b.clientIp === null || b.clientIp.every((block) => a.clientIp?.includes(block))) &&
    (a.alpn === null) === (b.alpn === null) &&
    coversAddress(b.address, a.address) &&
    (connectionKind(other) !== connectionKind(route) || equallySpecificRequests(a, b))
  );
}

function equallySpecificRequests(a: ResolvedMatch, b: ResolvedMatch): boolean {
  return (
    (b.path === null || b.path.every((path) => a.path?.includes(path))) &&
    (a.methods === null) === (b.methods === null) &&
    Object.keys(a.headers ?? {}).length === Object.keys(b.headers ?? {}).length
  );
}

/**
 * Plain TCP beside routes that need the client's first bytes: a server that speaks first (SMTP,
 * MySQL, SSH) is not reached before the client has sent something, or the deadline has passed.
 */
function waitingServers(routes: readonly ResolvedRoute[]): Problem[] {
  const telling = new Map<string, ResolvedRoute>();
  for (const route of routes) {
    if (route.match.protocol === 'tcp') continue;
    const { ports, address, clientIp } = route.match;
    const key = JSON.stringify([ports, address, clientIp]);
    if (!telling.has(key)) telling.set(key, route);
  }
  return routes.flatMap((route) => {
    if (route.match.protocol !== 'tcp' || route.action.type === 'block') return [];
    const other = [...telling.values()].find(
      (candidate) =>
        shareListener(candidate, route) && clientsMeet(candidate.match.clientIp, route.match.clientIp),
    );
    if (other === undefined) return [];
    return [
      {
        path: `routes[${route.order}].match.ports`,
        message: `'${route.name}' shares a port with '${other.name}', which needs the client's first bytes: protocols in which the server speaks first wait there for initialDataMs`,
        instead: 'give it a port of its own if its server speaks first',
      },
    ];
  });
}
