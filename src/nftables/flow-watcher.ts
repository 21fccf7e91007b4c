import type { Clock, Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { listFlows } from './conntrack-command.ts';
import { CutQueue } from './cut-queue.ts';
import { EventStream } from './event-stream.ts';
import { parseFlowLine } from './flow-line.ts';
import type { FlowObserver } from './flow-observer.ts';
import { FlowTable } from './flow-table.ts';
import { overFilter, ownerFilter } from './marks.ts';

/** How long endings are gathered before a listing tells what had crossed. */
const settleMs = 200;
/** How often a listing of all flows brings the accounts of those that live up to date. */
const refreshMs = 10_000;
/** Listings may take this share of the time, whatever there is to list; and this while events were lost. */
const listingShare = 0.1;
const recoveringShare = 0.4;
/** Until a stream of events that ended is begun anew, and a listing that failed is tried again. */
const retryMs = 1_000;
/** Overruns within this time are told in one line. */
const overrunLogMs = 10_000;

export interface FlowWatcherOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly owner: number;
  readonly observer: FlowObserver;
}

/**
 * Keeps the table of flows true to the kernel's: it follows events, lists what is over to learn what had
 * crossed, and lists everything from time to time, and when events were lost.
 */
export class FlowWatcher {
  readonly #options: FlowWatcherOptions;
  readonly #stream: EventStream;
  readonly #table: FlowTable;
  #timer: Timer | null = null;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #retry: Timer | null = null;
  #overrunLog: Timer | null = null;
  #stopped = false;
  /** A listing of all flows is due, however many more of them; two, so that a miss can be confirmed. */
  #fullListings = 0;
  #refreshAt = 0;
  #listing: Promise<void> | null = null;
  /** When the last listing ended, and how long it took. */
  #last = { endedAt: 0, tookMs: 0 };
  /** Times that the kernel had no room for an event. */
  overruns = 0;
  #overrunsLogged = 0;

  constructor(options: FlowWatcherOptions) {
    this.#options = options;
    const { clock, owner, observer } = options;
    const cuts = new CutQueue({ ...options, liveFlows: () => this.#table.liveFlows() });
    this.#table = new FlowTable({ clock, owner, observer, cut: (flow) => cuts.add(flow) });
    this.#stream = new EventStream(clock, {
      onLine: (line) => this.#tell(line),
      onOverrun: () => this.#onOverrun(),
      onEnd: (why) => this.#restart(why),
    });
  }

  get table(): FlowTable {
    return this.#table;
  }

  /** Begins to follow, and takes in the flows that are there. */
  async start(): Promise<void> {
    await this.#stream.start(this.#options.owner);
    await this.#list('all');
    this.#refreshAt = this.#options.clock.now() + refreshMs;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#stream.stop();
    for (const timer of [this.#timer, this.#retry, this.#overrunLog]) timer?.cancel();
    this.#table.clear();
  }

  #tell(text: string): void {
    if (this.#stopped) return;
    const line = parseFlowLine(text);
    if (line === undefined) return;
    this.#table.tell(line);
    this.#schedule();
  }

  #onOverrun(): void {
    this.overruns++;
    this.#logOverruns();
    this.#resynchronise();
  }

  /** The first at once, then at most one line in ten seconds. */
  #logOverruns(): void {
    if (this.#overrunLog !== null) return;
    this.#options.log.warn('kernel-events-overrun', {
      count: this.overruns - this.#overrunsLogged,
      message: 'the kernel had more events than room for them; the flows are listed to find what was missed',
    });
    this.#overrunsLogged = this.overruns;
    this.#overrunLog = this.#options.clock.setTimer(overrunLogMs, () => {
      this.#overrunLog = null;
      if (this.overruns > this.#overrunsLogged) this.#logOverruns();
    });
  }

  #resynchronise(): void {
    this.#fullListings = 2;
    this.#schedule();
  }

  #restart(why: string): void {
    if (this.#stopped) return;
    this.#options.log.error('kernel-events-ended', { message: why });
    this.#retry = this.#options.clock.setTimer(retryMs, () => {
      this.#stream.start(this.#options.owner).then(
        () => this.#resynchronise(),
        (error) => this.#restart(errorMessage(error)),
      );
    });
  }

  /** Sees to it that the next listing comes when it is due, and not too soon after the last. */
  #schedule(): void {
    if (this.#stopped || this.#listing !== null) return;
    const now = this.#options.clock.now();
    const { endedAt, tookMs } = this.#last;
    const share = this.#fullListings > 0 ? recoveringShare : listingShare;
    const dueAt = Math.max(this.#wantedAt(now), endedAt + tookMs * (1 / share - 1));
    if (dueAt === Number.POSITIVE_INFINITY || dueAt >= this.#timerDueAt) return;
    this.#timer?.cancel();
    this.#timerDueAt = dueAt;
    this.#timer = this.#options.clock.setTimer(Math.max(0, dueAt - now), () => this.#onTimer());
  }

  #wantedAt(now: number): number {
    if (this.#fullListings > 0 || this.#table.unsettled > 0) return now + settleMs;
    return this.#table.live > 0 ? Math.max(now, this.#refreshAt) : Number.POSITIVE_INFINITY;
  }

  #onTimer(): void {
    this.#timer = null;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
    const full = this.#fullListings > 0 || this.#options.clock.now() >= this.#refreshAt;
    void this.#list(full ? 'all' : 'over')
      .catch((error) => {
        this.#options.log.error('kernel-listing-failed', { message: errorMessage(error) });
        this.#last = { endedAt: this.#options.clock.now() + retryMs, tookMs: 0 };
      })
      .finally(() => this.#schedule());
  }

  async #list(scope: 'all' | 'over'): Promise<void> {
    const { clock, owner } = this.#options;
    const startedAt = clock.now();
    this.#table.beginListing();
    const filter = scope === 'all' ? ownerFilter(owner) : overFilter(owner);
    this.#listing = listFlows(filter, (text) => {
      const line = parseFlowLine(text);
      if (line !== undefined && !this.#stopped) this.#table.list(line);
    });
    try {
      await this.#listing;
    } catch (error) {
      this.#table.abandonListing();
      throw error;
    } finally {
      this.#listing = null;
    }
    if (this.#stopped) return;
    const endedAt = clock.now();
    this.#last = { endedAt, tookMs: endedAt - startedAt };
    this.#finish(scope);
  }

  #finish(scope: 'all' | 'over'): void {
    if (scope === 'over') {
      if (this.#table.endListingOfOver()) this.#fullListings = 2;
      return;
    }
    this.#table.endListing();
    this.#fullListings = Math.max(0, this.#fullListings - 1);
    this.#refreshAt = this.#options.clock.now() + refreshMs;
  }
}
