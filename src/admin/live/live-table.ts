import type { LiveRow, Move } from './messages.ts';

export interface TableChange {
  /** New rows, and rows of which more than the bytes has changed. */
  readonly rows: LiveRow[];
  readonly moves: Move[];
  readonly gone: string[];
}

/** The rows that every viewer has been told, and what has changed since. */
export class LiveTable {
  #rows: ReadonlyMap<string, LiveRow> = new Map();

  /** Takes what is there now, and returns how it differs from what was there before. */
  update(present: readonly LiveRow[]): TableChange {
    const before = this.#rows;
    const now = new Map<string, LiveRow>();
    const change: TableChange = { rows: [], moves: [], gone: [] };
    for (const row of present) {
      now.set(row.id, row);
      const known = before.get(row.id);
      if (known === undefined || !sameButBytes(known, row)) change.rows.push(row);
      else if (known.fromClient !== row.fromClient || known.toClient !== row.toClient)
        change.moves.push([row.id, row.fromClient, row.toClient]);
    }
    for (const id of before.keys()) if (!now.has(id)) change.gone.push(id);
    this.#rows = now;
    return change;
  }

  /** As of the last update. */
  get rows(): LiveRow[] {
    return [...this.#rows.values()];
  }

  clear(): void {
    this.#rows = new Map();
  }
}

/**
 * What a connection is born with is not compared. The client's address is told late by a PROXY header.
 * A flow of the kernel is told whole when it moves: its packets do too.
 */
function sameButBytes(one: LiveRow, other: LiveRow): boolean {
  return (
    one.state === other.state &&
    one.route === other.route &&
    one.target === other.target &&
    one.name === other.name &&
    one.client === other.client &&
    one.clientPort === other.clientPort &&
    one.packets?.fromClient === other.packets?.fromClient &&
    one.packets?.toClient === other.packets?.toClient &&
    one.exact === other.exact
  );
}
