import type { Clock } from '../../base/clock.ts';
import type { Transport } from '../../base/transport.ts';
import { after } from '../http1/lazy-deadline.ts';
import { controlTerms, FloodBudget, overheadTerms, resetTerms } from './flood-budget.ts';

/** What one client's connection may cost that is no use to anybody (F1), looked at about once a second. */
export class FloodWatch {
  readonly #transport: Transport;
  readonly #resets: FloodBudget;
  readonly #control: FloodBudget;
  readonly #overhead: FloodBudget;
  /** Bytes of heads and bodies since the last look. */
  #useful = 0;
  /** Bytes of streams that are over which may be on their way. */
  #mayCome = 0;
  #readBefore = 0;
  #writtenBefore = 0;
  #unreadBefore = 0;
  /** The connection has taken nothing of what is pending since then, where it should. */
  #stalledSince = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, transport: Transport) {
    this.#transport = transport;
    this.#resets = new FloodBudget(clock, resetTerms);
    this.#control = new FloodBudget(clock, controlTerms);
    this.#overhead = new FloodBudget(clock, overheadTerms);
  }

  /** A stream was given up, or refused. False: that are too many. */
  streamGivenUp(): boolean {
    return this.#resets.charge(1);
  }

  /** A frame came that carries nothing. False: that are too many. */
  idleFrame(): boolean {
    return this.#control.charge(1);
  }

  /** Bytes that were worth reading. */
  useful(bytes: number): void {
    this.#useful += bytes;
  }

  /** A stream is over, of which the client may send so much before it hears of it. */
  mayCome(bytes: number): void {
    this.#mayCome += bytes;
  }

  /** Bytes of a stream that is over. They are worth nothing, and nobody is to blame for those that were to be expected. */
  late(bytes: number): void {
    const expected = Math.min(bytes, this.#mayCome);
    this.#mayCome -= expected;
    this.#useful += expected;
  }

  /** False: too many bytes came that nothing has counted. `unread` bytes of bodies wait at present. */
  look(unread: number): boolean {
    const { bytesRead, bytesWritten } = this.#transport;
    const calledFor = bytesWritten - this.#writtenBefore;
    const waiting = unread - this.#unreadBefore;
    const overhead = bytesRead - this.#readBefore - 2 * this.#useful - calledFor - waiting;
    this.#readBefore = bytesRead;
    this.#writtenBefore = bytesWritten;
    this.#unreadBefore = unread;
    this.#useful = 0;
    return this.#overhead.charge(Math.max(0, overhead));
  }

  /**
   * Before `look`: whether a connection that is `full` has taken nothing for so long. What its client
   * is told beside its answers would pile up without an end.
   *
   * @param milliseconds 0: it may
   */
  stalls(full: boolean, now: number, milliseconds: number): boolean {
    if (full && this.#transport.bytesWritten <= this.#writtenBefore) {
      this.#stalledSince = Math.min(this.#stalledSince, now);
    } else this.#stalledSince = Number.POSITIVE_INFINITY;
    return now >= after(this.#stalledSince, milliseconds);
  }
}
