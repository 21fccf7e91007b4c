import type { Clock, Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Refusal } from './marks.ts';
import { countsInTable, type TableCounts } from './table-contents.ts';

/** How often the table is looked at. Each look is a start of `nft`: some 8 ms of processor time. */
const lookMs = 3_000;

/** Connections that the kernel turned away since the last look. */
export interface Refused {
  readonly refusal: Refusal;
  /** The number of the route. */
  readonly route: number;
  readonly count: number;
}

export interface TableWatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly instance: string;
  refused(refused: Refused): void;
  /** Since the last look some flows began or ended among too many for events of each. */
  untold(): void;
  /** The table is gone: loads it again, unless somebody has. */
  restore(): Promise<void>;
}

/** Looks at the table from time to time: what it has refused or left untold, and whether it is still there. */
export class TableWatch {
  readonly #options: TableWatchOptions;
  /** What was refused up to the last look, by route and reason. */
  #counts = new Map<string, number>();
  #untold = 0;
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: TableWatchOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(lookMs, () => {
      this.#looking = this.#look();
      void this.#looking.then(() => this.start());
    });
  }

  /** After a last look. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
    await this.#look();
  }

  async #look(): Promise<void> {
    const { instance, log } = this.#options;
    try {
      const counts = await countsInTable(instance);
      if (counts !== undefined) this.#tell(counts);
      else if (!this.#stopped) await this.#options.restore();
    } catch (error) {
      log.error('nftables-look-failed', { message: errorMessage(error) });
    }
  }

  #tell({ refused, untold }: TableCounts): void {
    if (untold > this.#untold) this.#options.untold();
    this.#untold = untold;
    for (const { route, refusal, count } of refused) {
      const key = `${refusal} ${route}`;
      const more = count - (this.#counts.get(key) ?? 0);
      this.#counts.set(key, count);
      if (more > 0) this.#options.refused({ route, refusal, count: more });
    }
  }

  /** The table was gone, and is loaded again. */
  onLost(): void {
    this.#options.log.error('nftables-table-lost', {
      message: 'another program removed the table: it is loaded again, and flows may have broken meanwhile',
    });
    this.beginAnew();
  }

  /** The table is a new one, which has counted nothing. */
  beginAnew(): void {
    this.#counts.clear();
    this.#untold = 0;
  }
}
