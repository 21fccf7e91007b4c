import type { RecordSummary } from '../../connection/record-summary.ts';
import type { HistorySample } from '../../metrics/history.ts';
import type { Instance } from '../../smart-proxy/instance.ts';
import type { Statistics } from '../../smart-proxy/statistics.ts';
import type { AdminClient } from '../admin-client.ts';

/** A running instance at one moment. */
export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly status: string;
  readonly instance: Instance;
  readonly statistics: Statistics;
  /** The last seconds, oldest first. */
  readonly history: readonly HistorySample[];
  /** Those that were asked for. */
  readonly connections: readonly RecordSummary[];
  /** How many match, those that are not here included. */
  readonly total: number;
}

const historySeconds = 120;

/** Asks for everything that is shown, all at the same time. */
export async function takeSnapshot(client: AdminClient, query: URLSearchParams): Promise<Snapshot> {
  const [ready, instance, statistics, history, found] = await Promise.all([
    client.get('/ready'),
    client.get('/api/v1/instance'),
    client.get('/api/v1/statistics'),
    client.get(`/api/v1/history?seconds=${historySeconds}`),
    client.get(`/api/v1/connections?${query}`),
  ]);
  const { connections, total } = found as { connections: RecordSummary[]; total: number };
  return {
    at: Date.now(),
    status: (ready as { status: string }).status,
    instance: instance as Instance,
    statistics: statistics as Statistics,
    history: (history as { samples: HistorySample[] }).samples,
    ...{ connections, total },
  };
}
