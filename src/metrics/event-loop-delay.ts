import type { Clock, Timer } from '../base/clock.ts';
import { DurationHistogram, shortDurations } from './duration-histogram.ts';

/** Between two looks. What arrives at any moment waits as long as this timer does. */
const lookEveryMs = 100;
/** The last minute. */
const keptLooks = 600;

export interface DelaySummary {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** How late the event loop is: what everything that arrives waits before anybody looks at it. */
export class EventLoopDelay {
  readonly histogram = new DurationHistogram(shortDurations);
  readonly #clock: Clock;
  readonly #recent = new Float64Array(keptLooks);
  #looks = 0;
  #longestMs = 0;
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    const dueAt = this.#clock.now() + lookEveryMs;
    this.#timer = this.#clock.setTimer(lookEveryMs, () => {
      this.#observe(Math.max(0, this.#clock.now() - dueAt));
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #observe(milliseconds: number): void {
    this.histogram.observe(milliseconds);
    this.#recent[this.#looks++ % keptLooks] = milliseconds;
    this.#longestMs = Math.max(this.#longestMs, milliseconds);
  }

  /** The longest since the last call. */
  takeLongest(): number {
    const longest = this.#longestMs;
    this.#longestMs = 0;
    return longest;
  }

  /** Of the last minute. */
  summary(): DelaySummary {
    const sorted = this.#recent.slice(0, Math.min(this.#looks, keptLooks)).sort();
    const quantile = (share: number): number =>
      rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
    return { p50Ms: quantile(0.5), p99Ms: quantile(0.99), maxMs: quantile(1) };
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
