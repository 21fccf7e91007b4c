import type { Clock, Timer } from '../../src/base/clock.ts';

/** One proxy's view of the world's clock: counts what the proxy itself still has pending. */
export class ProxyClock implements Clock {
  readonly #clock: Clock;
  readonly #waiting = new Set<Timer>();
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get pending(): number {
    return this.#waiting.size;
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

  /** The process is gone: nothing that it waited for happens any more. */
  kill(): void {
    this.#stopped = true;
    for (const timer of [...this.#waiting]) timer.cancel();
  }

  #counted(schedule: (callback: () => void) => Timer, callback: () => void): Timer {
    const timer = schedule(() => {
      if (this.#waiting.delete(counted) && !this.#stopped) callback();
    });
    const counted = {
      cancel: () => {
        if (this.#waiting.delete(counted)) timer.cancel();
      },
    };
    this.#waiting.add(counted);
    return counted;
  }
}
