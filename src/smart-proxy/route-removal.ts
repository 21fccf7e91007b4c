import type { Clock, Timer } from '../base/clock.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';

/** Gives connections of routes that a reload removed their grace, then ends them (`route-removed`). */
export class RouteRemoval {
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  readonly #timers = new Set<Timer>();

  constructor(clock: Clock, manager: ConnectionManager) {
    this.#clock = clock;
    this.#manager = manager;
  }

  /** Compares by name: a route that changed keeps its connections, which finish under the old terms. */
  drainRemoved(before: readonly ResolvedRoute[], after: readonly ResolvedRoute[]): void {
    const kept = new Set(after.map(({ name }) => name));
    for (const route of before) if (!kept.has(route.name)) this.#drain(route);
  }

  #drain(route: ResolvedRoute): void {
    const records = this.#manager.ofRoute(route.name);
    if (records.length === 0) return;
    const timer = this.#clock.setTimer(route.timeouts.shutdownGraceMs, () => {
      this.#timers.delete(timer);
      for (const record of records) this.#manager.initiateCleanupOnce(record, { reason: 'route-removed' });
    });
    this.#timers.add(timer);
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
