import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { Storm } from '../base/storm.ts';
import type { TerminationReason } from '../base/termination.ts';

/** Who was refused last. */
interface Refused {
  readonly address: string;
  readonly route: string | null;
}

/**
 * At most one line a second for each reason, however many are refused (S3): the first at once,
 * the rest of each second as a count with the last address.
 */
export class RefusalLog {
  readonly #log: Logger;
  readonly #storm: Storm<Refused>;

  constructor(clock: Clock, log: Logger) {
    this.#log = log;
    this.#storm = new Storm({
      clock,
      individually: 1,
      tellCount: (reason, count, last) => this.#write(reason, count, last),
    });
  }

  add(reason: TerminationReason, address: string, route: string | null): void {
    const refused = { address, route };
    if (this.#storm.add(reason, refused)) this.#write(reason, 1, refused);
  }

  /** Writes what is counted but not written, and cancels the timers. */
  stop(): void {
    this.#storm.stop();
  }

  #write(reason: string, count: number, { address, route }: Refused): void {
    this.#log.warn('connections-refused', { reason, count, address, ...(route === null ? {} : { route }) });
  }
}
