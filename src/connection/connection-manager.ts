import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import {
  type Cause,
  type ConnectionState,
  reasonInitiators,
  type TerminationReason,
} from '../base/termination.ts';
import type { PeerAddress, Transport } from '../base/transport.ts';
import type { ResolvedRoute, Timeouts } from '../config/resolved.ts';
import { SocketCloser } from './cleanup-socket.ts';
import type { ConnectionObserver } from './connection-observer.ts';
import { ConnectionRecord, type KernelAccount } from './connection-record.ts';
import { type ConnectionStatistics, Tally } from './connection-statistics.ts';
import type { ExpiredDeadline, Wait } from './deadlines.ts';
import { EndedRecords } from './ended-records.ts';
import { type ClosingEffect, closingEffect, reasonOfDeadline } from './ending-policy.ts';
import { RecordIndex } from './record-index.ts';
import { type RecordSummary, summarize } from './record-summary.ts';
import { alikeToday } from './story/alike.ts';
import { tellStory } from './story/story.ts';
import type { TimeoutManager } from './timeout-manager.ts';

/**
 * A cause as the manager takes it; `effect` overrides what the policy would do to the sockets. `at`: when
 * it struck, where that was before it is reported (monotonic milliseconds of the clock).
 */
export type CleanupCause = Cause & { effect?: ClosingEffect; at?: number };

export interface ConnectionManagerOptions {
  clock: Clock;
  timeouts: TimeoutManager;
  log: Logger;
  observers?: readonly ConnectionObserver[];
  /** How many ended records are kept. Default 1,000. */
  endedCapacity?: number;
}

/**
 * Knows every connection, and is the only one that ends them:
 *
 *   initiateCleanupOnce ─▶ cleanupConnection ─▶ cleanupSocket (client) ─┐
 *     first cause, phase     owner stops,      cleanupSocket (target) ─┴▶ conclude ─▶ observers
 *     state "closing"        deadlines off                               state "closed"
 *
 * A record stays in the tables until both of its descriptors are gone, so that the numbers of
 * records and of sockets can be held against each other at any moment.
 */
export class ConnectionManager {
  readonly #clock: Clock;
  readonly #timeouts: TimeoutManager;
  readonly #log: Logger;
  readonly #observers: ConnectionObserver[];
  readonly #index = new RecordIndex();
  readonly #ended: EndedRecords;
  readonly #tally = new Tally();
  readonly #idPrefix: string;
  #lastId = 0;

  constructor(options: ConnectionManagerOptions) {
    this.#clock = options.clock;
    this.#timeouts = options.timeouts;
    this.#log = options.log;
    this.#observers = [...(options.observers ?? [])];
    this.#ended = new EndedRecords(options.endedCapacity ?? 1000);
    this.#idPrefix = Math.floor(this.#clock.random() * 36 ** 6)
      .toString(36)
      .padStart(6, '0');
    this.#timeouts.onExpired((record, expired) => this.#onExpired(record, expired));
  }

  /** Adds an observer; call it before the first connection. */
  observe(observer: ConnectionObserver): void {
    this.#observers.push(observer);
  }

  /**
   * Takes a connection into the tables. From here on its only way out is `initiateCleanupOnce`.
   * @param init.at when it began (monotonic milliseconds of the clock); default: now
   */
  createConnection(
    client: Transport,
    init: { localPort: number; timeouts: Timeouts; at?: number; kernel?: KernelAccount },
  ): ConnectionRecord {
    const now = this.#clock.now();
    const { at: startedAt = now, kernel = null } = init;
    const record = new ConnectionRecord({
      id: `${this.#idPrefix}-${(++this.#lastId).toString(36)}`,
      client,
      clientAddress: client.peer,
      localPort: init.localPort,
      startedAt,
      startedAtWall: this.#clock.wallTime() - (now - startedAt),
      timeouts: init.timeouts,
    });
    record.kernel = kernel;
    record.note(startedAt, 'accepted');
    this.#index.add(record);
    this.#tally.opened++;
    this.#timeouts.track(record);
    this.#tell('opened', record);
    return record;
  }

  /** Counts connections that were turned away before they had a record. */
  refuse(reason: TerminationReason, address: PeerAddress, count = 1): void {
    this.#tally.refuse(reason, count);
    for (const observer of this.#observers) {
      try {
        observer.refused?.(reason, address.ip, address.port, count);
      } catch (error) {
        this.#observerFailed('refused', error);
      }
    }
  }

  /** Moves the record on and ends the deadline of its former phase. False for a late move. */
  transition(record: ConnectionRecord, state: ConnectionState): boolean {
    if (!record.transitionTo(state)) return false;
    this.#timeouts.disarm(record);
    return true;
  }

