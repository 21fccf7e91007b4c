import type { EndedRow, HistorySample, LiveRow, Overview } from './messages.ts';

/** Where the live feed looks. smart-proxy/ implements it; each call is as cheap as its answer is long. */
export interface LiveSource {
  readonly version: string;
  /** Whether there are samples. */
  readonly measured: boolean;
  overview(): Omit<Overview, 'at'>;
  /** Live connections, oldest first. */
  rows(limit: number): LiveRow[];
  /** How many have ended so far, and those of them that came after the first `after` and are still kept. */
  endings(after: number): { readonly count: number; readonly rows: EndedRow[] };
  /** What happened in the last seconds, oldest first. */
  samples(seconds: number): readonly HistorySample[];
  /** The last hour, oldest first; what is longer ago than minutes may be in steps of several seconds. */
  past(): readonly HistorySample[];
}
