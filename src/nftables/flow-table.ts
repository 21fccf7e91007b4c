import type { Clock } from '../base/clock.ts';
import { Flow, type FlowKeeper } from './flow.ts';
import { endingOf, isOver, unknownEnding } from './flow-ending.ts';
import { FlowIndex } from './flow-index.ts';
import type { FlowLine } from './flow-line.ts';
import type { FlowObserver } from './flow-observer.ts';
import { readMark } from './marks.ts';

/** The kernel has a bound of its own (`nf_conntrack_max`, mostly 262,144). Beyond this nothing is recorded. */
const maxFlows = 1_048_576;

/** A flow that two listings in a row do not have is gone, whatever became of its events. */
export const missesUntilGone = 2;

/** Two clocks that are read one after the other, one of them in whole milliseconds, differ by less. */
const clockSlackMs = 20;

export interface FlowTableOptions {
  readonly clock: Clock;
  /** The number in the marks of the flows that are meant. */
  readonly owner: number;
  readonly observer: FlowObserver;
  /** Makes connection tracking forget a flow. */
  cut(flow: Flow): void;
}

/**
 * The flows of one table of nftables, from what connection tracking tells of them. Events and entries of
 * listings may come in any order, twice, or not at all: each flow is opened once, ends once, and is kept
 * until the kernel has forgotten it, so that late counters still find it.
 */
export class FlowTable {
  readonly #options: FlowTableOptions;
  readonly #flows = new FlowIndex();
  /** Over, and waiting for a listing to tell what had crossed. */
  readonly #unsettled = new Set<Flow>();
  /** What events destroyed while a listing is read: it may still have them. Null where none is read. */
  #destroyed: Set<string> | null = null;
  #listing = 0;
  /** When that began, on the wall clock. */
  #listingAt = 0;
  /** The wall clock less the monotonic one. */
  #wallOffset = Number.NEGATIVE_INFINITY;
  /** The first listing is read: what was over before it is not ours to tell. */
  #adopting = true;
  #live = 0;
  #open = 0;
  readonly #keeper: FlowKeeper;
  /** Flows beyond `maxFlows`. */
  unrecorded = 0;
  /** Flows whose ending was lost. */
  inexact = 0;

