import type { Clock, Timer } from '../base/clock.ts';
import type { ResolvedRoute } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { RouteIndex } from '../routing/route-index.ts';

/** Requests, which have routes of their own. */
export interface RequestsOfRoutes {
  /** The names of routes that requests under way have taken. */
  routesInUse(): ReadonlySet<string>;
  /** Ends those of one route with `route-removed`. */
  endRequestsOf(route: string): void;
}

export interface RouteRemovalParts {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly requests: RequestsOfRoutes;
  /** The routes in force. */
  readonly routes: () => RouteIndex;
}

/**
 * Gives connections and requests of routes that a reload removed their grace, then ends them
 * (`route-removed`). A route that comes back within it, as when a bad update is undone, keeps them.
 */
export class RouteRemoval {
  readonly #parts: RouteRemovalParts;
  /** By the removed route's name. */
  readonly #timers = new Map<string, Timer>();

  constructor(parts: RouteRemovalParts) {
    this.#parts = parts;
  }

  /** Compares by name: a route that changed keeps its connections, which finish under the old terms. */
  drainRemoved(before: readonly ResolvedRoute[], after: readonly ResolvedRoute[]): void {
    const kept = new Set(after.map(({ name }) => name));
    for (const name of this.#timers.keys()) if (kept.has(name)) this.#forget(name);
    const removed = before.filter(({ name }) => !kept.has(name));
    if (removed.length === 0) return;
    const { manager, requests } = this.#parts;
    const inUse = requests.routesInUse();
    for (const route of removed) {
      if (manager.ofRoute(route.name).length > 0 || inUse.has(route.name)) this.#drain(route);
    }
  }

  #drain({ name, timeouts }: ResolvedRoute): void {
    const timer = this.#parts.clock.setTimer(timeouts.shutdownGraceMs, () => {
      this.#timers.delete(name);
      this.#end(name);
    });
    this.#timers.set(name, timer);
  }

  /** A connection whose site is still there goes on: its next request takes another route. */
  #end(name: string): void {
    const { manager, requests, routes } = this.#parts;
    requests.endRequestsOf(name);
    for (const record of manager.ofRoute(name)) {
      if (record.siteKey !== null && routes().site(record.siteKey) !== undefined) continue;
      manager.initiateCleanupOnce(record, { reason: 'route-removed' });
    }
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
