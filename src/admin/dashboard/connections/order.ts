import type { ShownConnection } from '../live/shown-connection.ts';

export type Column =
  | 'state'
  | 'client'
  | 'name'
  | 'route'
  | 'target'
  | 'fromClient'
  | 'toClient'
  | 'rate'
  | 'age';

export interface Order {
  readonly column: Column;
  readonly descending: boolean;
}

/** The newest first. */
export const firstOrder: Order = { column: 'age', descending: false };

/** What a column begins with when it is chosen: numbers with the largest, texts with A. */
const largestFirst: ReadonlySet<Column> = new Set<Column>(['fromClient', 'toClient', 'rate']);

export function orderBy(column: Column, before: Order): Order {
  if (before.column === column) return { column, descending: !before.descending };
  return { column, descending: largestFirst.has(column) };
}

/** A sorted copy. Equal ones are in the order of their ids, so that nothing jumps. */
export function sorted(
  connections: readonly ShownConnection[],
  { column, descending }: Order,
  tick: number,
): ShownConnection[] {
  const keys = new Map(connections.map((connection) => [connection, keyOf(connection, column, tick)]));
  const sign = descending ? -1 : 1;
  return connections.toSorted((one, other) => {
    const [key, otherKey] = [keys.get(one) as string | number, keys.get(other) as string | number];
    if (key < otherKey) return -sign;
    if (key > otherKey) return sign;
    return one.row.id < other.row.id ? -1 : 1;
  });
}

function keyOf(connection: ShownConnection, column: Column, tick: number): string | number {
  const { row, bytes } = connection;
  switch (column) {
    case 'fromClient':
    case 'toClient':
      return bytes[column];
    case 'rate': {
      const { fromClient, toClient } = connection.rate(tick);
      return fromClient + toClient;
    }
    // The younger has the smaller age.
    case 'age':
      return -row.startedAt;
    default:
      return row[column] ?? '';
  }
}
