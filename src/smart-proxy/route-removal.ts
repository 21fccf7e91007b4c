import type { Clock, Timer } from '../base/clock.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';

/**
 * Gives connections of routes that a reload removed their grace, then ends them (`route-removed`).
 * A route that comes back within it, as when a bad update is undone, keeps its connections.
 */
export class RouteRemoval {
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  /** By the removed route's name. */
  readonly #timers = new Map<string, Timer>();

  constructor(clock: Clock, manager: ConnectionManager) {
    this.#clock = clock;
    this.#manager = manager;
  }

  /** Compares by name: a route that changed keeps its connections, which finish under the old terms. */
  drainRemoved(before: readonly ResolvedRoute[], after: readonly ResolvedRoute[]): void {
    const kept = new Set(after.map(({ name }) => name));
    for (const name of this.#timers.keys()) if (kept.has(name)) this.#forget(name);
    for (const route of before) if (!kept.has(route.name)) this.#drain(route);
  }

  #drain({ name, timeouts }: ResolvedRoute): void {
    const records = this.#manager.ofRoute(name);
    if (records.length === 0) return;
    const timer = this.#clock.setTimer(timeouts.shutdownGraceMs, () => {
      this.#timers.delete(name);
      for (const record of records) this.#manager.initiateCleanupOnce(record, { reason: 'route-removed' });
    });
    this.#timers.set(name, timer);
  }

  #forget(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
