import type { ShownConnection } from '../live/shown-connection.ts';
import { Icon } from '../parts/icon.tsx';
import { useNarrow } from '../parts/use-narrow.ts';
import { type Filter, isEmpty, noFilter } from './filter.ts';
import type { Column, Order } from './order.ts';

export interface FilterBarProps {
  readonly filter: Filter;
  readonly order: Order;
  readonly paused: boolean;
  readonly rows: readonly ShownConnection[];
  readonly onFilter: (filter: Filter) => void;
  readonly onOrder: (order: Order) => void;
  readonly onPause: () => void;
}

/** Orders that make sense where there is no table head to choose from. */
const orders: readonly (readonly [label: string, column: Column, descending: boolean])[] = [
  ['newest first', 'age', false],
  ['oldest first', 'age', true],
  ['busiest first', 'rate', true],
  ['most received', 'fromClient', true],
  ['most sent', 'toClient', true],
  ['by client', 'client', false],
  ['by route', 'route', false],
];

export function FilterBar(props: FilterBarProps) {
  const { filter, paused, rows, onFilter, onPause } = props;
  const narrow = useNarrow();
  const set = (change: Partial<Filter>): void => onFilter({ ...filter, ...change });
  return (
    <search class="filters">
      <TextField label="Name or id" value={filter.name} onText={(name) => set({ name })} />
      <TextField label="Address" value={filter.address} onText={(address) => set({ address })} />
      <Choice
        label="Route"
        value={filter.route}
        options={distinct(rows, ({ row }) => row.route)}
        onChoose={(route) => set({ route })}
      />
      <Choice
        label="State"
        value={filter.state}
        options={distinct(rows, ({ row }) => row.state)}
        onChoose={(state) => set({ state })}
      />
      {narrow && <OrderChoice order={props.order} onOrder={props.onOrder} />}
      {!isEmpty(filter) && (
        <button type="button" class="plain" onClick={() => onFilter(noFilter)}>
          Clear
        </button>
      )}
      <button type="button" class={paused ? 'pause paused' : 'pause'} aria-pressed={paused} onClick={onPause}>
        <Icon name={paused ? 'play' : 'pause'} size={15} />
        {paused ? 'Go on' : 'Pause'}
      </button>
    </search>
  );
}

function distinct(
  rows: readonly ShownConnection[],
  read: (connection: ShownConnection) => string | null,
): string[] {
  return [...new Set(rows.map(read))].filter((value) => value !== null).sort();
}

interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onText: (text: string) => void;
}

function TextField({ label, value, onText }: TextFieldProps) {
  return (
    <label class="filter-field">
      <span class="hidden">{label}</span>
      <input
        type="search"
        placeholder={label}
        value={value}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => onText(event.currentTarget.value)}
      />
    </label>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, options, onChoose }: ChoiceProps) {
  // What was asked for stays to be seen, also when nobody is there any more.
  const known = value === '' || options.includes(value) ? options : [value, ...options];
  return (
    <label class="filter-field">
      <span class="hidden">{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        <option value="">{label}: all</option>
        {known.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

function OrderChoice({ order, onOrder }: { order: Order; onOrder: (order: Order) => void }) {
  const now = orders.findIndex(
    ([, column, descending]) => column === order.column && descending === order.descending,
  );
  const choose = (index: number): void => {
    const [, column = 'age', descending = false] = orders[index] ?? [];
    onOrder({ column, descending });
  };
  return (
    <label class="filter-field">
      <span class="hidden">Order</span>
      <select value={String(now)} onChange={(event) => choose(Number(event.currentTarget.value))}>
        {orders.map(([label], index) => (
          <option key={label} value={String(index)}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}
