import { noRouteTotals, noTotals, perSecond, type RouteTotals, sum, type Totals } from './totals.ts';

/** Five minutes, at one sample a second. */
const keptSamples = 300;
/** What is older is told in steps of so many samples … */
const samplesInStep = 12;
/** … until an hour is full. */
const keptSteps = 275;
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

/**
 * The last minutes, second by second, what rates are made of, and an hour before in steps. Bounded: the oldest
 * step is forgotten.
 */
export class History {
  readonly #kept: Kept[] = [];
  /** The last of them may not be full yet. */
  readonly #steps: HistorySample[] = [];
  #inLastStep = samplesInStep;

  add(sample: HistorySample, routes: ReadonlyMap<string, RouteTotals>): void {
    this.#kept.push({ sample, routes });
    const former = this.#kept.at(-1 - rateSamples);
    if (former !== undefined) former.routes = noRoutes;
    if (this.#kept.length <= keptSamples) return;
    const [oldest] = this.#kept.splice(0, 1);
    if (oldest !== undefined) this.#grow(oldest.sample);
  }

  #grow(sample: HistorySample): void {
    const last = this.#steps.at(-1);
    if (last === undefined || this.#inLastStep === samplesInStep) {
      this.#steps.push(sample);
      this.#inLastStep = 1;
      if (this.#steps.length > keptSteps) this.#steps.shift();
      return;
    }
    this.#steps[this.#steps.length - 1] = oneOf(last, sample);
    this.#inLastStep++;
  }

  /** All that is known, oldest first: steps, then seconds. */
  past(): HistorySample[] {
    return [...this.#steps, ...this.samples(keptSamples)];
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

/** Two samples, the second right after the first. */
function oneOf(first: HistorySample, second: HistorySample): HistorySample {
  return {
    at: second.at,
    durationMs: first.durationMs + second.durationMs,
    active: second.active,
    eventLoopDelayMs: Math.max(first.eventLoopDelayMs, second.eventLoopDelayMs),
    counts: sum(first.counts, second.counts),
  };
}
