import type { Clock, Timer } from './clock.ts';

const windowMs = 1_000;

interface Window<Detail> {
  told: number;
  counted: number;
  last: Detail;
  /** Each second that came before had too many: this one's are only counted. */
  storming: boolean;
  timer: Timer;
}

export interface StormOptions<Detail> {
  readonly clock: Clock;
  /** So many of a kind are told one by one in a second; from then on they are counted. */
  readonly individually: number;
  /** Once a second for each kind of which some were only counted. `last`: of the newest of them. */
  readonly tellCount: (kind: string, count: number, last: Detail) => void;
}

/**
 * Keeps what happens very often from being told every time: the first of a kind at once, the rest
 * of each second as a count, until a second comes that is quiet. Kinds have to be few.
 */
export class Storm<Detail> {
  readonly #options: StormOptions<Detail>;
  readonly #windows = new Map<string, Window<Detail>>();

  constructor(options: StormOptions<Detail>) {
    this.#options = options;
  }

  /** Whether this one is to be told by itself; if not, it is counted. */
  add(kind: string, detail: Detail): boolean {
    const window = this.#windows.get(kind);
    if (window === undefined) {
      const timer = this.#arm(kind);
      this.#windows.set(kind, { told: 1, counted: 0, last: detail, storming: false, timer });
      return true;
    }
    if (!window.storming && window.told < this.#options.individually) {
      window.told++;
      return true;
    }
    window.counted++;
    window.last = detail;
    return false;
  }

  /** Tells what is counted and not told, and cancels the timers. */
  stop(): void {
    for (const [kind, { timer, counted, last }] of this.#windows) {
      timer.cancel();
      if (counted > 0) this.#options.tellCount(kind, counted, last);
    }
    this.#windows.clear();
  }

  #arm(kind: string): Timer {
    return this.#options.clock.setTimer(windowMs, () => this.#close(kind));
  }

  #close(kind: string): void {
    const window = this.#windows.get(kind);
    if (window === undefined) return;
    if (window.counted === 0) {
      this.#windows.delete(kind);
      return;
    }
    this.#options.tellCount(kind, window.counted, window.last);
    window.storming = window.told + window.counted >= this.#options.individually;
    window.told = 0;
    window.counted = 0;
    window.timer = this.#arm(kind);
  }
}
