import { isDeepStrictEqual } from 'node:util';
import { SmartProxyError } from '../../base/errors.ts';
import { packageVersion } from '../../base/package-version.ts';
import type { ResolvedCertificates } from '../../config/resolved.ts';
import type { CertificateRule, CertificateStatus } from '../certificate-source.ts';
import type { AcmeCertificates, PreparedPlan } from './acme-certificates.ts';
import type { AcmeServices } from './acme-services.ts';
import { acmeSettings } from './acme-settings.ts';
import { type CertificatePlan, planCertificates } from './certificate-plan.ts';
import { FolderStore } from './store/folder-store.ts';

/** What a configuration orders; loaded, and not in force yet. */
export interface PreparedAutomatic {
  readonly certificates: AcmeCertificates;
  readonly plan: PreparedPlan;
}

/**
 * The certificates that are ordered, through all reloads: one that leaves the way of ordering as it
 * is only changes what is wanted. Nothing of ACME is loaded before a route says `auto`.
 */
export class AutomaticSource {
  readonly #services: Omit<AcmeServices, 'userAgent'>;
  #current: AcmeCertificates | null = null;
  #started = false;
  /** Those of earlier configurations, while they end. */
  #closing: Promise<unknown> = Promise.resolve();

  constructor(services: Omit<AcmeServices, 'userAgent'>) {
    this.#services = services;
  }

  get current(): AcmeCertificates | null {
    return this.#current;
  }

  /** Null where nothing is to be ordered. Rejects where a file that the configuration names cannot be read. */
  async prepare(
    certificates: ResolvedCertificates,
    rules: readonly CertificateRule[],
  ): Promise<PreparedAutomatic | null> {
    const plan = planCertificates(rules, certificates.acme ?? {});
    if (isEmpty(plan)) return null;
    const { AcmeCertificates: Certificates } = await import('./acme-certificates.ts');
    const settings = await acmeSettings(certificates);
    const known = this.#current;
    const isSame =
      known !== null &&
      known.store.place === certificates.directory &&
      isDeepStrictEqual(known.settings, settings);
    // RFC 8555 §6.1 wants to be told who asks.
    const userAgent = `SmartProxy/${packageVersion()} node/${process.versions.node}`;
    const store = isSame ? null : new FolderStore(certificates.directory, this.#services.clock);
    const chosen =
      store === null
        ? (known as AcmeCertificates)
        : new Certificates(settings, store, { ...this.#services, userAgent });
    return { certificates: chosen, plan: await chosen.prepare(plan) };
  }

  /** In force from here on. */
  use(prepared: PreparedAutomatic | null): void {
    const former = this.#current;
    this.#current = prepared?.certificates ?? null;
    if (former !== null && former !== this.#current) this.#end(former);
    if (prepared === null) return;
    prepared.certificates.use(prepared.plan);
    if (this.#started) prepared.certificates.start();
  }

  /** What was prepared is not used after all. */
  discard(prepared: PreparedAutomatic | null): void {
    if (prepared !== null && prepared.certificates !== this.#current) this.#end(prepared.certificates);
  }

  #end(certificates: AcmeCertificates): void {
    this.#closing = Promise.all([this.#closing, certificates.close()]);
  }

  /** The listeners of the configuration in force are bound. */
  start(): void {
    this.#started = true;
    this.#current?.start();
  }

  /** Rejects with `no-such-certificate`, or what the attempt failed with. */
  async renew(name: string): Promise<CertificateStatus> {
    if (this.#current !== null) return this.#current.renew(name);
    const message = 'no certificate is ordered automatically';
    throw new SmartProxyError('no-such-certificate', message, { source: 'client' });
  }

  /** Resolves when nothing is ordered any more, and nothing that authorities were shown is left. */
  async close(): Promise<void> {
    this.#started = false;
    await Promise.all([this.#closing, this.#current?.close()]);
  }
}

function isEmpty({ certificates, onDemand }: CertificatePlan): boolean {
  return certificates.length === 0 && onDemand.length === 0;
}
