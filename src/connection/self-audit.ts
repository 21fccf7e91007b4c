import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ConnectionManager } from './connection-manager.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { TimeoutManager } from './timeout-manager.ts';

/** Those who count the same things without asking the manager. */
export interface AuditWitnesses {
  /** Accepted sockets that are still open, as the listeners' own servers count them. */
  sockets(): number;
  /** Connections that the kernel forwards and that have not ended, as its table of flows counts them. */
  flows(): number;
  /** Addresses that the security manager holds slots for. */
  addresses(): number;
  /** Open descriptors of the process; null where the system does not tell. */
  descriptors(): number | null;
}

export interface AuditSnapshot {
  records: number;
  sockets: number;
  /** Connections that the kernel forwards: they have a record, and no socket. */
  flows: number;
  addresses: number;
  timers: number;
  descriptors: number | null;
  /** False from the sweep that found a lasting difference until one finds none. */
  consistent: boolean;
}

/**
 * Proves that `records == sockets + flows == counters`. A difference may exist for a moment (a socket that
 * was refused is still closing); one that two sweeps in a row find is a bug: it is logged as an
 * error, counted, and healed where it can be.
 */
export class SelfAudit {
  readonly #clock: Clock;
  readonly #manager: ConnectionManager;
  readonly #timeouts: TimeoutManager;
  readonly #witnesses: AuditWitnesses;
  readonly #log: Logger;
  readonly #everyMs: number;
  readonly #swept: () => void;
  #timer: Timer | null = null;
  #confirming: Timer | null = null;
  #lastDifference = 0;
  #consistent = true;
  /** Lasting differences found so far. */
  differences = 0;

  constructor(options: {
    clock: Clock;
    manager: ConnectionManager;
    timeouts: TimeoutManager;
    witnesses: AuditWitnesses;
    log: Logger;
    /** Default 5,000. */
    everyMs?: number;
    /** Called at the start and after each timed sweep. */
    swept?: () => void;
  }) {
    this.#clock = options.clock;
    this.#manager = options.manager;
    this.#timeouts = options.timeouts;
    this.#witnesses = options.witnesses;
    this.#log = options.log;
    this.#everyMs = options.everyMs ?? 5_000;
    this.#swept = options.swept ?? (() => {});
  }

  start(): void {
    this.#swept();
    this.#timer = this.#clock.setTimer(this.#everyMs, () => {
      this.sweep();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#confirming?.cancel();
    this.#timer = null;
    this.#confirming = null;
  }

  /** One pass. What it suspects is healed in the next turn, unless its event was only on its way. */
  sweep(): void {
    this.#compare();
    const suspects = this.#manager.live().filter(isOrphaned);
    if (suspects.length === 0) return;
    this.#confirming?.cancel();
    this.#confirming = this.#clock.setImmediate(() => {
      this.#confirming = this.#clock.setImmediate(() => this.#heal(suspects));
    });
  }

  #heal(suspects: readonly ConnectionRecord[]): void {
    this.#confirming = null;
    for (const record of suspects) {
      if (record.state === 'closed') continue;
      this.#log.error('connection-orphaned', { id: record.id, state: record.state });
      this.#manager.heal(record);
    }
  }

  #compare(): void {
    const difference = this.#difference();
    const lasting = difference !== 0 && difference === this.#lastDifference;
    if (lasting && this.#consistent) {
      this.differences++;
      this.#log.error('audit-difference', { ...this.snapshot(), difference });
    }
    this.#consistent = !lasting;
    this.#lastDifference = difference;
  }

  /** Positive: sockets, or flows, that no record knows. Negative: records, or deadlines, without one. */
  #difference(): number {
    const open = this.#manager.live().filter((record) => !record.client.closed);
    const flows = open.filter((record) => record.kernel !== null).length;
    const unwatched = Math.abs(this.#manager.size - this.#timeouts.size);
    return this.#witnesses.sockets() - (open.length - flows) || this.#witnesses.flows() - flows || -unwatched;
  }

  /** Sockets less records, where the last two sweeps found the same; 0 when the books agree. */
  get lastingDifference(): number {
    return this.#consistent ? 0 : this.#lastDifference;
  }

  /** The part that costs nothing to tell. */
  get light(): Pick<AuditSnapshot, 'records' | 'sockets' | 'consistent'> {
    return {
      records: this.#manager.size,
      sockets: this.#witnesses.sockets(),
      consistent: this.#consistent,
    };
  }

  snapshot(): AuditSnapshot {
    return {
      ...this.light,
      flows: this.#witnesses.flows(),
      addresses: this.#witnesses.addresses(),
      timers: this.#timeouts.size,
      descriptors: this.#witnesses.descriptors(),
    };
  }
}

/** Its client is gone, nobody was told, and it is in no state that waits for that. */
function isOrphaned(record: ConnectionRecord): boolean {
  return record.client.closed && (record.target === null || record.target.closed);
}
