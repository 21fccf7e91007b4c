import { type Clock, systemClock, type Timer } from '../../src/base/clock.ts';

interface Entry {
  dueAt: number;
  run(): void;
  real: Timer;
}

/**
 * The machine's clock, for real sockets, that a test can move on: a deadline of an hour is reached
 * by `skip`, and one that a slow machine must not reach is simply long.
 */
export class SkippingClock implements Clock {
  #skippedMs = 0;
  readonly #entries = new Set<Entry>();

  now(): number {
    return systemClock.now() + this.#skippedMs;
  }

  wallTime(): number {
    return systemClock.wallTime() + this.#skippedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry: Entry = {
      dueAt: this.now() + delayMs,
      run: () => {
        this.#entries.delete(entry);
        entry.real.cancel();
        callback();
      },
      real: systemClock.setTimer(delayMs, () => entry.run()),
    };
    this.#entries.add(entry);
    return {
      cancel: () => {
        this.#entries.delete(entry);
        entry.real.cancel();
      },
    };
  }

  setImmediate(callback: () => void): Timer {
    return systemClock.setImmediate(callback);
  }

  random(): number {
    return systemClock.random();
  }

  /** Timers that are armed. */
  get timers(): number {
    return this.#entries.size;
  }

  /** Moves time on. What is due by then runs within the call, in the order in which it was due. */
  skip(milliseconds: number): void {
    this.#skippedMs += milliseconds;
    const now = this.now();
    const entries = [...this.#entries].sort((one, other) => one.dueAt - other.dueAt);
    for (const entry of entries) {
      if (!this.#entries.has(entry)) continue;
      entry.real.cancel();
      if (entry.dueAt <= now) entry.run();
      else entry.real = systemClock.setTimer(entry.dueAt - now, () => entry.run());
    }
  }
}
