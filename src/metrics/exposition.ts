import { type Metric, Registry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import type { DurationHistogram } from './duration-histogram.ts';
import type { Labels } from './route-figures.ts';

/** One line of the exposition. */
export interface Line {
  readonly labels: Labels;
  readonly value: number;
}

/** A metric that is made when it is asked for, out of numbers that are kept elsewhere. */
export interface Family {
  /** Without `smartproxy_`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  lines(): Iterable<Line>;
}

export interface HistogramFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  readonly durations: DurationHistogram;
}

const prefix = 'smartproxy_';
const noLabels: Labels = {};

/** `shared` is prom-client's own word for labels whose text it may keep: it does, by the object. */
interface Value {
  readonly labels: Labels;
  readonly sharedLabels?: Labels;
  readonly value: number;
  readonly metricName?: string;
}

/**
 * Prometheus's text format, written by prom-client out of plain numbers. Between two metrics other
 * work has its turn; a scrape that comes while another is being written gets the same text.
 */
export class Exposition {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #clock: Clock;
  readonly #names: string[] = [];
  #writing: Promise<string> | null = null;

  constructor(clock: Clock, families: readonly (Family | HistogramFamily)[]) {
    this.#clock = clock;
    for (const family of families) this.#register(family);
  }

  /** A registry only ever asks a metric for its name and for its values. */
  #register(family: Family | HistogramFamily): void {
    const name = prefix + family.name;
    const { help, type } = family;
    const get = async () => ({ name, help, type, values: valuesOf(name, family) });
    this.#registry.registerMetric({ name, help, type, get } as unknown as Metric);
    this.#names.push(name);
  }

  text(): Promise<string> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #write(): Promise<string> {
    const parts: string[] = [];
    for (const name of this.#names) {
      parts.push(await this.#registry.getSingleMetricAsString(name));
      await new Promise<void>((resolve) => this.#clock.setImmediate(resolve));
    }
    return `${parts.join('\n')}\n`;
  }
}

function valuesOf(name: string, family: Family | HistogramFamily): Value[] {
  if (family.type === 'histogram') return histogramValues(name, family.durations);
  return Array.from(family.lines(), ({ labels, value }) => ({
    labels: noLabels,
    sharedLabels: labels,
    value,
  }));
}

/** Buckets are cumulative. */
function histogramValues(name: string, { bounds, counts, sum }: DurationHistogram): Value[] {
  let count = 0;
  const buckets = Array.from(counts, (inBucket, index): Value => {
    count += inBucket;
    const le = index < bounds.length ? String(bounds[index]) : '+Inf';
    return { metricName: `${name}_bucket`, labels: { le }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: noLabels, value: sum },
    { metricName: `${name}_count`, labels: noLabels, value: count },
  ];
}
