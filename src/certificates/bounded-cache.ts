/** A map that holds at most `max` values; the one that was not asked for the longest makes room. */
export class BoundedCache<Key, Value> {
  readonly #max: number;
  /** In the order in which they were last used. */
  readonly #values = new Map<Key, Value>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#values.size;
  }

  /** Values, the longest unused first. Asking this way is no use. */
  values(): Iterable<Value> {
    return this.#values.values();
  }

  keys(): Iterable<Key> {
    return this.#values.keys();
  }

  get(key: Key): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  set(key: Key, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#max) return;
    const oldest = this.#values.keys().next();
    if (!oldest.done) this.#values.delete(oldest.value);
  }

  delete(key: Key): void {
    this.#values.delete(key);
  }
}
