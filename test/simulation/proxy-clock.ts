import type { Clock, Timer } from '../../src/base/clock.ts';

/** The proxy's view of the world's clock: counts what the proxy itself still has pending. */
export class ProxyClock implements Clock {
  readonly #clock: Clock;
  pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  wallTime(): number {
    return this.#clock.wallTime();
  }

  random(): number {
    return this.#clock.random();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#counted((counted) => this.#clock.setTimer(delayMs, counted), callback);
  }

  setImmediate(callback: () => void): Timer {
    return this.#counted((counted) => this.#clock.setImmediate(counted), callback);
  }

  #counted(schedule: (callback: () => void) => Timer, callback: () => void): Timer {
    let waiting = true;
    const done = (): boolean => {
      const was = waiting;
      waiting = false;
      if (was) this.pending--;
      return was;
    };
    this.pending++;
    const timer = schedule(() => {
      if (done()) callback();
    });
    return {
      cancel: () => {
        if (done()) timer.cancel();
      },
    };
  }
}
