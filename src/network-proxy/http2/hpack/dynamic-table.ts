/** What an entry counts beside its name and value (RFC 7541 §4.1). */
export const entryOverheadBytes = 32;

/** Entries that are out of the table are let go of when there are so many. */
const mostForgotten = 256;

/** The fields that were sent last and are referred to by how long ago that was; 1 is the last one. */
export class DynamicTable {
  #limit: number;
  /** Names and values in turn, the oldest first; those before `#first` are out. */
  #fields: string[] = [];
  #first = 0;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return (this.#fields.length - this.#first) >> 1;
  }

  name(place: number): string {
    return this.#fields[this.#fields.length - 2 * place]!;
  }

  value(place: number): string {
    return this.#fields[this.#fields.length - 2 * place + 1]!;
  }

  resize(limit: number): void {
    this.#limit = limit;
    this.#shrink(limit);
  }

  /** One that is larger than the table empties it (§4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + entryOverheadBytes;
    this.#shrink(this.#limit - size);
    if (size > this.#limit) return;
    this.#fields.push(name, value);
    this.#bytes += size;
  }

  #shrink(limit: number): void {
    while (this.#bytes > limit && this.#first < this.#fields.length) {
      const size = this.#fields[this.#first]!.length + this.#fields[this.#first + 1]!.length;
      this.#bytes -= size + entryOverheadBytes;
      this.#first += 2;
    }
    if (this.#first < mostForgotten && this.#first < this.#fields.length) return;
    this.#fields = this.#fields.slice(this.#first);
    this.#first = 0;
  }
}
