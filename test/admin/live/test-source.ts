import type { EndedRow, HistorySample, LiveRow } from '../../../src/admin/live/messages.ts';
import type { LiveSource } from '../../../src/admin/live/source.ts';
import { noTotals } from '../../../src/metrics/totals.ts';

/** A connection as a proxy would show it. */
export function row(id: string, changes: Partial<LiveRow> = {}): LiveRow {
  return {
    ...{ id, engine: 'node', state: 'established', route: 'web', client: '192.0.2.1', clientPort: 50_000 },
    ...{ localPort: 443, target: '127.0.0.1:3000', name: 'a.test', startedAt: 0, fromClient: 0, toClient: 0 },
    ...changes,
  };
}

export function endedRow(id: string, changes: Partial<EndedRow> = {}): EndedRow {
  return {
    ...row(id, { state: 'closed' }),
    ...{ reason: 'client-closed', initiator: 'client', phase: 'established', error: null },
    ...{ endedAt: 1_000, durationMs: 1_000 },
    ...changes,
  };
}

export function sample(second: number, opened = 0): HistorySample {
  return {
    ...{ at: new Date(second * 1_000).toISOString(), durationMs: 1_000, active: 0, eventLoopDelayMs: 0 },
    counts: { ...noTotals, opened },
  };
}

/** What a proxy would be: what is in it is what a test puts there. */
export class TestSource implements LiveSource {
  readonly version = '1.2.3';
  live: LiveRow[] = [];
  readonly ended: EndedRow[] = [];
  sampled: HistorySample[] = [];
  readonly measured = true;
  /** How often rows were asked for. */
  asked = 0;

  overview(): ReturnType<LiveSource['overview']> {
    return {
      ...{ state: 'ready', pools: [], configuration: 0 },
      counters: { active: 0, opened: 0, terminated: 0, refused: 0, handshakes: 0, requests: 0 },
      audit: { records: this.live.length, sockets: this.live.length, consistent: true },
    };
  }

  rows(limit: number): LiveRow[] {
    this.asked++;
    return this.live.slice(0, limit);
  }

  endings(after: number): { count: number; rows: EndedRow[] } {
    return { count: this.ended.length, rows: this.ended.slice(after) };
  }

  samples(seconds: number): HistorySample[] {
    return this.sampled.slice(-seconds);
  }

  past(): HistorySample[] {
    return this.sampled;
  }
}
