import type { Inherits } from './implied-protocol.ts';
import type { ProcessValues } from './resolve-route.ts';
import type { ResolvedRoute } from './resolved.ts';
import type { Route } from './schema.ts';
import { copyOfPlain, isAlike } from './written-alike.ts';

/** A route that was read, and of which there was nothing to say. */
export interface ReadRoute {
  readonly written: Route;
  readonly inherits: Inherits;
  /** By itself, without what it takes from its neighbours. */
  readonly resolved: ResolvedRoute;
}

/**
 * The routes of the configuration that was accepted last: one that is written as it was then need not be checked and
 * spelled out again. A reload mostly changes one of many. What stays is the same object, so that whatever was
 * made of it can stay as well.
 */
export class RouteMemory {
  #process: ProcessValues | null = null;
  /** `written` is a copy of what was given, which nobody else can change. */
  #routes: ReadonlyMap<string, ReadRoute> = new Map();

  /** What routes build on: the same object for as long as nothing in it changes. */
  buildOn(process: ProcessValues): ProcessValues {
    return this.#process !== null && isAlike(this.#process, process) ? this.#process : process;
  }

  /** A route that is written like `entry`, of which nothing is known. Its shape is right. */
  writtenLike(entry: unknown): Route | undefined {
    const known = this.#routes.get(nameOf(entry));
    return known !== undefined && isAlike(entry, known.written) ? known.written : undefined;
  }

  /** What `written`, had from `writtenLike`, was read as; `order` is its place in the configuration. */
  recall(written: Route, order: number, process: ProcessValues): ReadRoute | undefined {
    const known = this.#routes.get(written.name);
    if (known?.written !== written || this.#process !== process) return undefined;
    return known.resolved.order === order ? known : { ...known, resolved: { ...known.resolved, order } };
  }

  /**
   * Of the configuration that is accepted.
   * @param entries what was given, by place in the configuration
   */
  keep(routes: readonly ReadRoute[], entries: readonly unknown[], process: ProcessValues): void {
    const kept = new Map<string, ReadRoute>();
    for (const route of routes) {
      const { name, order } = route.resolved;
      const isRecalled = this.#routes.get(name)?.written === route.written;
      const written = isRecalled ? route.written : (copyOfPlain(entries[order]) as Route | undefined);
      if (written !== undefined) kept.set(name, { ...route, written });
    }
    this.#process = process;
    this.#routes = kept;
  }
}

function nameOf(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null || !('name' in entry)) return '';
  return typeof entry.name === 'string' ? entry.name : '';
}