  constructor(options: FlowTableOptions) {
    this.#options = options;
    this.#keeper = {
      cut: (flow) => options.cut(flow),
      closed: () => {
        this.#open--;
      },
    };
  }

  /** Flows that are not over. */
  get live(): number {
    return this.#live;
  }

  /** Flows of which something will still be told. */
  get open(): number {
    return this.#open;
  }

  /** Flows that are over, but for their account. */
  get unsettled(): number {
    return this.#unsettled.size;
  }

  /** Everything that is remembered. */
  get size(): number {
    return this.#flows.size;
  }

  /** Flows whose place another has taken, and whose end was not told: a listing of all tells. */
  get overdue(): number {
    return this.#flows.overdue;
  }

  /** An event. */
  tell(line: FlowLine): void {
    if (readMark(line.mark).owner !== this.#options.owner) return;
    if (this.#adopting && line.event === 'DESTROY' && this.#flows.find(line) === undefined) return;
    const flow = this.#flowOf(line);
    if (flow === null) return;
    if (line.event === 'DESTROY') this.#destroy(flow, line);
    else this.#follow(flow, line);
  }

  /** From here on `list` gets the entries of a listing, until `endListing`. */
  beginListing(): void {
    this.#destroyed = new Set();
    this.#listing++;
    this.#listingAt = this.#options.clock.wallTime();
  }

  /** An entry of a listing. */
  list(line: FlowLine): void {
    if (readMark(line.mark).owner !== this.#options.owner) return;
    if (this.#destroyed?.has(`${line.key} ${line.id}`)) return;
    const flow = this.#adopting && isOver(line.state) ? this.#remember(line) : this.#flowOf(line);
    if (flow === null) return;
    flow.seenIn = this.#listing;
    flow.missed = 0;
    this.#follow(flow, line);
    if (flow.over) this.#settle(flow, line);
    else if (flow.take(line)) this.#options.observer.moved(flow);
  }

  /**
   * The listing was one of all flows: those that it did not have, and neither did the one before, are
   * gone. (A younger flow cannot be in it; so one miss says nothing.)
   */
  endListing(): void {
    this.#destroyed = null;
    this.#adopting = false;
    for (const flow of this.#flows.all()) {
      if (flow.seenIn === this.#listing) continue;
      flow.missed++;
      if (flow.missed >= missesUntilGone) this.#lose(flow);
    }
  }

  /**
   * The listing was one of the flows that are over, as their marks say.
   * @returns whether there are any that such listings do not have: then only one of all flows can tell
   */
  endListingOfOver(): boolean {
    this.#destroyed = null;
    let waiting = false;
    for (const flow of this.#unsettled) {
      flow.waited++;
      if (flow.waited >= missesUntilGone) waiting = true;
    }
    return waiting;
  }

  /**
   * The listing was one of the flows that are not over, as their marks say.
   * @returns as `endListingOfOver`
   */
  endListingOfLiving(): boolean {
    this.#destroyed = null;
    let missing = false;
    for (const flow of this.#flows.all()) {
      if (flow.over || flow.seenIn === this.#listing) continue;
      flow.missed++;
      if (flow.missed >= missesUntilGone) missing = true;
    }
    return missing;
  }

  /** Where a listing failed: nothing can be said about what it did not have. */
  abandonListing(): void {
    this.#destroyed = null;
  }

  /** Every flow that is not over. */
  liveFlows(): Flow[] {
    return [...this.#flows.all()].filter((flow) => !flow.over);
  }

  /** Nothing is told any more. */
  clear(): void {
    this.#flows.clear();
    this.#unsettled.clear();
    this.#live = 0;
    this.#open = 0;
  }

  /** The flow of a line; one that nobody knew is opened. Null where there is no room. */
  #flowOf(line: FlowLine): Flow | null {
    const known = this.#flows.find(line);
    if (known !== undefined) return known;
    // What the kernel has forgotten already needs no place here.
    const passing = line.event === 'DESTROY';
    if (!passing && this.#flows.size >= maxFlows) {
      if (line.event === 'NEW') this.unrecorded++;
      return null;
    }
    const flow = this.#make(line);
    if (!passing) this.#flows.add(flow);
    this.#live++;
    this.#options.observer.opened(flow, this.#timeOf(line) - (line.ageSeconds ?? 0) * 1000);
    return flow;
  }

  /** A flow that was over before anybody looked: known, and not told. */
  #remember(line: FlowLine): Flow {
    const known = this.#flows.find(line);
    if (known !== undefined) return known;
    const flow = this.#make(line);
    this.#flows.add(flow);
    flow.over = true;
    flow.close();
    return flow;
  }

  #make(line: FlowLine): Flow {
    this.#open++;
    return new Flow(line, line.at ?? this.#listingAt, this.#keeper);
  }

  /** The changes in the life of a flow that a line tells, short of its being forgotten. */
  #follow(flow: Flow, line: FlowLine): void {
    if (flow.over) return;
    if (isOver(line.state)) return this.#end(flow, line, false);
    if (isEstablished(line.state)) this.#establish(flow, line);
  }

  #establish(flow: Flow, line: FlowLine): void {
    if (flow.established) return;
    flow.established = true;
    this.#options.observer.established(flow, this.#timeOf(line));
  }

  #end(flow: Flow, line: FlowLine, final: boolean): void {
    flow.over = true;
    this.#live--;
    if (!final) this.#unsettled.add(flow);
    if (flow.writeEnded) return; // it was cut, and that is how it ended
    const ending = endingOf(readMark(line.mark), line.state);
    // Nobody sends FIN before that; the event that said so was lost, or never sent.
    if (ending.fins.length > 0 || line.assured) this.#establish(flow, line);
    this.#options.observer.ended(flow, ending, this.#timeOf(line));
  }

  /** The kernel has forgotten it, and says what had crossed. */
  #destroy(flow: Flow, line: FlowLine): void {
    this.#forget(flow);
    this.#destroyed?.add(`${flow.key} ${flow.id}`);
    if (flow.closed) return this.#correct(flow, line);
    flow.take(line);
    if (!flow.over) this.#end(flow, line, true);
    flow.close();
  }

  #settle(flow: Flow, line: FlowLine): void {
    if (!this.#unsettled.delete(flow)) return;
    flow.take(line);
    flow.close();
  }

  /** Packets that came after its end was told: the last acknowledgements, mostly. */
  #correct(flow: Flow, line: FlowLine): void {
    const before = { fromClient: flow.bytesRead, toClient: flow.bytesWritten };
    flow.take(line);
    const correction = {
      fromClient: flow.bytesRead - before.fromClient,
      toClient: flow.bytesWritten - before.toClient,
    };
    if (correction.fromClient !== 0 || correction.toClient !== 0)
      this.#options.observer.corrected(flow, correction);
  }

  /** It is gone, and what became of it was not told. */
  #lose(flow: Flow): void {
    this.#flows.lose(flow);
    this.#unsettled.delete(flow);
    if (flow.closed) return;
    flow.exact = false;
    this.inexact++;
    if (!flow.over) {
      flow.over = true;
      this.#live--;
      if (!flow.writeEnded) this.#options.observer.ended(flow, unknownEnding, this.#options.clock.now());
    }
    flow.close();
  }

  #forget(flow: Flow): void {
    this.#flows.forget(flow);
    this.#unsettled.delete(flow);
  }

  /** When the event of a line was, on the monotonic clock; an entry of a listing is as of now. */
  #timeOf({ at }: FlowLine): number {
    const { clock } = this.#options;
    const now = clock.now();
    const offset = clock.wallTime() - now;
    // As long as nobody sets the wall clock, times of one flow differ by exactly what its events do.
    if (Math.abs(offset - this.#wallOffset) > clockSlackMs) this.#wallOffset = offset;
    return at === null ? now : Math.min(now, at - this.#wallOffset);
  }
}

/** From the moment that the handshake is done; the states after it are those of a flow that closes. */
function isEstablished(state: string | null): boolean {
  return state !== null && !/^SYN_/.test(state) && state !== 'NONE';
}