  /** The real client, once a PROXY header told it. */
  setClientAddress(record: ConnectionRecord, address: PeerAddress): void {
    this.#index.setClientAddress(record, address);
  }

  /** From here on these timeouts hold: a request has those of its own route. */
  useTimeouts(record: ConnectionRecord, timeouts: Timeouts): void {
    this.#timeouts.useTimeouts(record, timeouts);
  }

  /**
   * From here on the route's own timeouts hold; or `timeouts`, where others watch some of them.
   * @param at when it was found; default: now
   */
  setRoute(
    record: ConnectionRecord,
    route: ResolvedRoute,
    { timeouts = route.timeouts, at = this.#clock.now() }: { timeouts?: Timeouts; at?: number } = {},
  ): void {
    this.#index.setRoute(record, route);
    this.#timeouts.useTimeouts(record, timeouts);
    record.note(at, 'routed', { route: route.name });
    this.#tell('routed', record);
  }

  /** The first FIN of a joined pair makes it `half-closed`. */
  sideEnded(record: ConnectionRecord, side: 'client' | 'target'): void {
    if (side === 'client') record.clientEnded = true;
    else record.targetEnded = true;
    record.firstEnded ??= side;
    record.note(this.#clock.now(), `${side}-ended`);
    if (record.state === 'established') this.transition(record, 'half-closed');
  }

  /**
   * Reports a cause. Only the first one counts: false for every later one. Safe from any listener
   * and any timer, and to re-enter: the state moves before anything else happens.
   */
  initiateCleanupOnce(record: ConnectionRecord, cause: CleanupCause): boolean {
    const phase = record.state;
    if (!record.transitionTo('closing')) return false;
    const now = this.#clock.now();
    const { reason, error, at = now } = cause;
    record.termination = {
      reason,
      initiator: reasonInitiators[reason],
      phase,
      error: error === undefined ? null : { code: errorCode(error), message: errorMessage(error) },
      endedAt: new Date(this.#clock.wallTime() - (now - at)).toISOString(),
      durationMs: Math.round((at - record.startedAt) * 1000) / 1000,
    };
    record.note(at, 'ending', { reason });
    if (reason === 'internal-error')
      this.#log.error('internal-error', { id: record.id, ...record.termination });
    this.cleanupConnection(record, cause.effect ?? closingEffect(reason, record.joined));
    return true;
  }

  /** Second link of the chain: the present owner lets go, then both sockets are closed. */
  cleanupConnection(record: ConnectionRecord, effect: ClosingEffect): void {
    this.#timeouts.disarm(record);
    record.releaseOwner();
    const { client, target } = record;
    record.closers = [this.cleanupSocket(record, client, effect)];
    if (target !== null) record.closers.push(this.cleanupSocket(record, target, effect));
    this.#concludeWhenClosed(record);
    this.#startGrace(record);
  }

  /** Third link: one socket, by FIN or by RST; its closer tells when the descriptor is gone. */
  cleanupSocket(record: ConnectionRecord, transport: Transport, effect: ClosingEffect): SocketCloser {
    return new SocketCloser(transport, effect, {
      flushed: () => this.#startGrace(record),
      closed: () => this.#concludeWhenClosed(record),
    });
  }

  /** The peer's FIN is waited for only from the moment that everything was flushed on both sides. */
  #startGrace(record: ConnectionRecord): void {
    if (record.state !== 'closing' || !record.closers.every((closer) => closer.flushed)) return;
    const { cleanupGraceMs } = record.timeouts;
    if (cleanupGraceMs === 0) this.#closeNow(record);
    else this.#timeouts.arm(record, 'cleanupGrace', cleanupGraceMs);
  }

  #closeNow(record: ConnectionRecord): void {
    for (const closer of record.closers) closer.force();
  }

  #concludeWhenClosed(record: ConnectionRecord): void {
    if (!record.closers.every((closer) => closer.closed)) return;
    if (!record.transitionTo('closed')) return;
    this.#timeouts.untrack(record);
    this.#index.remove(record);
    this.#tally.terminate(
      record,
      record.closers.some((closer) => closer.forced),
    );
    this.#ended.add(record);
    this.#tell('ended', record);
    record.seal();
  }

  /**
   * What was told of a connection at its end was not all: so many more bytes, and its account as it is.
   * The books are corrected, and the record where it is still among the last ended.
   */
  correct(
    id: string,
    route: string | null,
    more: { fromClient: number; toClient: number },
    kernel: KernelAccount,
  ): void {
    this.#tally.correct(more);
    const record = this.#ended.get(id);
    if (record !== undefined) {
      const { bytesFromClient, bytesToClient } = record;
      const bytes = {
        fromClient: bytesFromClient + more.fromClient,
        toClient: bytesToClient + more.toClient,
      };
      record.correct(bytes, kernel);
    }
    for (const observer of this.#observers) {
      try {
        observer.corrected?.(route, more);
      } catch (error) {
        this.#observerFailed('corrected', error);
      }
    }
  }

  #onExpired(record: ConnectionRecord, expired: ExpiredDeadline): void {
    if (record.state === 'closing') return this.#closeNow(record);
    if (expired === 'cleanupGrace') return;
    this.initiateCleanupOnce(record, { reason: reasonOfDeadline(expired) });
  }

  /** Ends whatever is still being closed, at once: the last step of a shutdown. */
  forceClosing(): void {
    for (const record of this.live()) if (record.state === 'closing') this.#closeNow(record);
  }

  /** What the audit does with a record whose sockets are gone without a word (L12). */
  heal(record: ConnectionRecord): void {
    if (!this.initiateCleanupOnce(record, { reason: 'orphaned' })) this.#concludeWhenClosed(record);
  }

  #tell(what: 'opened' | 'routed' | 'ended', record: ConnectionRecord): void {
    for (const observer of this.#observers) {
      try {
        if (what === 'opened') observer.opened?.(record);
        else if (what === 'routed') observer.routed?.(record);
        else observer.ended?.(record);
      } catch (error) {
        this.#observerFailed(what, error);
      }
    }
  }

  /** An observer that throws must not keep a connection from ending. */
  #observerFailed(what: string, error: unknown): void {
    this.#log.error('observer-failed', { what, message: errorMessage(error) });
  }

  get size(): number {
    return this.#index.size;
  }

  /** Distinct client addresses of live records. */
  get addresses(): number {
    return this.#index.addresses;
  }

  get(id: string): ConnectionRecord | undefined {
    return this.#index.get(id);
  }

  /** Live records, oldest first. A copy: connections may end while it is walked. */
  live(): ConnectionRecord[] {
    return this.#index.all();
  }

  /** The first `limit` of the live records: for those who look often. */
  oldest(limit: number): ConnectionRecord[] {
    return this.#index.first(limit);
  }

  /** Those that ended last, the newest first. Sealed: see them, and keep nothing of them. */
  lastEnded(limit: number): readonly ConnectionRecord[] {
    return this.#ended.newest(limit);
  }

  ofRoute(name: string): ConnectionRecord[] {
    return this.#index.ofRoute(name);
  }

  ofAddress(ip: string): ConnectionRecord[] {
    return this.#index.ofAddress(ip);
  }

  /** One record, live or among the last ended. */
  find(id: string): RecordSummary | undefined {
    const record = this.#find(id);
    return record === undefined ? undefined : summarize(record);
  }

  /** The id of the record of a connection that another process calls `outerId`: the newest, if there were several. */
  broughtAs(outerId: string): string | undefined {
    const isIt = ({ outer }: ConnectionRecord): boolean => outer?.id === outerId;
    const record = this.live().findLast(isIt) ?? this.#ended.newest(Number.POSITIVE_INFINITY).find(isIt);
    return record?.id;
  }

  #find(id: string): ConnectionRecord | undefined {
    return this.#index.get(id) ?? this.#ended.get(id);
  }

  /** What happened to a connection that lives or is among the last ended, in plain sentences. */
  story(id: string): string | undefined {
    const record = this.#find(id);
    if (record === undefined) return undefined;
    const ended = this.#ended.newest(Number.POSITIVE_INFINITY);
    const { timeouts } = record;
    return tellStory(summarize(record), {
      timeouts,
      now: this.#clock.wallTime(),
      alike: alikeToday(record, ended, this.#ended.isComplete),
    });
  }

  /** What a live connection waits for; undefined where there is none. */
  waitsOf(id: string): Wait[] | undefined {
    const record = this.#index.get(id);
    return record === undefined ? undefined : this.#timeouts.waitsOf(record);
  }

  summaryOf(record: ConnectionRecord): RecordSummary {
    return summarize(record);
  }

  /** The newest ended records first. */
  terminations(limit: number): RecordSummary[] {
    return this.#ended.newest(limit).map(summarize);
  }

  /** How many records have ended, those that are forgotten included. */
  get ended(): number {
    return this.#ended.total;
  }

  statistics(): ConnectionStatistics {
    return this.#tally.statistics(this.#index.all());
  }
}
