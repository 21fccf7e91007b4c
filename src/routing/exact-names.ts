/** Words of a slot: the hash, where the name begins, how long it is, and one more than its index (0: free). */
const slotWords = 4;

/**
 * A fixed map from exact names to values, packed for look-ups from a cold cache. A `Map` keeps
 * each key where it was made, so that with 100,000 names a look-up waits for memory several times;
 * here the hashes lie in one array and the letters in another. Names are ASCII.
 */
export class ExactNames<T> {
  readonly #values: T[] = [];
  readonly #letters: Uint8Array;
  readonly #slots: Int32Array;
  /** Slots less one; their number is a power of two, and at most half of them are taken. */
  readonly #mask: number;

  constructor(entries: readonly (readonly [name: string, value: T])[]) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(entries.length, 1) * 2));
    this.#mask = size - 1;
    this.#slots = new Int32Array(size * slotWords);
    this.#letters = new Uint8Array(entries.reduce((sum, [name]) => sum + name.length, 0));
    let offset = 0;
    for (const [name, value] of entries) {
      for (let i = 0; i < name.length; i++) this.#letters[offset + i] = name.charCodeAt(i);
      this.#values.push(value);
      this.#take(hashOf(name), offset, name.length);
      offset += name.length;
    }
  }

  get(name: string): T | undefined {
    const slots = this.#slots;
    const hash = hashOf(name);
    for (let at = hash & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = at * slotWords;
      const index = slots[slot + 3]!;
      if (index === 0) return undefined;
      if (slots[slot] !== hash || slots[slot + 2] !== name.length) continue;
      if (this.#spells(name, slots[slot + 1]!)) return this.#values[index - 1];
    }
  }

  /** The entry at the end of `#values` takes the first free slot. */
  #take(hash: number, offset: number, length: number): void {
    let at = hash & this.#mask;
    while (this.#slots[at * slotWords + 3] !== 0) at = (at + 1) & this.#mask;
    this.#slots.set([hash, offset, length, this.#values.length], at * slotWords);
  }

  #spells(name: string, offset: number): boolean {
    const letters = this.#letters;
    for (let i = 0; i < name.length; i++) if (letters[offset + i] !== name.charCodeAt(i)) return false;
    return true;
  }
}

/** FNV-1a, 32 bits, with its upper half folded into the lower, which picks the slot. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}
