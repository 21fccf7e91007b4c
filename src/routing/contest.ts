import type { ResolvedRoute } from '../config/resolved.ts';
import type { ExplainedCandidate } from './explanation.ts';

/** One step of the comparison between two routes that both match: positive where the first wins. */
export interface Criterion<Query> {
  compare(a: ResolvedRoute, b: ResolvedRoute, query: Query): number;
  describe(loser: ResolvedRoute, winner: ResolvedRoute): string;
}

/** What decides: why a route does not match (null: it does), and what of two that do is better. */
export interface Rules<Query> {
  mismatch(route: ResolvedRoute, query: Query): string | null;
  readonly criteria: readonly Criterion<Query>[];
}

export interface Contest {
  readonly winner: ResolvedRoute | null;
  /** Every route, in the order of the configuration. */
  readonly candidates: readonly ExplainedCandidate[];
}

/** Compares routes one by one, and says of each why it wins or does not. */
export function contest<Query>(routes: readonly ResolvedRoute[], query: Query, rules: Rules<Query>): Contest {
  const matching: ResolvedRoute[] = [];
  const reasons = new Map<ResolvedRoute, string>();
  for (const route of routes) {
    const reason = rules.mismatch(route, query);
    if (reason === null) matching.push(route);
    else reasons.set(route, reason);
  }
  const winner = matching.reduce<ResolvedRoute | null>(
    (best, route) => (best === null || duel(route, best, query, rules).result > 0 ? route : best),
    null,
  );
  const candidates = routes.map((route): ExplainedCandidate => {
    const reason = reasons.get(route);
    if (reason !== undefined) return { route: route.name, outcome: 'no-match', why: reason };
    if (route === winner)
      return { route: route.name, outcome: 'chosen', why: praise(route, matching.length) };
    return { route: route.name, outcome: 'lost', why: defeat(route, winner as ResolvedRoute, query, rules) };
  });
  return { winner, candidates };
}

function duel<Query>(
  a: ResolvedRoute,
  b: ResolvedRoute,
  query: Query,
  { criteria }: Rules<Query>,
): { result: number; criterion?: Criterion<Query> } {
  for (const criterion of criteria) {
    const result = criterion.compare(a, b, query);
    if (result !== 0) return { result, criterion };
  }
  return { result: 0 };
}

function defeat<Query>(
  loser: ResolvedRoute,
  winner: ResolvedRoute,
  query: Query,
  rules: Rules<Query>,
): string {
  const { criterion } = duel(loser, winner, query, rules);
  return `it matches, but ${criterion?.describe(loser, winner) ?? `${winner.name} comes first`}`;
}

function praise(route: ResolvedRoute, matching: number): string {
  if (matching === 1) return 'the only route that matches';
  return `the best of ${matching} routes that match, with priority ${route.priority}`;
}
