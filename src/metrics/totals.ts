import type { TerminationReason } from '../base/termination.ts';

/** What was counted; only ever goes up. What has not occurred is missing from the lists. */
export interface Totals {
  opened: number;
  terminated: number;
  refused: number;
  /** HTTP requests that are over. */
  requests: number;
  /** TLS handshakes that were completed. */
  handshakes: number;
  bytes: { fromClient: number; toClient: number };
  terminations: Partial<Record<TerminationReason, number>>;
  refusals: Partial<Record<TerminationReason, number>>;
  /** Requests by the class of their answer: `2xx`; `none` where the client left before. */
  statuses: Record<string, number>;
}

/** The same of one route. */
export interface RouteTotals {
  opened: number;
  terminated: number;
  requests: number;
  bytes: { fromClient: number; toClient: number };
}

export const noTotals: Totals = Object.freeze({
  ...{ opened: 0, terminated: 0, refused: 0, requests: 0, handshakes: 0 },
  ...{ bytes: { fromClient: 0, toClient: 0 }, terminations: {}, refusals: {}, statuses: {} },
});

export const noRouteTotals: RouteTotals = Object.freeze({
  ...{ opened: 0, terminated: 0, requests: 0, bytes: { fromClient: 0, toClient: 0 } },
});

/** What came to `before` until it was `now`. */
export function increase<Counts extends object>(before: Counts, now: Counts): Counts {
  return combine(before, now, (from, to) => to - from);
}

export function sum<Counts extends object>(one: Counts, other: Counts): Counts {
  return combine(one, other, (first, second) => first + second);
}

export function perSecond<Counts extends object>(counts: Counts, milliseconds: number): Counts {
  if (milliseconds === 0) return counts;
  return combine(counts, counts, (count) => Math.round((count / milliseconds) * 1_000_000) / 1_000);
}

type Tree = { [key: string]: number | Tree };

/** Number by number; what one of them lacks is 0. */
function combine<Counts extends object>(
  one: Counts,
  other: Counts,
  each: (first: number, second: number) => number,
): Counts {
  const result: Tree = {};
  const [first, second] = [one as unknown as Tree, other as unknown as Tree];
  for (const key of new Set([...Object.keys(first), ...Object.keys(second)])) {
    const value = first[key] ?? second[key]!;
    result[key] =
      typeof value === 'number'
        ? each((first[key] ?? 0) as number, (second[key] ?? 0) as number)
        : combine((first[key] ?? {}) as Tree, (second[key] ?? {}) as Tree, each);
  }
  return result as unknown as Counts;
}
