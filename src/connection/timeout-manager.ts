import type { Clock } from '../base/clock.ts';
import { type Deadline, DeadlineQueue } from '../base/deadline-queue.ts';
import type { Transport } from '../base/transport.ts';
import type { Timeouts } from '../config/resolved.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { type ExpiredDeadline, type PhaseDeadline, settingOfDeadline, type Wait } from './deadlines.ts';

/** A stalled write is noticed at the latest a quarter of `stalledWriteMs` after it is due. */
const stallSamples = 4;

/** A connection that is being closed is never without a bound, even where `stalledWriteMs` is 0. */
const closingStallMs = 300_000;

/** How one direction's pending bytes come along, sampled. */
class WriteProgress {
  #written = 0;
  #wasPending = false;
  #progressAt = 0;

  /** Milliseconds without progress; 0 while nothing is pending. */
  stalledFor(transport: Transport | null, now: number): number {
    const pending = transport !== null && !transport.closed && isPending(transport);
    const written = transport?.bytesWritten ?? 0;
    if (!pending || !this.#wasPending || written !== this.#written) this.#progressAt = now;
    this.#wasPending = pending;
    this.#written = written;
    return now - this.#progressAt;
  }

  /** When it will have stalled for so long, as far as the last sample knows; `Infinity` while nothing is pending. */
  dueAt(limitMs: number): number {
    return this.#wasPending ? this.#progressAt + limitMs : Number.POSITIVE_INFINITY;
  }
}

/** A FIN that is not out yet counts: it waits behind bytes that the peer does not take. */
function isPending(transport: Transport): boolean {
  return transport.pendingBytes > 0 || (transport.writeEnded && !transport.writeFinished);
}

/** All deadlines of one connection, as one member of the queue. */
class ConnectionDeadlines implements Deadline {
  dueAt = 0;
  position = -1;
  phase: PhaseDeadline | null = null;
  phaseDueAt = Number.POSITIVE_INFINITY;
  lifetimeDueAt: number;
  #stallSampleAt: number;
  readonly #towardsClient = new WriteProgress();
  readonly #towardsTarget = new WriteProgress();
  readonly #record: ConnectionRecord;
  readonly #manager: TimeoutManager;

  constructor(record: ConnectionRecord, manager: TimeoutManager) {
    this.#record = record;
    this.#manager = manager;
    this.lifetimeDueAt = Number.POSITIVE_INFINITY;
    this.#stallSampleAt = record.startedAt + sampleMs(record);
  }

