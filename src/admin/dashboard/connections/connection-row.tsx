import type { ShownConnection } from '../live/shown-connection.ts';
import { Icon } from '../parts/icon.tsx';
import { placeLink } from '../parts/place.ts';
import { StateMark } from '../parts/state-mark.tsx';
import type { RowPlace } from '../parts/virtual-table.tsx';
import { byteRate, bytes } from '../words/amounts.ts';
import { longDuration } from '../words/durations.ts';
import { endpoint } from '../words/endpoints.ts';

export interface ConnectionRowProps {
  readonly connection: ShownConnection;
  readonly place: RowPlace;
  readonly chosen: boolean;
  readonly tick: number;
  readonly now: number;
  readonly onEnd: (id: string) => void;
}

/** One line of the table; on a narrow page the same cells are laid out as a card. */
export function ConnectionRow({ connection, place, chosen, tick, now, onEnd }: ConnectionRowProps) {
  const { row, bytes: total } = connection;
  const { fromClient, toClient } = connection.rate(tick);
  const client = endpoint(row.client, row.clientPort);
  const moving = fromClient + toClient > 0;
  return (
    <tr class={chosen ? 'row row-chosen' : 'row'} {...place} data-connection={row.id}>
      <td class="cell-state">
        <StateMark state={row.state} />
      </td>
      <td class="cell-client">
        <a href={placeLink(['connections', row.id])} title={`Connection ${row.id}`}>
          {client}
        </a>
      </td>
      <TextCell name="name" text={row.name} />
      <TextCell name="route" text={row.route} />
      <TextCell name="target" text={row.target} />
      <td class="numeric cell-from">{bytes(total.fromClient)}</td>
      <td class="numeric cell-to">{bytes(total.toClient)}</td>
      <td class={moving ? 'numeric cell-rate moving' : 'numeric cell-rate faint'}>
        {moving ? byteRate(fromClient + toClient) : 'idle'}
      </td>
      <td class="numeric cell-age">{longDuration((now - row.startedAt) / 1000)}</td>
      <td class="cell-end">
        <button
          type="button"
          class="quiet end"
          onClick={() => onEnd(row.id)}
          aria-label={`End the connection of ${client}`}
          title="End this connection"
        >
          <Icon name="close" size={15} />
        </button>
      </td>
    </tr>
  );
}

/** What does not fit is in the title. */
function TextCell({ name, text }: { name: string; text: string | null }) {
  return (
    <td class={text === null ? `cell-${name} faint` : `cell-${name}`} title={text ?? ''}>
      {text ?? '–'}
    </td>
  );
}
