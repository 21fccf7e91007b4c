import type { BothWays } from './shown-connection.ts';

/** Two minutes at one tick a second. */
export const keptRates = 120;

/** What passes over one route. */
export interface RouteFigures {
  active: number;
  /** Bytes each second in both directions together, oldest first, the last tick last. */
  readonly rates: number[];
}

/** Traffic by route, summed up from what the ticks say of connections. Since the page was opened. */
export class RouteTraffic {
  readonly #routes = new Map<string, RouteFigures>();
  #bytes = new Map<string, number>();

  /** Bytes that passed within this tick. */
  passed(route: string | null, { fromClient, toClient }: BothWays): void {
    if (route !== null) this.#bytes.set(route, (this.#bytes.get(route) ?? 0) + fromClient + toClient);
  }

  /** Ends a tick. Routes of which there is nothing to tell any more are forgotten. */
  close(active: ReadonlyMap<string, number>, seconds: number): void {
    for (const route of [...this.#bytes.keys(), ...active.keys()]) this.#know(route);
    for (const [route, figures] of this.#routes) {
      figures.active = active.get(route) ?? 0;
      figures.rates.push((this.#bytes.get(route) ?? 0) / seconds);
      if (figures.rates.length > keptRates) figures.rates.shift();
      if (figures.active === 0 && figures.rates.every((rate) => rate === 0)) this.#routes.delete(route);
    }
    this.#bytes = new Map();
  }

  of(route: string): RouteFigures | undefined {
    return this.#routes.get(route);
  }

  #know(route: string): void {
    if (!this.#routes.has(route)) this.#routes.set(route, { active: 0, rates: [] });
  }
}
