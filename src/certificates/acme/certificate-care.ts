import type { Clock } from '../../base/clock.ts';
import { CareTimes } from './care-times.ts';
import type { CertificateKeeper } from './certificate-keeper.ts';
import type { ManagedCertificate } from './managed-certificate.ts';
import { VisitQueue } from './visit-queue.ts';

export interface CertificateCareOptions {
  readonly clock: Clock;
  readonly keeper: CertificateKeeper;
  readonly signal: AbortSignal;
  /** Whether it is to be looked after again. Told after each visit. */
  readonly visited: (managed: ManagedCertificate) => boolean;
}

/** Certificates that are looked after at one time. */
const maxVisits = 10;
/** Those who ask for a renewal wait for a minute at most. */
const renewWaitMs = 45_000;

/** Has each certificate looked after when its time has come, some at a time. */
export class CertificateCare {
  readonly #clock: Clock;
  readonly #queue: VisitQueue;
  readonly #times: CareTimes;

  constructor({ clock, keeper, signal, visited }: CertificateCareOptions) {
    this.#clock = clock;
    this.#times = new CareTimes(clock, (managed) => this.begin(managed));
    this.#queue = new VisitQueue(
      maxVisits,
      (managed) => keeper.visit(managed, signal),
      (managed) => {
        if (visited(managed)) this.#times.plan(managed);
      },
    );
  }

  /** From now on, as soon as something is due. */
  plan(managed: ManagedCertificate): void {
    this.#times.plan(managed, 0);
  }

  /** Now. */
  begin(managed: ManagedCertificate): void {
    this.#queue.add(managed);
  }

  /** No longer. A visit under way goes on. */
  drop(managed: ManagedCertificate): void {
    this.#times.remove(managed);
  }

  isBusy(managed: ManagedCertificate): boolean {
    return this.#queue.has(managed);
  }

  /** Orders anew, whatever the schedule says. Resolves when that is over, or has taken long. */
  async renew(managed: ManagedCertificate): Promise<void> {
    managed.forced = true;
    const { promise: longEnough, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(renewWaitMs, resolve);
    await Promise.race([this.#renewed(managed), longEnough]).finally(() => timer.cancel());
  }

  /** A visit that is under way may have begun before somebody asked. */
  async #renewed(managed: ManagedCertificate): Promise<void> {
    while (managed.forced && !this.#queue.closed) {
      this.#queue.add(managed);
      await this.#queue.settled(managed);
    }
  }

  /** No visit begins any more. Resolves when those under way are over. */
  close(): Promise<void> {
    this.#times.close();
    return this.#queue.close();
  }
}
