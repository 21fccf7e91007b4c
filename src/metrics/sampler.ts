import type { Clock, Timer } from '../base/clock.ts';
import { type DelaySummary, EventLoopDelay } from './event-loop-delay.ts';
import { History, type HistorySample, type Rates, type RouteRates } from './history.ts';
import type { Metrics } from './metrics.ts';
import { increase, noRouteTotals, noTotals, type RouteTotals, type Totals } from './totals.ts';

const sampleEveryMs = 1_000;

/** Looks at the counts once a second: from that come rates, the last minutes, and how late the event loop is. */
export class Sampler {
  readonly eventLoopDelay: EventLoopDelay;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #active: () => number;
  readonly #history = new History();
  #timer: Timer | null = null;
  #sampledAt = 0;
  #totals: Totals = noTotals;
  #routes: ReadonlyMap<string, RouteTotals> = new Map();

  /** @param active how many connections are live */
  constructor(clock: Clock, metrics: Metrics, active: () => number) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#active = active;
    this.eventLoopDelay = new EventLoopDelay(clock);
  }

  start(): void {
    this.eventLoopDelay.start();
    this.#sampledAt = this.#clock.now();
    this.#arm();
  }

  stop(): void {
    this.eventLoopDelay.stop();
    this.#timer?.cancel();
    this.#timer = null;
  }

  get rates(): Rates {
    return this.#history.rates();
  }

  routeRates(route: string): RouteRates {
    return this.#history.routeRates(route);
  }

  /** The last `count` seconds, oldest first. */
  history(count: number): HistorySample[] {
    return this.#history.samples(count);
  }

  /** The last hour, in steps where it is longer ago. */
  past(): HistorySample[] {
    return this.#history.past();
  }

  /** Of the last minute. */
  get delay(): DelaySummary {
    return this.eventLoopDelay.summary();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(sampleEveryMs, () => {
      this.#sample();
      this.#arm();
    });
  }

  #sample(): void {
    const now = this.#clock.now();
    const [totals, routes] = [this.#metrics.totals(), this.#metrics.routeTotals()];
    this.#history.add(
      {
        at: new Date(this.#clock.wallTime()).toISOString(),
        durationMs: Math.round(now - this.#sampledAt),
        active: this.#active(),
        eventLoopDelayMs: Math.round(this.eventLoopDelay.takeLongest() * 10) / 10,
        counts: increase(this.#totals, totals),
      },
      this.#busyRoutes(routes),
    );
    this.#sampledAt = now;
    this.#totals = totals;
    this.#routes = routes;
  }

  /** What came to each route since the last look; only those to which something came. */
  #busyRoutes(routes: ReadonlyMap<string, RouteTotals>): Map<string, RouteTotals> {
    const busy = new Map<string, RouteTotals>();
    for (const [route, totals] of routes) {
      const before = this.#routes.get(route) ?? noRouteTotals;
      if (!isSame(before, totals)) busy.set(route, increase(before, totals));
    }
    return busy;
  }
}

function isSame(one: RouteTotals, other: RouteTotals): boolean {
  return (
    one.opened === other.opened &&
    one.terminated === other.terminated &&
    one.requests === other.requests &&
    one.bytes.fromClient === other.bytes.fromClient &&
    one.bytes.toClient === other.bytes.toClient
  );
}
