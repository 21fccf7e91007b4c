import type { LiveRow } from '../../live/messages.ts';

/** What is looked for; empty texts ask for nothing. */
export interface Filter {
  readonly route: string;
  readonly address: string;
  readonly state: string;
  readonly name: string;
}

export const noFilter: Filter = { route: '', address: '', state: '', name: '' };

export function readFilter(query: URLSearchParams): Filter {
  const text = (name: keyof Filter): string => query.get(name) ?? '';
  return { route: text('route'), address: text('address'), state: text('state'), name: text('name') };
}

export function isEmpty(filter: Filter): boolean {
  return Object.values(filter).every((text) => text === '');
}

/**
 * Whether a connection is looked for. A route and a state are meant exactly; an address is the
 * client's or the target's, from its beginning; a name, or an id, by any part.
 */
export function matcher(filter: Filter): (row: LiveRow) => boolean {
  const address = filter.address.trim().toLowerCase();
  const name = filter.name.trim().toLowerCase();
  return (row) =>
    (filter.route === '' || row.route === filter.route) &&
    (filter.state === '' || row.state === filter.state) &&
    (address === '' || isAt(row, address)) &&
    (name === '' || (row.name ?? '').includes(name) || row.id.startsWith(name));
}

function isAt({ client, clientPort, target }: LiveRow, address: string): boolean {
  if (client.startsWith(address) || `${client}:${clientPort}`.startsWith(address)) return true;
  const place = target?.toLowerCase() ?? '';
  return place.startsWith(address) || place.startsWith(`[${address}`);
}
