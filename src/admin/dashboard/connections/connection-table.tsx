import type { ShownConnection } from '../live/shown-connection.ts';
import { Icon } from '../parts/icon.tsx';
import { useNarrow } from '../parts/use-narrow.ts';
import { VirtualTable } from '../parts/virtual-table.tsx';
import { ConnectionRow } from './connection-row.tsx';
import { type Column, type Order, orderBy } from './order.ts';

export interface ConnectionTableProps {
  readonly connections: readonly ShownConnection[];
  readonly order: Order;
  readonly chosen: string | null;
  readonly paused: boolean;
  readonly tick: number;
  readonly now: number;
  readonly onOrder: (order: Order) => void;
  readonly onEnd: (id: string) => void;
}

const columns: readonly (readonly [column: Column, title: string, numeric: boolean])[] = [
  ['state', 'State', false],
  ['client', 'Client', false],
  ['name', 'Name', false],
  ['route', 'Route', false],
  ['target', 'Target', false],
  ['fromClient', 'Received', true],
  ['toClient', 'Sent', true],
  ['rate', 'Rate', true],
  ['age', 'Age', true],
];

const rowHeight = 38;
const narrowRowHeight = 74;

export function ConnectionTable(props: ConnectionTableProps) {
  const { connections, order, chosen, paused, tick, now, onOrder, onEnd } = props;
  const narrow = useNarrow();
  return (
    <div class={paused ? 'table table-paused' : 'table'}>
      <VirtualTable
        label="Live connections"
        items={connections}
        head={!narrow && <Head order={order} onOrder={onOrder} />}
        rowHeight={narrow ? narrowRowHeight : rowHeight}
        chosen={connections.findIndex(({ row }) => row.id === chosen)}
        row={(connection, place) => (
          <ConnectionRow
            key={connection.row.id}
            {...{ connection, place, tick, now, onEnd }}
            chosen={connection.row.id === chosen}
          />
        )}
      />
      {connections.length === 0 && <p class="nothing">No connection is like that at this moment.</p>}
    </div>
  );
}

function Head({ order, onOrder }: { order: Order; onOrder: (order: Order) => void }) {
  return (
    <thead>
      <tr class="row" aria-rowindex={1}>
        {columns.map(([column, title, numeric]) => (
          <th
            key={column}
            scope="col"
            class={numeric ? 'numeric' : ''}
            aria-sort={order.column !== column ? 'none' : order.descending ? 'descending' : 'ascending'}
          >
            <button type="button" onClick={() => onOrder(orderBy(column, order))}>
              {title}
              {order.column === column && <Icon name={order.descending ? 'down' : 'up'} size={12} />}
            </button>
          </th>
        ))}
        <th scope="col">
          <span class="hidden">End</span>
        </th>
      </tr>
    </thead>
  );
}
