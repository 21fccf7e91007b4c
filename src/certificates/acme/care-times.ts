import type { Clock } from '../../base/clock.ts';
import { type Deadline, DeadlineQueue } from '../../base/deadline-queue.ts';
import type { ManagedCertificate } from './managed-certificate.ts';

/** Timers do not count while a machine sleeps, and its clock may be set: what is far away is looked at anew. */
const longestWaitMs = 60 * 60_000;
/** Whatever goes wrong, a certificate is not looked after without end. */
const shortestWaitMs = 1_000;

/** Calls when a certificate is due to be looked after. */
export class CareTimes {
  readonly #clock: Clock;
  readonly #due: (managed: ManagedCertificate) => void;
  readonly #deadlines: DeadlineQueue;
  readonly #alarms = new Map<ManagedCertificate, Alarm>();
  #closed = false;

  constructor(clock: Clock, due: (managed: ManagedCertificate) => void) {
    this.#clock = clock;
    this.#due = due;
    this.#deadlines = new DeadlineQueue(clock);
  }

  /** Plans anew by what the certificate says of itself. */
  plan(managed: ManagedCertificate, leastMs = shortestWaitMs): void {
    if (this.#closed) return;
    const known = this.#alarms.get(managed);
    const alarm = known ?? new Alarm(() => this.#expire(managed));
    this.#alarms.set(managed, alarm);
    const leftMs = Math.max(managed.dueAt - this.#clock.wallTime(), leastMs);
    this.#deadlines.schedule(alarm, this.#clock.now() + Math.min(leftMs, longestWaitMs));
  }

  #expire(managed: ManagedCertificate): void {
    if (managed.dueAt <= this.#clock.wallTime()) this.#due(managed);
    else this.plan(managed);
  }

  remove(managed: ManagedCertificate): void {
    const alarm = this.#alarms.get(managed);
    if (alarm === undefined) return;
    this.#deadlines.remove(alarm);
    this.#alarms.delete(managed);
  }

  close(): void {
    this.#closed = true;
    this.#deadlines.clear();
    this.#alarms.clear();
  }
}

class Alarm implements Deadline {
  dueAt = 0;
  position = -1;
  readonly expire: () => void;

  constructor(expire: () => void) {
    this.expire = expire;
  }
}
