import type { Logger } from '../base/logger.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { summarize } from '../connection/record-summary.ts';

/** One line for each ended connection, however it ended: a health check is no error (L21). */
export class ConnectionLog implements ConnectionObserver {
  readonly #log: Logger;
  enabled: boolean;

  constructor(log: Logger, enabled: boolean) {
    this.#log = log;
    this.enabled = enabled;
  }

  ended(record: ConnectionRecord): void {
    if (this.enabled) this.#log.info('connection-closed', { ...summarize(record) });
  }
}
