import { coveringPatterns } from '../config/domain.ts';

/**
 * Values by name pattern: exact names, `*.a.test` (one label or more), `*`, and null for what asks
 * for no name. Several values may share a pattern. Names and patterns are normalised.
 */
export class NameTable<Value> {
  readonly #values = new Map<string | null, Value[]>();

  add(pattern: string | null, value: Value): void {
    const values = this.#values.get(pattern);
    if (values === undefined) this.#values.set(pattern, [value]);
    else values.push(value);
  }

  /**
   * The first value that is accepted, looked for from the most specific pattern to the least: the
   * name, longer wildcards, shorter wildcards, `*`, null. Within a pattern: in the order of adding.
   * A name of null is covered by `*` and null.
   */
  find(name: string | null, accepts: (value: Value) => boolean): Value | undefined {
    for (const pattern of name === null ? ['*'] : coveringPatterns(name)) {
      const value = this.#values.get(pattern)?.find(accepts);
      if (value !== undefined) return value;
    }
    return this.#values.get(null)?.find(accepts);
  }
}
