import type { ResolvedRoute } from '../config/resolved.ts';
import { protocolRank } from './client-list.ts';
import type { Criterion, Rules } from './contest.ts';
import { byAddress, byAlpn, byClient, byOrder, byPriority, clientMismatch } from './criteria.ts';
import type { Arrival } from './explanation.ts';
import { acceptsAt, type ListenerSpec, listeningAddress } from './listener-plan.ts';
import type { FirstBytesKind } from './port-table.ts';
import { bestDomain, list, nameRank } from './specificity.ts';

/** How the route of a connection is chosen; `listener` is the one that accepts it. */
export function connectionRules(listener: ListenerSpec | undefined): Rules<Arrival> {
  return { mismatch: (route, query) => mismatch(route, query, listener), criteria };
}

/** Why a route does not match, or null where it does. */
function mismatch(route: ResolvedRoute, query: Arrival, listener: ListenerSpec | undefined): string | null {
  const { match } = route;
  const elsewhere = placeMismatch(route, query, listener);
  if (elsewhere !== null) return elsewhere;
  if (
    match.domains !== null &&
    match.protocol !== 'http' &&
    bestDomain(route, query.serverName) === undefined
  ) {
    if (query.serverName === null) return `it asks for ${list(match.domains)}, and the client gives no name`;
    return `it asks for ${list(match.domains)}, not ${query.serverName}`;
  }
  if (match.protocol !== 'tcp' && match.protocol !== query.kind) {
    return `it takes ${protocolNames[match.protocol]} only, and this is ${kindNames[query.kind]}`;
  }
  return clientMismatch(route, query);
}

/** Why a connection does not come to a route at all, or null where it does. */
export function placeMismatch(
  route: ResolvedRoute,
  query: Arrival,
  listener: ListenerSpec | undefined,
): string | null {
  if (listener === undefined || !listener.routes.includes(route)) return wrongListener(route, query);
  if (acceptsAt(listeningAddress(route), query.localAddress)) return null;
  return `it listens on ${route.match.address}, and the connection arrives at ${query.localAddress}`;
}

function wrongListener(route: ResolvedRoute, { port, localAddress }: Arrival): string {
  const { ports, address } = route.match;
  if (ports.some((range) => range.from <= port && port <= range.to)) {
    return `it listens on ${address ?? 'a free port of its own'}, and the connection arrives at ${localAddress}`;
  }
  const shown = ports.map(({ from, to }) =>
    to === 0 ? 'a free port' : from === to ? `${from}` : `${from}–${to}`,
  );
  return `it listens on ${ports.length === 1 && shown[0] !== 'a free port' ? 'port ' : ''}${list(shown)}, not ${port}`;
}

const protocolNames = { tls: 'TLS', http: 'HTTP' } as const;

const kindNames: Record<FirstBytesKind, string> = {
  none: 'a connection without first bytes',
  tls: 'TLS',
  http: 'clear-text HTTP',
  other: 'neither TLS nor HTTP',
};

const byName: Criterion<Arrival> = {
  compare: (a, b, { serverName }) => connectionNameRank(a, serverName) - connectionNameRank(b, serverName),
  describe: (_loser, winner) =>
    `${winner.name} names the site more exactly (${list(winner.match.domains ?? [])})`,
};

const byProtocol: Criterion<Arrival> = {
  compare: (a, b) => protocolRank(a) - protocolRank(b),
  describe: (_loser, winner) => `${winner.name} asks for its protocol (${winner.match.protocol})`,
};

const criteria = [byPriority, byName, byClient, byAlpn, byProtocol, byAddress, byOrder];

/** In clear text only a request tells its host. */
function connectionNameRank(route: ResolvedRoute, serverName: string | null): number {
  return route.match.protocol === 'http' ? 0 : nameRank(bestDomain(route, serverName));
}
