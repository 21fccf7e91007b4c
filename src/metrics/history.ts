import { noRouteTotals, noTotals, perSecond, type RouteTotals, sum, type Totals } from './totals.ts';

/** Five minutes, at one sample a second. */
const keptSamples = 300;
/** Rates are those of the last ten seconds. */
const rateSamples = 10;

/** What happened within one second, or longer where the event loop was late. */
export interface HistorySample {
  /** ISO 8601, UTC: when it ended. */
  at: string;
  durationMs: number;
  /** Connections at its end. */
  active: number;
  /** The longest that the event loop was late. */
  eventLoopDelayMs: number;
  counts: Totals;
}

/** Per second, on the average of `windowMs`; that is 0 before anything was sampled. */
export type Rates = Totals & { windowMs: number };
export type RouteRates = RouteTotals & { windowMs: number };

interface Kept {
  readonly sample: HistorySample;
  /** Only routes with which something happened; given up when no rate needs it any more. */
  routes: ReadonlyMap<string, RouteTotals>;
}

const noRoutes: ReadonlyMap<string, RouteTotals> = new Map();

/** The last minutes, second by second, and what rates are made of. Bounded: the oldest second is forgotten. */
export class History {
  readonly #kept: Kept[] = [];

  add(sample: HistorySample, routes: ReadonlyMap<string, RouteTotals>): void {
    this.#kept.push({ sample, routes });
    const former = this.#kept.at(-1 - rateSamples);
    if (former !== undefined) former.routes = noRoutes;
    if (this.#kept.length > keptSamples) this.#kept.shift();
  }

  /** Oldest first. */
  samples(count: number): HistorySample[] {
    return this.#kept.slice(-count).map(({ sample }) => sample);
  }

  rates(): Rates {
    const counts = this.#recent.map(({ sample }) => sample.counts).reduce(sum, noTotals);
    return { windowMs: this.#windowMs, ...perSecond(counts, this.#windowMs) };
  }

  routeRates(route: string): RouteRates {
    const counts = this.#recent.flatMap(({ routes }) => routes.get(route) ?? []).reduce(sum, noRouteTotals);
    return { windowMs: this.#windowMs, ...perSecond(counts, this.#windowMs) };
  }

  get #recent(): Kept[] {
    return this.#kept.slice(-rateSamples);
  }

  get #windowMs(): number {
    return this.#recent.reduce((total, { sample }) => total + sample.durationMs, 0);
  }
}
