import type { RecordSummary } from './record-summary.ts';

/** The last ended connections, by id and in the order of their ending. Bounded. */
export class EndedRecords {
  readonly #capacity: number;
  /** A Map keeps insertion order: the first key is the oldest. */
  readonly #byId = new Map<string, RecordSummary>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(summary: RecordSummary): void {
    this.#byId.set(summary.id, summary);
    if (this.#byId.size <= this.#capacity) return;
    for (const oldest of this.#byId.keys()) {
      this.#byId.delete(oldest);
      return;
    }
  }

  get(id: string): RecordSummary | undefined {
    return this.#byId.get(id);
  }

  newest(limit: number): RecordSummary[] {
    return [...this.#byId.values()].reverse().slice(0, limit);
  }
}
