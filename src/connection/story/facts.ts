import type { Timeouts } from '../../config/resolved.ts';
import type { TrailEvent } from '../connection-record.ts';
import type { RecordSummary } from '../record-summary.ts';
import { durationWords, placeWords } from './words.ts';

/** What a story is made of beside the record. */
export interface StoryContext {
  /** The deadlines that were in force; null where nobody knows them any more. */
  readonly timeouts: Timeouts | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Others that ended for the same reason at the same place. Null while the connection lives. */
  readonly alike: Alike | null;
}

export interface Alike {
  readonly today: number;
  /** False: there were more than are remembered. */
  readonly complete: boolean;
}

/** A record, and what sentences ask about it. */
export class Facts {
  readonly summary: RecordSummary;
  readonly #timeouts: Timeouts | null;

  constructor(summary: RecordSummary, timeouts: Timeouts | null) {
    this.summary = summary;
    this.#timeouts = timeouts;
  }

  event(what: string): TrailEvent | undefined {
    return this.summary.events.find((event) => event.what === what);
  }

  lastEvent(what: string): TrailEvent | undefined {
    return this.summary.events.findLast((event) => event.what === what);
  }

  /** The error of the ending, where it says more than the reason. */
  get error(): string {
    const { error } = this.summary.termination ?? {};
    return error ? ` (${error.message})` : '';
  }

  get phase(): string {
    return this.summary.termination?.phase ?? this.summary.state;
  }

  /** `the target 127.0.0.1:3000`. */
  get target(): string {
    const { target } = this.summary;
    return target === null ? 'the target' : `the target ${placeWords(target.host, target.port)}`;
  }

  /** How long it had been in its last phase before it ended. */
  get sinceLastMove(): string {
    const { events, termination } = this.summary;
    const moved = events.findLast(({ what }) => what !== 'ending' && what !== 'request-failed')?.atMs ?? 0;
    return durationWords((termination?.durationMs ?? moved) - moved);
  }

  get lasted(): string {
    return durationWords(this.summary.termination?.durationMs ?? 0);
  }

  /** `15 s, initialDataMs`; the name alone where the value is not known. */
  setting(name: keyof Timeouts): string {
    const value = this.#timeouts?.[name];
    return value === undefined ? name : `${durationWords(value)}, ${name}`;
  }

  /** Client and target, or a handler, were joined: an abrupt ending resets both. */
  get joined(): boolean {
    return this.phase === 'established' || this.phase === 'half-closed';
  }

  /** What the other side got of an abrupt ending. */
  bothReset(other: 'client' | 'target'): string {
    const { viaNetworkProxy } = this.summary;
    if (!this.joined || viaNetworkProxy) return '';
    return `; the ${other} was reset too, so that nothing cut short looks complete`;
  }
}
