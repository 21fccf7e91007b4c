/** Upper bounds of buckets, in seconds, ascending: for what takes a fraction of a second when all is well. */
export const shortDurations: readonly number[] = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10, 30, 60],
];

/** For connections, which last from a moment to days. */
export const longDurations: readonly number[] = [
  ...[0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900],
  ...[3_600, 14_400, 86_400, 604_800],
];

/** How often durations fell into each bucket: plain numbers, until somebody asks. */
export class DurationHistogram {
  readonly bounds: readonly number[];
  /** Not cumulative. The last one is for what is above every bound. */
  readonly counts: Float64Array;
  /** Seconds. */
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(milliseconds: number): void {
    const seconds = milliseconds / 1000;
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += seconds;
  }

  get count(): number {
    return this.counts.reduce((total, count) => total + count, 0);
  }
}
