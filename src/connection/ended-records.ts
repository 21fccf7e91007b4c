import type { ConnectionRecord } from './connection-record.ts';

/** The last ended connections, in the order of their ending. Bounded: a ring. */
export class EndedRecords {
  readonly #capacity: number;
  readonly #ring: ConnectionRecord[] = [];
  /** Where the next one goes: the place of the oldest, once the ring is full. */
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** All that were added, those that are forgotten included. */
  total = 0;

  add(record: ConnectionRecord): void {
    this.total++;
    if (this.#capacity === 0) return;
    this.#ring[this.#next] = record;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  get(id: string): ConnectionRecord | undefined {
    return this.#ring.find((record) => record.id === id);
  }

  /** Whether every record that was added is still here. */
  get isComplete(): boolean {
    return this.total === this.#ring.length;
  }

  newest(limit: number): ConnectionRecord[] {
    const inOrder = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return inOrder.reverse().slice(0, limit);
  }
}
