import { AddressSet } from '../base/prefix-trie.ts';
import type { ConnectionRecord } from './connection-record.ts';

export const connectionOrders = ['started', 'activity', 'received', 'sent', 'bytes'] as const;

/** Which connections are asked for, and in which order. */
export interface ConnectionQuery {
  readonly route?: string;
  readonly state?: string;
  /** Addresses and CIDRs, normalised. */
  readonly clients?: readonly string[];
  /** A part of the server name, in any case. */
  readonly name?: string;
  /** By default the oldest first. */
  readonly order?: (typeof connectionOrders)[number];
  /** The largest, or the latest, first. */
  readonly descending?: boolean;
  /** Default: all. */
  readonly limit?: number;
}

/** Those that match, and how many of them there are, those beyond the limit included. */
export function findConnections(
  records: readonly ConnectionRecord[],
  query: ConnectionQuery,
): { records: ConnectionRecord[]; total: number } {
  const matching = records.filter(matcher(query));
  const { order = 'started', descending = false, limit = matching.length } = query;
  // Records come oldest first, and most questions want no more.
  if (order !== 'started') matching.sort((one, other) => rankings[order](one) - rankings[order](other));
  if (descending) matching.reverse();
  return { records: matching.slice(0, limit), total: matching.length };
}

const rankings: Record<Exclude<ConnectionQuery['order'], undefined>, (record: ConnectionRecord) => number> = {
  started: (record) => record.startedAt,
  activity: (record) => record.lastActivityAt,
  received: (record) => record.bytesFromClient,
  sent: (record) => record.bytesToClient,
  bytes: (record) => record.bytesFromClient + record.bytesToClient,
};

function matcher({ route, state, clients, name }: ConnectionQuery): (record: ConnectionRecord) => boolean {
  const addresses = clients === undefined ? null : new AddressSet(clients);
  const part = name?.toLowerCase();
  return (record) =>
    (route === undefined || record.route?.name === route) &&
    (state === undefined || record.state === state) &&
    (addresses === null || addresses.has(record.clientAddress.ip)) &&
    (part === undefined || (record.hello?.serverName ?? '').includes(part));
}
