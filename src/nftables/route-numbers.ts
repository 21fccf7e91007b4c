import { hash } from 'node:crypto';
import { highestRouteNumber } from './marks.ts';

/** What stands for a route's name in a table: names are free text, and such never gets into a ruleset. */
export function nameDigest(name: string): string {
  return hash('sha256', name, 'hex').slice(0, 24);
}

/**
 * The numbers of routes. A name keeps its number for as long as the process lives, and across
 * processes where a table was left behind: flows carry it in their marks.
 */
export class RouteNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #names = new Map<number, string>();
  /** Of a table that was found, by digest: names are not known before a route claims its number. */
  readonly #found: Map<string, number>;
  #assigned = new Set<string>();
  #last: number;

  constructor(found: ReadonlyMap<string, number> = new Map()) {
    this.#found = new Map(found);
    this.#last = Math.max(0, ...found.values());
  }

  /** Gives each name a number. Those that are in use nowhere are not taken again before all others were. */
  assign(names: readonly string[]): ReadonlyMap<string, number> {
    this.#assigned = new Set(names);
    return new Map(names.map((name) => [name, this.#numberOf(name)]));
  }

  /** Undefined for a number of a former process whose route is no more. */
  nameOf(number: number): string | undefined {
    return this.#names.get(number);
  }

  /** Of names that were not among the last that were assigned, those are forgotten that are of no use. */
  retain(isOfUse: (name: string) => boolean): void {
    for (const [name, number] of this.#numbers) {
      if (this.#assigned.has(name) || isOfUse(name)) continue;
      this.#numbers.delete(name);
      this.#names.delete(number);
    }
  }

  #numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const digest = nameDigest(name);
    const number = this.#found.get(digest) ?? this.#next();
    this.#found.delete(digest);
    this.#numbers.set(name, number);
    this.#names.set(number, name);
    return number;
  }

  #next(): number {
    do this.#last = this.#last >= highestRouteNumber ? 1 : this.#last + 1;
    while (this.#names.has(this.#last));
    return this.#last;
  }
}
