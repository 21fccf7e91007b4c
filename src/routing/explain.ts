import { parseCidr } from '../base/address.ts';
import { AddressSet } from '../base/prefix-trie.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import { addressRank, protocolRank } from './client-list.ts';
import { acceptsAt, type ListenerSpec, listeningAddress } from './listener-plan.ts';
import type { ConnectionQuery, FirstBytesKind } from './port-table.ts';
import type { RouteIndex } from './route-index.ts';

/** A connection as `explain` imagines it. */
export interface ExplainQuery extends ConnectionQuery {
  /** The port that it arrives at. */
  readonly port: number;
  /** The address that it arrives at (normalised). Null: the one of the port's listener, or any. */
  readonly localAddress: string | null;
}

interface ExplainedCandidate {
  readonly route: string;
  readonly outcome: 'chosen' | 'lost' | 'no-match';
  /** In plain words. */
  readonly why: string;
}

export interface Explanation {
  /** The route that such a connection takes; null where there is none. */
  readonly route: string | null;
  /** The key of the listener that accepts it; null where nothing listens there. */
  readonly listener: string | null;
  /** Every route, in the order of the configuration. */
  readonly candidates: readonly ExplainedCandidate[];
}

/** A connection at a known listener. */
interface Arrival extends ExplainQuery {
  readonly localAddress: string;
}

/** One step of the comparison between two routes that both match: positive where the first wins. */
interface Criterion {
  compare(a: ResolvedRoute, b: ResolvedRoute, query: Arrival): number;
  describe(loser: ResolvedRoute, winner: ResolvedRoute): string;
}

/**
 * Says which route a connection takes, and for each other route why it does not. It compares the
 * routes one by one and shares nothing with the compiled tables but the rules: a property test
 * holds the two together.
 *
 * @param boundPorts real ports by listener key, for listeners whose configuration says 0
 */
export function explainConnection(
  index: RouteIndex,
  query: ExplainQuery,
  boundPorts: ReadonlyMap<string, number> = new Map(),
): Explanation {
  const listener = listenerFor(index.listeners, query, boundPorts);
  const arrival: Arrival = { ...query, localAddress: query.localAddress ?? arrivalAddress(listener, query) };
  const matching: ResolvedRoute[] = [];
  const reasons = new Map<ResolvedRoute, string>();
  for (const route of index.routes) {
    const reason = mismatch(route, arrival, listener);
    if (reason === null) matching.push(route);
    else reasons.set(route, reason);
  }
  const winner = matching.reduce<ResolvedRoute | null>(
    (best, route) => (best === null || duel(route, best, arrival).result > 0 ? route : best),
    null,
  );
  const candidates = index.routes.map((route): ExplainedCandidate => {
    const reason = reasons.get(route);
    if (reason !== undefined) return { route: route.name, outcome: 'no-match', why: reason };
    if (route === winner)
      return { route: route.name, outcome: 'chosen', why: praise(route, matching.length) };
    return { route: route.name, outcome: 'lost', why: defeat(route, winner as ResolvedRoute, arrival) };
  });
  return { route: winner?.name ?? null, listener: listener?.key ?? null, candidates };
}

/** The listener that accepts a connection to this port and address; the first of the plan where none is said. */
function listenerFor(
  listeners: readonly ListenerSpec[],
  { port, localAddress }: ExplainQuery,
  boundPorts: ReadonlyMap<string, number>,
): ListenerSpec | undefined {
  const atPort = listeners.filter((listener) => (boundPorts.get(listener.key) ?? listener.port) === port);
  if (localAddress === null) return atPort[0];
  return (
    atPort.find((listener) => listener.address === localAddress) ??
    atPort.find((listener) => acceptsAt(listener.address, localAddress))
  );
}

/** Where nobody says at which address: the listener's own, or any of the client's family. */
function arrivalAddress(listener: ListenerSpec | undefined, { clientIp }: ExplainQuery): string {
  if (listener !== undefined && listener.address !== null) return listener.address;
  return clientIp.includes(':') ? '::' : '0.0.0.0';
}

