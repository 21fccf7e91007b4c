import type { TerminationReason } from '../base/termination.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { DurationHistogram, longDurations, shortDurations } from './duration-histogram.ts';
import { methodLabel, statusLabels } from './request-labels.ts';
import type { EndingLabels } from './route-figures.ts';
import { RouteTable } from './route-table.ts';
import type { RouteTotals, Totals } from './totals.ts';

/** Endings of one kind, of all routes. */
export interface EndingCount extends Pick<EndingLabels, 'reason' | 'initiator' | 'phase'> {
  count: number;
}

/**
 * Counts by route, reason, phase, method and status, and durations. Connections and requests only
 * add to plain numbers: what is told of them is made when somebody asks.
 */
export class Metrics implements ConnectionObserver {
  readonly routes = new RouteTable();
  readonly connectionDurations = new DurationHistogram(longDurations);
  readonly dialDurations = new DurationHistogram(shortDurations);
  readonly handshakeDurations = new DurationHistogram(shortDurations);
  readonly requestDurations = new DurationHistogram(shortDurations);
  readonly #live: () => readonly ConnectionRecord[];
  /** Its bytes are those of ended connections. */
  readonly #totals: Totals = {
    ...{ opened: 0, terminated: 0, refused: 0, requests: 0, handshakes: 0 },
    ...{ bytes: { fromClient: 0, toClient: 0 }, terminations: {}, refusals: {}, statuses: {} },
  };

  /** @param live every connection that has not ended */
  constructor(live: () => readonly ConnectionRecord[]) {
    this.#live = live;
  }

  opened(): void {
    this.#totals.opened++;
    this.routes.of(null).active++;
  }

  /** Until its route is known a connection is live in none, and no route has counted it as opened. */
  routed(record: ConnectionRecord): void {
    this.routes.of(null).active--;
    const figures = this.routes.of(record.route?.name ?? null);
    figures.active++;
    figures.opened++;
  }

  ended(record: ConnectionRecord): void {
    const { reason = 'internal-error', durationMs = 0 } = record.termination ?? {};
    const figures = this.routes.of(record.route?.name ?? null);
    if (record.route === null) figures.opened++;
    figures.connectionEnded(record);
    this.connectionDurations.observe(durationMs);
    const totals = this.#totals;
    totals.terminated++;
    increment(totals.terminations, reason);
    totals.bytes.fromClient += record.bytesFromClient;
    totals.bytes.toClient += record.bytesToClient;
  }

  corrected(route: string | null, { fromClient, toClient }: { fromClient: number; toClient: number }): void {
    for (const { bytes } of [this.routes.of(route), this.#totals]) {
      bytes.fromClient += fromClient;
      bytes.toClient += toClient;
    }
  }

  refused(reason: TerminationReason, _address: string, _port: number, count: number): void {
    this.#totals.refused += count;
    increment(this.#totals.refusals, reason, count);
  }

  get refusals(): Readonly<Partial<Record<TerminationReason, number>>> {
    return this.#totals.refusals;
  }

  /** @param status null: the client left before there was an answer */
  requestOver(route: string | null, method: string, status: number | null, durationMs: number): void {
    this.requestDurations.observe(durationMs);
    this.#count(route, method, status);
  }

  requestRefused(status: number): void {
    this.#count(null, '', status);
  }

  #count(route: string | null, method: string, status: number | null): void {
    const { code, kind } = statusLabels(status);
    this.routes.of(route).requestOver(methodLabel(method), code);
    this.#totals.requests++;
    increment(this.#totals.statuses, kind);
  }

  handshakeOver(durationMs: number): void {
    this.#totals.handshakes++;
    this.handshakeDurations.observe(durationMs);
  }

  dialOver(durationMs: number): void {
    this.dialDurations.observe(durationMs);
  }

  /** All routes together, those included that are gone. */
  totals(): Totals {
    const { bytes, terminations, refusals, statuses } = this.#totals;
    const sum = { ...bytes };
    for (const record of this.#routedConnections()) {
      sum.fromClient += record.bytesFromClient;
      sum.toClient += record.bytesToClient;
    }
    return {
      ...this.#totals,
      bytes: sum,
      terminations: { ...terminations },
      refusals: { ...refusals },
      statuses: { ...statuses },
    };
  }

  /** By the label of the route. */
  routeTotals(): Map<string, RouteTotals> {
    const totals = new Map<string, RouteTotals>();
    for (const { route, opened, ended: terminated, requestCount: requests, bytes } of this.routes.all())
      totals.set(route, { opened, terminated, requests, bytes: { ...bytes } });
    for (const record of this.#routedConnections()) {
      const sum = totals.get(this.routes.of(record.route.name).route)!.bytes;
      sum.fromClient += record.bytesFromClient;
      sum.toClient += record.bytesToClient;
    }
    return totals;
  }

  /** What a connection sent before its route is known is counted later, once and for all with its route. */
  *#routedConnections() {
    for (const record of this.#live()) if (isRouted(record)) yield record;
  }

  /** Of all routes together, the most frequent first. */
  endings(): EndingCount[] {
    const counts = new Map<string, EndingCount>();
    for (const figures of this.routes.all()) {
      for (const { labels, value } of figures.endings()) {
        const { reason, initiator, phase } = labels;
        const key = `${reason} ${phase}`;
        counts.set(key, { reason, initiator, phase, count: (counts.get(key)?.count ?? 0) + value });
      }
    }
    return [...counts.values()].sort((one, other) => other.count - one.count);
  }
}

function isRouted(
  record: ConnectionRecord,
): record is ConnectionRecord & { route: NonNullable<ConnectionRecord['route']> } {
  return record.route !== null;
}

function increment(counts: Partial<Record<string, number>>, key: string, by = 1): void {
  counts[key] = (counts[key] ?? 0) + by;
}
