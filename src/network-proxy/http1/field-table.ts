import type { FieldId } from './known-fields.ts';

const slots = 4;
const initialFields = 16;

/**
 * The fields of one head as offsets from its beginning, four for each: where the name begins and
 * ends, and where the value does, without white space around it. Reused for the next head.
 */
export class FieldTable {
  count = 0;
  offsets = new Int32Array(initialFields * slots);
  ids = new Uint8Array(initialFields);
  /** Bit n: the known field n is there. */
  seen = 0;
  /** Bit n: the known field n is there more than once. */
  repeated = 0;

  clear(): void {
    this.count = 0;
    this.seen = 0;
    this.repeated = 0;
  }

  add(id: FieldId, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    if (this.count === this.ids.length) this.#grow();
    const at = this.count * slots;
    const { offsets } = this;
    offsets[at] = nameStart;
    offsets[at + 1] = nameEnd;
    offsets[at + 2] = valueStart;
    offsets[at + 3] = valueEnd;
    this.ids[this.count++] = id;
    if (id === 0) return;
    const bit = 1 << id;
    this.repeated |= this.seen & bit;
    this.seen |= bit;
  }

  nameStart(index: number): number {
    return this.offsets[index * slots]!;
  }

  nameEnd(index: number): number {
    return this.offsets[index * slots + 1]!;
  }

  valueStart(index: number): number {
    return this.offsets[index * slots + 2]!;
  }

  valueEnd(index: number): number {
    return this.offsets[index * slots + 3]!;
  }

  has(id: FieldId): boolean {
    return (this.seen & (1 << id)) !== 0;
  }

  isRepeated(id: FieldId): boolean {
    return (this.repeated & (1 << id)) !== 0;
  }

  /** The first field from `from` on that is the known field `id`; −1 where there is none. */
  indexOf(id: FieldId, from = 0): number {
    if (!this.has(id)) return -1;
    for (let index = from; index < this.count; index++) if (this.ids[index] === id) return index;
    return -1;
  }

  #grow(): void {
    const offsets = new Int32Array(this.offsets.length * 2);
    offsets.set(this.offsets);
    this.offsets = offsets;
    const ids = new Uint8Array(this.ids.length * 2);
    ids.set(this.ids);
    this.ids = ids;
  }
}