/** Why a route does not match, or null where it does. */
function mismatch(route: ResolvedRoute, query: Arrival, listener: ListenerSpec | undefined): string | null {
  const { match } = route;
  if (listener === undefined || !listener.routes.includes(route)) return wrongListener(route, query);
  if (!acceptsAt(listeningAddress(route), query.localAddress)) {
    return `it listens on ${match.address}, and the connection arrives at ${query.localAddress}`;
  }
  if (match.domains !== null && bestDomain(route, query.serverName) === undefined) {
    if (query.serverName === null) return `it asks for ${list(match.domains)}, and the client gives no name`;
    return `it asks for ${list(match.domains)}, not ${query.serverName}`;
  }
  if (match.clientIp !== null && !new AddressSet(match.clientIp).has(query.clientIp)) {
    return `the client ${query.clientIp} is not in ${list(match.clientIp)}`;
  }
  if (match.protocol !== 'tcp' && match.protocol !== query.kind) {
    return `it takes ${protocolNames[match.protocol]} only, and this is ${kindNames[query.kind]}`;
  }
  if (match.alpn !== null && !match.alpn.some((protocol) => query.alpn.includes(protocol))) {
    const offer = query.alpn.length === 0 ? 'no ALPN' : list(query.alpn);
    return `it asks for ALPN ${list(match.alpn)}, and the client offers ${offer}`;
  }
  return null;
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

const criteria: readonly Criterion[] = [
  {
    compare: (a, b) => a.priority - b.priority,
    describe: (loser, winner) => `priority ${loser.priority} is below ${winner.priority} of ${winner.name}`,
  },
  {
    compare: (a, b, { serverName }) =>
      nameRank(bestDomain(a, serverName)) - nameRank(bestDomain(b, serverName)),
    describe: (_loser, winner) =>
      `${winner.name} names the site more exactly (${list(winner.match.domains ?? [])})`,
  },
  {
    compare: (a, b, { clientIp }) => clientRank(a, clientIp) - clientRank(b, clientIp),
    describe: (_loser, winner) =>
      `${winner.name} names the client more exactly (${list(winner.match.clientIp ?? [])})`,
  },
  {
    compare: (a, b) => Number(a.match.alpn !== null) - Number(b.match.alpn !== null),
    describe: (_loser, winner) => `${winner.name} asks for ALPN ${list(winner.match.alpn ?? [])}`,
  },
  {
    compare: (a, b) => protocolRank(a) - protocolRank(b),
    describe: (_loser, winner) => `${winner.name} asks for its protocol (${winner.match.protocol})`,
  },
  {
    compare: (a, b) => addressRank(a) - addressRank(b),
    describe: (_loser, winner) => `${winner.name} listens on ${winner.match.address} alone`,
  },
  {
    compare: (a, b) => b.order - a.order,
    describe: (_loser, winner) => `${winner.name} is as specific and comes first in the configuration`,
  },
];

function duel(a: ResolvedRoute, b: ResolvedRoute, query: Arrival): { result: number; criterion?: Criterion } {
  for (const criterion of criteria) {
    const result = criterion.compare(a, b, query);
    if (result !== 0) return { result, criterion };
  }
  return { result: 0 };
}

function defeat(loser: ResolvedRoute, winner: ResolvedRoute, query: Arrival): string {
  const { criterion } = duel(loser, winner, query);
  return `it matches, but ${criterion?.describe(loser, winner) ?? `${winner.name} comes first`}`;
}

function praise(route: ResolvedRoute, matching: number): string {
  if (matching === 1) return 'the only route that matches';
  return `the best of ${matching} routes that match, with priority ${route.priority}`;
}

/** The most specific pattern of a route that covers the name; null where the route asks for none. */
function bestDomain(route: ResolvedRoute, name: string | null): string | null | undefined {
  if (route.match.domains === null) return null;
  return route.match.domains
    .filter((pattern) => covers(pattern, name))
    .sort((a, b) => nameRank(b) - nameRank(a))[0];
}

function covers(pattern: string, name: string | null): boolean {
  if (pattern === '*') return true;
  if (name === null) return false;
  return pattern.startsWith('*.')
    ? name.endsWith(pattern.slice(1)) && name.length >= pattern.length
    : name === pattern;
}

/** Above the length of every wildcard; finite, so that ranks can be subtracted. */
const exactRank = 1_000;

/** No name, `'*'`, wildcards by length, exact. */
function nameRank(pattern: string | null | undefined): number {
  if (pattern === null || pattern === undefined) return 0;
  if (pattern === '*') return 1;
  return pattern.startsWith('*.') ? pattern.length : exactRank;
}

/** The length of the narrowest block that holds the client; −1 where the route takes every client. */
function clientRank(route: ResolvedRoute, clientIp: string): number {
  let longest = -1;
  for (const text of route.match.clientIp ?? []) {
    const prefix = parseCidr(text)?.prefix ?? -1;
    if (prefix > longest && new AddressSet([text]).has(clientIp)) longest = prefix;
  }
  return longest;
}

/** At most four, so that a route with thousands of names stays readable. */
function list(items: readonly string[]): string {
  const shown = items.slice(0, 4).join(', ');
  return items.length > 4 ? `${shown} and ${items.length - 4} more` : shown;
}
