import type { Clock } from '../base/clock.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';

/** Waits for connections to end by themselves, and ends those that do not. */
export class Drain implements ConnectionObserver {
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  readonly #waiting = new Set<() => void>();
  #hurried = false;

  constructor(clock: Clock, manager: ConnectionManager) {
    this.#clock = clock;
    this.#manager = manager;
  }

  ended(): void {
    if (this.#manager.size > 0) return;
    for (const resolve of this.#waiting) resolve();
  }

  /**
   * Resolves when no connection is left: at the latest `graceMs` from now plus the longest
   * `cleanupGraceMs`. What is left after the grace ends with reason `shutdown`.
   */
  async run(graceMs: number, cleanupGraceMs: number): Promise<void> {
    if (await this.#emptyWithin(this.#hurried ? 0 : graceMs)) return;
    this.#manager.forceClosing();
    for (const record of this.#manager.live())
      this.#manager.initiateCleanupOnce(record, { reason: 'shutdown' });
    if (await this.#emptyWithin(cleanupGraceMs)) return;
    this.#manager.forceClosing();
    await this.#emptyWithin(cleanupGraceMs);
  }

  /** The second signal: ends the waiting of a `run` under way, or the grace of one that is about to begin. */
  hurry(): void {
    this.#hurried = true;
    for (const resolve of this.#waiting) resolve();
  }

  async #emptyWithin(limitMs: number): Promise<boolean> {
    if (this.#manager.size > 0) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          timer.cancel();
          this.#waiting.delete(done);
          resolve();
        };
        const timer = this.#clock.setTimer(limitMs, done);
        this.#waiting.add(done);
      });
    }
    return this.#manager.size === 0;
  }
}
