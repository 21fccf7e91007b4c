import type { HistorySample } from '../../live/messages.ts';

/** What happened within a while: one second, or several that a chart shows as one. */
export interface Span {
  /** When it ended, in milliseconds since the epoch. */
  readonly at: number;
  readonly seconds: number;
  /** Connections at its end. */
  readonly active: number;
  /** The longest that the event loop was late. */
  readonly delayMs: number;
  readonly counts: Counts;
}

type Counts = HistorySample['counts'];

/** An hour at one sample a second. */
const keptSpans = 3_600;

/** The past as far as charts show it, oldest first. Bounded. */
export class Samples {
  #spans: Span[] = [];

  /** Begins anew with what the server remembers. */
  reset(samples: readonly HistorySample[]): void {
    this.#spans = samples.map(spanOf);
  }

  add(samples: readonly HistorySample[]): void {
    this.#spans.push(...samples.map(spanOf));
    if (this.#spans.length > keptSpans) this.#spans.splice(0, this.#spans.length - keptSpans);
  }

  /** The last few, for what is told in a number. */
  last(count: number): readonly Span[] {
    return this.#spans.slice(-count);
  }

  /**
   * Those of the last `seconds`, and of each step one. Steps begin at round times, so that a line stays
   * as it was.
   */
  within(seconds: number, stepSeconds: number): Span[] {
    const since = (this.#spans.at(-1)?.at ?? 0) - seconds * 1_000;
    const spans = this.#spans.slice(this.#spans.findIndex(({ at }) => at >= since));
    const stepOf = ({ at }: Span): number => Math.floor(at / (stepSeconds * 1_000));
    return [...Map.groupBy(spans, stepOf).values()].map(merged);
  }
}

function spanOf({ at, durationMs, active, eventLoopDelayMs, counts }: HistorySample): Span {
  return { at: Date.parse(at), seconds: durationMs / 1_000, active, delayMs: eventLoopDelayMs, counts };
}

function merged(spans: readonly Span[]): Span {
  const last = spans.at(-1) as Span;
  return {
    at: last.at,
    seconds: spans.reduce((sum, { seconds }) => sum + seconds, 0),
    active: last.active,
    delayMs: Math.max(...spans.map(({ delayMs }) => delayMs)),
    counts: spans.map(({ counts }) => counts).reduce(sumOf),
  };
}

function sumOf(one: Counts, other: Counts): Counts {
  return {
    opened: one.opened + other.opened,
    terminated: one.terminated + other.terminated,
    refused: one.refused + other.refused,
    requests: one.requests + other.requests,
    handshakes: one.handshakes + other.handshakes,
    bytes: addUp(one.bytes, other.bytes) as Counts['bytes'],
    terminations: addUp(one.terminations, other.terminations),
    refusals: addUp(one.refusals, other.refusals),
    statuses: addUp(one.statuses, other.statuses) as Counts['statuses'],
  };
}

type Named = Readonly<Partial<Record<string, number>>>;

function addUp(one: Named, other: Named): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const counts of [one, other]) {
    for (const [name, count = 0] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}
