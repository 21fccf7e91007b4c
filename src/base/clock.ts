import { performance } from 'node:perf_hooks';

/**
 * Time, turns of the event loop and randomness, injected everywhere, so that the whole life
 * cycle can be simulated deterministically.
 */
export interface Clock {
  /** Monotonic milliseconds, with a fraction. Only differences mean anything. */
  now(): number;
  /** Milliseconds since the epoch, for what people and other programs read. */
  wallTime(): number;
  /** Runs `callback` once, `delayMs` from now. Delays above 2³¹−1 ms are served in slices (L14). */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Runs `callback` in the next turn of the event loop, after I/O had its chance. */
  setImmediate(callback: () => void): Timer;
  /** A number in [0, 1). Not for secrets. */
  random(): number;
}

export interface Timer {
  /** Idempotent; after it the callback never runs. */
  cancel(): void;
}

/** Node fires a longer timer at once (and warns). */
export const longestTimerMs = 2 ** 31 - 1;

class SlicedTimer implements Timer {
  #handle: NodeJS.Timeout | undefined;

  constructor(delayMs: number, callback: () => void) {
    this.#arm(performance.now() + delayMs, callback);
  }

  #arm(dueAt: number, callback: () => void): void {
    const left = dueAt - performance.now();
    this.#handle = setTimeout(
      () => (left > longestTimerMs ? this.#arm(dueAt, callback) : callback()),
      Math.min(Math.max(left, 0), longestTimerMs),
    );
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The real clock. Its timers keep the process alive: whoever sets one cancels it. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (delayMs, callback) => new SlicedTimer(delayMs, callback),
  setImmediate(callback) {
    const handle = setImmediate(callback);
    return { cancel: () => clearImmediate(handle) };
  },
  random: () => Math.random(),
};
