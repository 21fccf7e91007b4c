import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { Storm } from '../base/storm.ts';
import { type ConnectionState, reasonInitiators, type TerminationReason } from '../base/termination.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { summarize } from '../connection/record-summary.ts';

/** So many that came to nothing for one reason have lines of their own in a second. */
const individually = 20;

/** A connection that ended here has carried something. */
const joinedPhases: ReadonlySet<ConnectionState> = new Set<ConnectionState>(['established', 'half-closed']);

/**
 * One line for each ended connection, however it ended: a health check is no error (L21). Only
 * where many come to nothing (rejected, or their target is away) the rest of a second is a count.
 */
export class ConnectionLog implements ConnectionObserver {
  readonly #log: Logger;
  readonly #storm: Storm<ConnectionRecord>;
  enabled: boolean;

  constructor(clock: Clock, log: Logger, enabled: boolean) {
    this.#log = log;
    this.enabled = enabled;
    this.#storm = new Storm({
      clock,
      individually,
      tellCount: (reason, count, last) => this.#tellCount(reason as TerminationReason, count, last),
    });
  }

  ended(record: ConnectionRecord): void {
    if (!this.enabled) return;
    const { reason = 'internal-error', phase = 'accepted' } = record.termination ?? {};
    if (joinedPhases.has(phase) || this.#storm.add(reason, record))
      this.#log.info('connection-closed', { ...summarize(record) });
  }

  #tellCount(reason: TerminationReason, count: number, { route, clientAddress }: ConnectionRecord): void {
    const last = { route: route?.name ?? null, client: clientAddress.ip };
    this.#log.info('connections-closed', { reason, initiator: reasonInitiators[reason], count, ...last });
  }

  /** Tells what is counted and not told, and cancels the timers. */
  stop(): void {
    this.#storm.stop();
  }
}
