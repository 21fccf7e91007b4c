import type { Clock, Timer } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { listFlows } from './conntrack-command.ts';
import { CutQueue } from './cut-queue.ts';
import { EventStream } from './event-stream.ts';
import { parseFlowLine } from './flow-line.ts';
import type { FlowObserver } from './flow-observer.ts';
import { FlowTable, missesUntilGone } from './flow-table.ts';
import { livingFilter, overFilter, ownerFilter } from './marks.ts';

/** How long endings are gathered before a listing tells what had crossed. */
const settleMs = 200;
/** How often a listing of those that live brings their accounts up to date. */
const refreshMs = 10_000;
/** Listings may take this share of the time, whatever there is to list; and this while events were lost. */
const listingShare = 0.1;
const recoveringShare = 0.4;
/** … but where one takes long because everything does, the next need not wait so long. */
const longestRestMs = 5_000;
/** Until a stream of events that ended is begun anew, and a listing that failed is tried again. */
const retryMs = 1_000;
/** Overruns within this time are told in one line. */
const overrunLogMs = 10_000;

/** What a listing is of, as marks say it. */
type Scope = 'all' | 'over' | 'living';

const filters: Record<Scope, (owner: number) => string> = {
  ...{ all: ownerFilter, over: overFilter, living: livingFilter },
};

export interface FlowWatcherOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly owner: number;
  readonly observer: FlowObserver;
}

/**
 * Keeps the table of flows true to the kernel's: it follows events, lists what is over to learn what had
 * crossed, what lives from time to time, and everything when events were lost or never sent.
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
  /** … in a hurry: what was lost may be forgotten by the kernel too. */
  #recovering = false;
  #refreshAt = 0;
  #listing = false;
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
    if (this.#table.overdue > 0 && this.#fullListings === 0) this.#fullListings = missesUntilGone;
    this.#schedule();
  }

  #onOverrun(): void {
    this.overruns++;
    this.#logOverruns();
    this.#resynchronise();
  }

  /** Flows began or ended that the kernel told no events of: there were too many. */
  onUntold(): void {
    if (this.#stopped) return;
    this.overruns++;
    this.#logOverruns();
    this.#fullListings ||= 1;
    this.#schedule();
  }

  /** The first at once, then at most one line in ten seconds. */
  #logOverruns(): void {
    if (this.#overrunLog !== null) return;
    this.#options.log.warn('kernel-events-overrun', {
      count: this.overruns - this.#overrunsLogged,
      message: 'there were more events than can be told; the flows are listed to find what was missed',
    });
    this.#overrunsLogged = this.overruns;
    this.#overrunLog = this.#options.clock.setTimer(overrunLogMs, () => {
      this.#overrunLog = null;
      if (this.overruns > this.#overrunsLogged) this.#logOverruns();
    });
  }

  #resynchronise(): void {
    this.#fullListings = missesUntilGone;
    this.#recovering = true;
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
    if (this.#stopped || this.#listing) return;
    const now = this.#options.clock.now();
    const { endedAt, tookMs } = this.#last;
    const share = this.#recovering ? recoveringShare : listingShare;
    const restMs = Math.min(tookMs * (1 / share - 1), longestRestMs);
    const dueAt = Math.max(this.#wantedAt(now), endedAt + restMs);
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
    void this.#list(this.#scope())
      .catch((error) => {
        this.#options.log.error('kernel-listing-failed', { message: errorMessage(error) });
        this.#last = { endedAt: this.#options.clock.now() + retryMs, tookMs: 0 };
      })
      .finally(() => this.#schedule());
  }

  #scope(): Scope {
    if (this.#fullListings > 0) return 'all';
    return this.#options.clock.now() >= this.#refreshAt ? 'living' : 'over';
  }

  async #list(scope: Scope): Promise<void> {
    const { clock } = this.#options;
    this.#listing = true;
    try {
      // A listing tells how things are; first comes how they were.
      await this.#stream.caughtUp();
      const startedAt = clock.now();
      await this.#read(scope);
      const endedAt = clock.now();
      this.#last = { endedAt, tookMs: endedAt - startedAt };
      // What it does not have may have ended: the event is on its way.
      await this.#stream.caughtUp();
    } catch (error) {
      this.#table.abandonListing();
      throw error;
    } finally {
      this.#listing = false;
    }
    if (!this.#stopped) this.#finish(scope);
  }

  async #read(scope: Scope): Promise<void> {
    this.#table.beginListing();
    await listFlows(filters[scope](this.#options.owner), (text) => {
      const line = parseFlowLine(text);
      if (line !== undefined && !this.#stopped) this.#table.list(line);
    });
  }

  #finish(scope: Scope): void {
    if (scope !== 'over') this.#refreshAt = this.#options.clock.now() + refreshMs;
    if (scope !== 'all') {
      const unclear = scope === 'over' ? this.#table.endListingOfOver() : this.#table.endListingOfLiving();
      if (unclear) this.#fullListings = missesUntilGone;
      return;
    }
    this.#table.endListing();
    this.#fullListings = Math.max(0, this.#fullListings - 1);
    if (this.#fullListings === 0) this.#recovering = false;
  }
}
