import { RouteFigures } from './route-figures.ts';

/** Routes that are told one by one. Each costs a dozen lines in a scrape. */
export const maxLabelledRoutes = 1_000;
/** Connections and requests that no route has taken. */
const noRouteLabel = '(none)';
/** All routes beyond the first thousand together. */
export const otherRoutesLabel = '(other)';

interface Entry {
  readonly figures: RouteFigures;
  /** No configuration has had it since the last reload but one. */
  leaving: boolean;
}

/**
 * Figures by route. Bounded: a route beyond the first thousand is counted with the others, and one
 * that a reload removed is forgotten at the reload after it, when it has no connection left.
 */
export class RouteTable {
  readonly #entries = new Map<string, Entry>();
  readonly #none = new RouteFigures(noRouteLabel);
  readonly #other = new RouteFigures(otherRoutesLabel);

  of(name: string | null): RouteFigures {
    if (name === null) return this.#none;
    const entry = this.#entries.get(name);
    return entry === undefined ? this.#add(name) : entry.figures;
  }

  #add(name: string): RouteFigures {
    const figures = this.#entries.size < maxLabelledRoutes ? new RouteFigures(name) : this.#other;
    this.#entries.set(name, { figures, leaving: false });
    return figures;
  }

  /** The names that a configuration has now: each has its figures from here on, before anybody comes. */
  use(names: readonly string[]): void {
    const present = new Set(names);
    for (const [name, entry] of this.#entries) {
      if (present.has(name)) entry.leaving = false;
      else if (!entry.leaving) entry.leaving = true;
      else if (entry.figures.active === 0) this.#entries.delete(name);
    }
    for (const name of names) this.of(name);
  }

  /** Each once, with those that no route has first. */
  *all(): Generator<RouteFigures, void> {
    yield this.#none;
    for (const { figures } of this.#entries.values()) if (figures !== this.#other) yield figures;
    if (this.#hasOthers) yield this.#other;
  }

  get #hasOthers(): boolean {
    return this.#other.opened > 0 || this.#other.requestCount > 0;
  }
}
