import { isPerRequest, trustDomain } from '../config/connection-kind.ts';
import { readingsOf } from '../config/request-path.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import { type Criterion, contest, type Rules } from './contest.ts';
import { byAddress, byAlpn, byClient, byOrder, byPriority, clientMismatch } from './criteria.ts';
import { connectionRules, placeMismatch } from './explain-connection.ts';
import type { Arrival, ExplainedRequest, Explanation } from './explanation.ts';
import type { ListenerSpec } from './listener-plan.ts';
import { bestDomain, bestPath, list, nameRank, pathRank } from './specificity.ts';

/** A request on a connection at a known listener. */
interface RequestArrival extends Arrival {
  readonly request: ExplainedRequest;
}

/**
 * Says which route a request takes on a connection that `winner` was chosen for, and for each other
 * route why it does not. Undefined where the connection as a whole belongs to `winner`.
 */
export function explainRequest(
  routes: readonly ResolvedRoute[],
  query: RequestArrival,
  listener: ListenerSpec | undefined,
  winner: ResolvedRoute,
): Omit<Explanation, 'listener'> | undefined {
  if (!isPerRequest(winner)) return undefined;
  const domain = trustDomain(winner);
  const owner = ownerOf(routes, query, listener);
  if (query.kind === 'tls' && (owner === null || !isOnSite(owner, domain))) {
    return turnedAway(routes, query, owner);
  }
  const rules: Rules<RequestArrival> = {
    mismatch: (route, one) => placeMismatch(route, one, listener) ?? mismatch(route, one, domain),
    criteria,
  };
  const pathMatters = routes.some(
    (route) =>
      route.match.path !== null &&
      placeMismatch(route, query, listener) === null &&
      isOnSite(route, domain) &&
      bestDomain(route, query.request.host) !== undefined,
  );
  const readings = pathMatters ? (readingsOf(query.request.path) ?? []) : [query.request.path];
  const contests = readings.map((path) =>
    contest(routes, { ...query, request: { ...query.request, path } }, rules),
  );
  const [first] = contests;
  if (first === undefined || contests.some((one) => one.winner !== first.winner)) {
    return ambiguous(routes, query, readings);
  }
  return { route: first.winner?.name ?? null, candidates: first.candidates };
}

function isOnSite(route: ResolvedRoute, domain: string | null): boolean {
  return isPerRequest(route) && trustDomain(route) === domain;
}

/** The route of a connection of its own for the request's host. */
function ownerOf(
  routes: readonly ResolvedRoute[],
  query: RequestArrival,
  listener: ListenerSpec | undefined,
): ResolvedRoute | null {
  return contest(routes, { ...query, serverName: query.request.host }, connectionRules(listener)).winner;
}

/** 404 where nobody has the host, 421 where it needs a connection of another kind. */
function turnedAway(
  routes: readonly ResolvedRoute[],
  { request }: RequestArrival,
  owner: ResolvedRoute | null,
): Omit<Explanation, 'listener'> {
  const host = request.host ?? 'no host';
  const why =
    owner === null
      ? `no route is for ${host}`
      : `a connection for ${host} would belong to ${owner.name}, whose connections are of another kind`;
  const candidates = routes.map(({ name }) => ({ route: name, outcome: 'no-match' as const, why }));
  return { route: null, candidates, ...(owner !== null && { outcome: 'misdirected' as const }) };
}

function ambiguous(
  routes: readonly ResolvedRoute[],
  { request }: RequestArrival,
  readings: readonly string[],
): Omit<Explanation, 'listener'> {
  const shown = readings.length === 0 ? 'too many ways' : list(readings);
  const why = `servers read the path ${request.path} in different ways (${shown}), which belong to different routes`;
  const candidates = routes.map(({ name }) => ({ route: name, outcome: 'no-match' as const, why }));
  return { route: null, candidates, outcome: 'ambiguous-path' };
}

/** Why a route does not match a request, or null where it does. */
function mismatch(route: ResolvedRoute, query: RequestArrival, domain: string | null): string | null {
  const { match } = route;
  const { host, path, method, fields } = query.request;
  if (!isOnSite(route, domain)) return 'it is for connections of another kind';
  if (match.domains !== null && bestDomain(route, host) === undefined) {
    if (host === null) return `it asks for ${list(match.domains)}, and the request names no host`;
    return `it asks for ${list(match.domains)}, not ${host}`;
  }
  if (match.path !== null && bestPath(match.path, path) === undefined) {
    return `it asks for ${list(match.path)}, not ${path}`;
  }
  if (match.methods !== null && !match.methods.includes(method)) {
    return `it asks for ${list(match.methods)}, not ${method}`;
  }
  for (const [name, value] of Object.entries(match.headers ?? {})) {
    if (fields[name] !== value) return `it asks for the header ${name}: ${value}`;
  }
  return clientMismatch(route, query);
}

const byName: Criterion<RequestArrival> = {
  compare: (a, b, { request }) =>
    nameRank(bestDomain(a, request.host)) - nameRank(bestDomain(b, request.host)),
  describe: (_loser, winner) =>
    `${winner.name} names the host more exactly (${list(winner.match.domains ?? [])})`,
};

const byPath: Criterion<RequestArrival> = {
  compare: (a, b, { request }) => pathRankOf(a, request.path) - pathRankOf(b, request.path),
  describe: (_loser, winner) =>
    `${winner.name} names the path more exactly (${list(winner.match.path ?? [])})`,
};

const byHeaders: Criterion<RequestArrival> = {
  compare: (a, b) => headersOf(a).length - headersOf(b).length,
  describe: (_loser, winner) => `${winner.name} asks for more headers (${list(headersOf(winner))})`,
};

const byMethods: Criterion<RequestArrival> = {
  compare: (a, b) => Number(a.match.methods !== null) - Number(b.match.methods !== null),
  describe: (_loser, winner) => `${winner.name} asks for its method (${list(winner.match.methods ?? [])})`,
};

const criteria = [byPriority, byName, byPath, byClient, byHeaders, byMethods, byAlpn, byAddress, byOrder];

function pathRankOf({ match }: ResolvedRoute, path: string): number {
  return match.path === null ? 0 : pathRank(bestPath(match.path, path));
}

function headersOf({ match }: ResolvedRoute): string[] {
  return Object.keys(match.headers ?? {});
}
