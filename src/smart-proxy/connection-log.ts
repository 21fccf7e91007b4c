import type { Clock } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { Storm } from '../base/storm.ts';
import { reasonInitiators, type TerminationReason } from '../base/termination.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { summarize } from '../connection/record-summary.ts';

/** So many that are rejected for one reason have lines of their own in a second. */
const individually = 20;

/** Whoever opens connections can make as many of these as he likes. */
const rejections: ReadonlySet<TerminationReason> = new Set<TerminationReason>([
  ...(['no-route', 'blocked', 'connection-limit', 'rate-limit'] as const),
  ...(['invalid-proxy-header', 'invalid-hello', 'initial-data-too-large', 'tls-handshake-failed'] as const),
]);

/**
 * One line for each ended connection, however it ended: a health check is no error (L21). Only of
 * a flood that is rejected the rest of a second is a count.
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
    // Nobody reads it: to say what happened would cost a few percent of a short connection.
    if (!this.enabled || this.#log === silentLogger) return;
    const reason = record.termination?.reason ?? 'internal-error';
    if (!rejections.has(reason) || this.#storm.add(reason, record))
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
