import type { Clock, Timer } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { CertificateAnswer } from '../certificate-source.ts';
import type { ManagedCertificate } from './managed-certificate.ts';

/** Whom clients are shown in place of what is not there yet: the local authority's. */
export interface Substitutes {
  certificateFor(name: string): CertificateAnswer | Promise<CertificateAnswer>;
}

export interface ShownCertificatesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly substitutes: Substitutes;
}

/** Less than `tlsHandshakeMs`, so that who waits gets an answer. */
const waitMs = 8_000;

interface Wait {
  readonly over: Promise<void>;
  end(): void;
  readonly timer: Timer;
}

/**
 * What clients are shown (C2). The rule:
 *
 * 1. the certificate, where it is valid;
 * 2. while it is ordered for the first time they wait, all for the same order, up to 8 s;
 * 3. the old one, though it has expired: who overlooks that needs nothing else;
 * 4. one of the local authority.
 *
 * What 3 and 4 show is told in the log, once.
 */
export class ShownCertificates {
  readonly #options: ShownCertificatesOptions;
  readonly #waits = new Map<ManagedCertificate, Wait>();
  readonly #toldOf = new Map<ManagedCertificate, string>();
  /** First orders that took too long: nobody waits for them any more. */
  readonly #slow = new WeakSet<ManagedCertificate>();

  constructor(options: ShownCertificatesOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  answer(managed: ManagedCertificate, name: string): CertificateAnswer | Promise<CertificateAnswer> {
    managed.usedAt = this.#options.clock.wallTime();
    if (managed.isValid) return this.#shown(managed);
    const isFirstOrder = managed.kept === null && managed.renewal.failures === 0;
    if (!isFirstOrder || this.#slow.has(managed)) return this.#substitute(managed, name);
    return this.#waitFor(managed).then(() =>
      managed.isValid ? this.#shown(managed) : this.#substitute(managed, name),
    );
  }

  /** Something changed: those who wait look again. */
  changed(managed: ManagedCertificate): void {
    if (managed.kept === null && managed.renewal.failures === 0) return;
    this.#waits.get(managed)?.end();
  }

  /** Nobody is kept waiting for what is not wanted any more. */
  forget(managed: ManagedCertificate): void {
    this.#waits.get(managed)?.end();
    this.#toldOf.delete(managed);
  }

  close(): void {
    for (const wait of [...this.#waits.values()]) wait.end();
  }

  #shown(managed: ManagedCertificate): CertificateAnswer {
    this.#toldOf.delete(managed);
    return managed.kept!.certificate;
  }

  #substitute(managed: ManagedCertificate, name: string): CertificateAnswer | Promise<CertificateAnswer> {
    const { kept } = managed;
    this.#tell(managed, name, kept === null ? 'local' : 'expired');
    return kept === null ? this.#options.substitutes.certificateFor(name) : kept.certificate;
  }

  #tell(managed: ManagedCertificate, name: string, shown: 'local' | 'expired'): void {
    if (this.#toldOf.get(managed) === shown) return;
    this.#toldOf.set(managed, shown);
    const why = managed.renewal.lastError?.message ?? 'it is being ordered';
    this.#options.log.warn('certificate-substituted', { name, shown, why });
  }

  #waitFor(managed: ManagedCertificate): Promise<void> {
    const known = this.#waits.get(managed);
    if (known !== undefined) return known.over;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      timer.cancel();
      this.#waits.delete(managed);
      resolve();
    };
    const timer = this.#options.clock.setTimer(waitMs, () => {
      this.#slow.add(managed);
      end();
    });
    this.#waits.set(managed, { over, end, timer });
    return over;
  }
}