  /** Activity is read here and not when it happens: a packet costs one assignment. */
  nextDueAt(): number {
    const { state } = this.#record;
    let dueAt = Math.min(this.phaseDueAt, this.#stallSampleAt);
    if (state === 'closing') return dueAt;
    dueAt = Math.min(dueAt, this.lifetimeDueAt);
    return state === 'established' || state === 'half-closed' ? Math.min(dueAt, this.#quietDueAt()) : dueAt;
  }

  #quietDueAt(): number {
    const { timeouts, lastActivityAt, state } = this.#record;
    const inactivity = after(lastActivityAt, timeouts.inactivityMs);
    return state === 'half-closed'
      ? Math.min(inactivity, after(lastActivityAt, timeouts.halfCloseMs))
      : inactivity;
  }

  /** What may end this connection, and when. */
  waits(): Map<ExpiredDeadline, number> {
    const { timeouts, lastActivityAt, state } = this.#record;
    const stall = stallLimit(this.#record);
    const waits = new Map<ExpiredDeadline, number>([
      ['stalledWrite', Math.min(this.#towardsClient.dueAt(stall), this.#towardsTarget.dueAt(stall))],
    ]);
    if (this.phase !== null) waits.set(this.phase, this.phaseDueAt);
    if (state === 'closing') return waits;
    waits.set('maxLifetime', this.lifetimeDueAt);
    if (state === 'half-closed') waits.set('halfClose', after(lastActivityAt, timeouts.halfCloseMs));
    if (state === 'established' || state === 'half-closed')
      waits.set('inactivity', after(lastActivityAt, timeouts.inactivityMs));
    return waits;
  }

  timeoutsChanged(): void {
    this.#stallSampleAt = Math.min(this.#stallSampleAt, this.#manager.clock.now() + sampleMs(this.#record));
  }

  expire(now: number): void {
    const expired = this.#whatExpired(now);
    this.#manager.reschedule(this);
    if (expired !== null) this.#manager.report(this.#record, expired);
  }

  #whatExpired(now: number): ExpiredDeadline | null {
    if (this.phaseDueAt <= now) {
      this.phaseDueAt = Number.POSITIVE_INFINITY;
      return this.phase;
    }
    if (this.#stallSampleAt <= now && this.#sampleWrites(now)) return 'stalledWrite';
    if (this.#record.state === 'closing') return null;
    if (this.lifetimeDueAt <= now) {
      this.lifetimeDueAt = Number.POSITIVE_INFINITY;
      return 'maxLifetime';
    }
    return this.#whatWasQuiet(now);
  }

  #whatWasQuiet(now: number): ExpiredDeadline | null {
    const { timeouts, lastActivityAt, state } = this.#record;
    if (state !== 'established' && state !== 'half-closed') return null;
    if (state === 'half-closed' && after(lastActivityAt, timeouts.halfCloseMs) <= now) return 'halfClose';
    return after(lastActivityAt, timeouts.inactivityMs) <= now ? 'inactivity' : null;
  }

  #sampleWrites(now: number): boolean {
    const record = this.#record;
    const limit = stallLimit(record);
    this.#stallSampleAt = now + sampleMs(record);
    const stalledFor = Math.max(
      this.#towardsClient.stalledFor(record.client, now),
      this.#towardsTarget.stalledFor(record.target, now),
    );
    return stalledFor >= limit;
  }
}

function after(start: number, milliseconds: number): number {
  return milliseconds === 0 ? Number.POSITIVE_INFINITY : start + milliseconds;
}

function stallLimit(record: ConnectionRecord): number {
  const { stalledWriteMs } = record.timeouts;
  if (stalledWriteMs > 0) return stalledWriteMs;
  return record.state === 'closing' ? closingStallMs : Number.POSITIVE_INFINITY;
}

function sampleMs(record: ConnectionRecord): number {
  return (record.timeouts.stalledWriteMs || closingStallMs) / stallSamples;
}

/**
 * Every deadline of every connection on one timer. It only reports what ran out, and ends
 * nothing itself. `lastActivityAt` of the record is read when a deadline is looked at: there is
 * nothing to call for each packet.
 */
export class TimeoutManager {
  readonly clock: Clock;
  readonly #queue: DeadlineQueue;
  readonly #entries = new Map<ConnectionRecord, ConnectionDeadlines>();
  #onExpired: (record: ConnectionRecord, expired: ExpiredDeadline) => void = () => {};

  constructor(clock: Clock) {
    this.clock = clock;
    this.#queue = new DeadlineQueue(clock);
  }

  /** Where expirations are reported. Set once, by the manager of connections. */
  onExpired(callback: (record: ConnectionRecord, expired: ExpiredDeadline) => void): void {
    this.#onExpired = callback;
  }

  /** How many connections are watched: equals the number of records, or the audit says so. */
  get size(): number {
    return this.#entries.size;
  }

  track(record: ConnectionRecord): void {
    const entry = new ConnectionDeadlines(record, this);
    this.#entries.set(record, entry);
    this.#armLifetime(entry, record);
    this.reschedule(entry);
  }

  /** Idempotent. */
  untrack(record: ConnectionRecord): void {
    const entry = this.#entries.get(record);
    if (entry === undefined) return;
    this.#entries.delete(record);
    this.#queue.remove(entry);
  }

  /** Starts the deadline of a phase in place of the one before. 0 ms: none. */
  arm(record: ConnectionRecord, phase: PhaseDeadline, delayMs: number): void {
    const entry = this.#entries.get(record);
    if (entry === undefined) return;
    entry.phase = phase;
    entry.phaseDueAt = delayMs === 0 ? Number.POSITIVE_INFINITY : this.clock.now() + delayMs;
    this.reschedule(entry);
  }

  /** Ends the deadline of the present phase, if there is one; call it at each change of state. */
  disarm(record: ConnectionRecord): void {
    this.arm(record, 'connect', 0);
  }

  /** The record has a route now, and with it other timeouts. */
  useTimeouts(record: ConnectionRecord, timeouts: Timeouts): void {
    record.timeouts = timeouts;
    const entry = this.#entries.get(record);
    if (entry === undefined) return;
    this.#armLifetime(entry, record);
    entry.timeoutsChanged();
    this.reschedule(entry);
  }

  /** What a connection waits for at this moment, what is due first first. */
  waitsOf(record: ConnectionRecord): Wait[] {
    const now = this.clock.now();
    return [...(this.#entries.get(record)?.waits() ?? [])]
      .filter(([, dueAt]) => dueAt !== Number.POSITIVE_INFINITY)
      .map(([deadline, dueAt]) => {
        const setting = settingOfDeadline[deadline];
        return { setting, ofMs: record.timeouts[setting], leftMs: Math.round(dueAt - now) };
      })
      .sort((one, other) => one.leftMs - other.leftMs);
  }

  /** ±5 %, so that connections that came together do not end together. */
  #armLifetime(entry: ConnectionDeadlines, record: ConnectionRecord): void {
    const spread = 0.95 + 0.1 * this.clock.random();
    entry.lifetimeDueAt = after(record.startedAt, record.timeouts.maxLifetimeMs * spread);
  }

  reschedule(entry: ConnectionDeadlines): void {
    this.#queue.schedule(entry, entry.nextDueAt());
  }

  report(record: ConnectionRecord, expired: ExpiredDeadline): void {
    this.#onExpired(record, expired);
  }

  /** Forgets every deadline. */
  stop(): void {
    this.#entries.clear();
    this.#queue.clear();
  }
}
