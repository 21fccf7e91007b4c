import type { Clock } from '../base/clock.ts';
import type { Dial } from '../base/transport.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { DelaySummary } from '../metrics/event-loop-delay.ts';
import { Exposition } from '../metrics/exposition.ts';
import { type MetricsSources, metricFamilies } from '../metrics/families.ts';
import type { HistorySample, Rates } from '../metrics/history.ts';
import { type EndingCount, Metrics } from '../metrics/metrics.ts';
import { type RouteReport, routeReporter } from '../metrics/route-report.ts';
import { Sampler } from '../metrics/sampler.ts';
import { timedDial } from '../metrics/timed-dial.ts';
import { noTotals } from '../metrics/totals.ts';

/** The part of the statistics that is measured rather than kept in the books. */
export interface MeasuredStatistics {
  /** Per second, on the average of the last `windowMs`: 0 where nothing is measured, or not yet. */
  rates: Rates;
  /** By reason and phase, the most frequent first. */
  endings: EndingCount[];
  /** How late the event loop was in the last minute. */
  eventLoopDelay: DelaySummary;
}

export const nothingMeasured: MeasuredStatistics = Object.freeze({
  rates: { windowMs: 0, ...noTotals },
  endings: [],
  eventLoopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
});

/** A text for Prometheus. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

/** Metrics of one running proxy: what they hear, and who asks for them. */
export class Measurement {
  readonly metrics: Metrics;
  readonly #clock: Clock;
  readonly #sampler: Sampler;
  readonly #exposition: Exposition;

  constructor(
    clock: Clock,
    manager: ConnectionManager,
    sources: Pick<MetricsSources, 'auditDifference' | 'networkProxy' | 'certificates'>,
  ) {
    this.#clock = clock;
    this.metrics = new Metrics(() => manager.live());
    this.#sampler = new Sampler(clock, this.metrics, () => manager.size);
    const { histogram: eventLoopDelay } = this.#sampler.eventLoopDelay;
    const wallTime = (): number => clock.wallTime();
    const families = metricFamilies(this.metrics, { ...sources, eventLoopDelay, wallTime });
    this.#exposition = new Exposition(clock, families);
    manager.observe(this.metrics);
  }

  timed(dial: Dial): Dial {
    return timedDial(dial, this.#clock, (durationMs) => this.metrics.dialOver(durationMs));
  }

  /** Of the configuration in force. */
  useRoutes(routes: readonly { readonly name: string }[]): void {
    this.metrics.routes.use(routes.map(({ name }) => name));
  }

  start(): void {
    this.#sampler.start();
  }

  stop(): void {
    this.#sampler.stop();
  }

  statistics(): MeasuredStatistics {
    const { rates, delay: eventLoopDelay } = this.#sampler;
    return { rates, endings: this.metrics.endings(), eventLoopDelay };
  }

  history(seconds: number): HistorySample[] {
    return this.#sampler.history(seconds);
  }

  /** The last hour: what is longer ago than minutes is told in steps. */
  past(): HistorySample[] {
    return this.#sampler.past();
  }

  routeReporter(): (name: string) => RouteReport {
    return routeReporter(this.metrics, this.#sampler);
  }

  async text(): Promise<MetricsText> {
    return { contentType: this.#exposition.contentType, text: await this.#exposition.text() };
  }
}
