/** Event-loop delay of a proxy process that the benchmark started, asked for over its IPC channel. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** One stretch of time, in milliseconds. */
export interface LoopDelay {
  p99: number;
  max: number;
}

/** Milliseconds between two looks at the clock; subtracted from what is reported. */
const resolutionMs = 1;

/** In the proxy: answers `start` by beginning to measure, and `stop` with a LoopDelay. */
export function answerProbes(): void {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  const milliseconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  process.on('message', (message) => {
    if (message === 'start') {
      histogram.reset();
      histogram.enable();
      process.send?.('started');
      return;
    }
    if (message !== 'stop') return;
    histogram.disable();
    process.send?.({ p99: milliseconds(histogram.percentile(99)), max: milliseconds(histogram.max) });
  });
}
