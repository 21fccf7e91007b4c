import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { TerminationReason } from '../base/termination.ts';

const windowMs = 1_000;

/** Refusals for one reason since its last line. */
interface Window {
  count: number;
  address: string;
  route: string | null;
  timer: Timer;
}

/**
 * At most one line a second for each reason, however many are refused (S3): the first at once,
 * the rest of each second as a count with the last address.
 */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #windows = new Map<TerminationReason, Window>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  add(reason: TerminationReason, address: string, route: string | null): void {
    const window = this.#windows.get(reason);
    if (window !== undefined) {
      window.count++;
      window.address = address;
      window.route = route;
      return;
    }
    this.#write(reason, { count: 1, address, route });
    this.#windows.set(reason, { count: 0, address, route, timer: this.#arm(reason) });
  }

  /** Writes what is counted but not written, and cancels the timers. */
  stop(): void {
    for (const [reason, window] of this.#windows) {
      window.timer.cancel();
      if (window.count > 0) this.#write(reason, window);
    }
    this.#windows.clear();
  }

  #arm(reason: TerminationReason): Timer {
    return this.#clock.setTimer(windowMs, () => this.#close(reason));
  }

  #close(reason: TerminationReason): void {
    const window = this.#windows.get(reason);
    if (window === undefined) return;
    if (window.count === 0) {
      this.#windows.delete(reason);
      return;
    }
    this.#write(reason, window);
    window.count = 0;
    window.timer = this.#arm(reason);
  }

  #write(
    reason: TerminationReason,
    { count, address, route }: { count: number; address: string; route: string | null },
  ): void {
    this.#log.warn('connections-refused', { reason, count, address, ...(route === null ? {} : { route }) });
  }
}
