import type { TerminationReason } from '../base/termination.ts';
import type { ConnectionRecord } from './connection-record.ts';

/** The part of the statistics that the manager of connections answers for. */
export interface ConnectionStatistics {
  /** opened = active + terminated; refused is outside both. */
  connections: { active: number; opened: number; terminated: number; refused: number };
  refusals: Partial<Record<TerminationReason, number>>;
  terminations: Partial<Record<TerminationReason, number>>;
  /** Each terminated connection is in exactly one of these. */
  cleanup: { graceful: number; forced: number; orphaned: number };
  /** Live and ended connections together. */
  bytes: { fromClient: number; toClient: number };
}

/** Counts what happened; only ever goes up. */
export class Tally {
  opened = 0;
  #terminated = 0;
  #refused = 0;
  readonly #refusals: Partial<Record<TerminationReason, number>> = {};
  readonly #terminations: Partial<Record<TerminationReason, number>> = {};
  readonly #cleanup = { graceful: 0, forced: 0, orphaned: 0 };
  readonly #bytes = { fromClient: 0, toClient: 0 };

  refuse(reason: TerminationReason, count: number): void {
    this.#refused += count;
    this.#refusals[reason] = (this.#refusals[reason] ?? 0) + count;
  }

  /** More bytes of a connection that was counted as terminated. */
  correct({ fromClient, toClient }: { fromClient: number; toClient: number }): void {
    this.#bytes.fromClient += fromClient;
    this.#bytes.toClient += toClient;
  }

  terminate(record: ConnectionRecord, forced: boolean): void {
    const reason = record.termination?.reason ?? 'internal-error';
    this.#terminated++;
    this.#terminations[reason] = (this.#terminations[reason] ?? 0) + 1;
    this.#cleanup[reason === 'orphaned' ? 'orphaned' : forced ? 'forced' : 'graceful']++;
    this.#bytes.fromClient += record.bytesFromClient;
    this.#bytes.toClient += record.bytesToClient;
  }

  statistics(live: readonly ConnectionRecord[]): ConnectionStatistics {
    const bytes = { ...this.#bytes };
    for (const record of live) {
      bytes.fromClient += record.bytesFromClient;
      bytes.toClient += record.bytesToClient;
    }
    return {
      connections: {
        active: live.length,
        opened: this.opened,
        terminated: this.#terminated,
        refused: this.#refused,
      },
      refusals: { ...this.#refusals },
      terminations: { ...this.#terminations },
      cleanup: { ...this.#cleanup },
      bytes,
    };
  }
}
