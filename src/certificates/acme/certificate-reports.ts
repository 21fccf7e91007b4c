import type { SmartProxyError } from '../../base/errors.ts';
import type { AcmeServices } from './acme-services.ts';
import type { ManagedCertificate } from './managed-certificate.ts';

/** Tells of what came and what did not, in the log and to those who listen. */
export class CertificateReports {
  readonly #services: Pick<AcmeServices, 'log' | 'issued' | 'failed'>;

  constructor(services: Pick<AcmeServices, 'log' | 'issued' | 'failed'>) {
    this.#services = services;
  }

  issued({ kept, plan }: ManagedCertificate, renewal: boolean): void {
    const event = {
      names: plan.names,
      authority: kept?.meta.authority ?? '',
      validTo: endOf(kept) ?? '',
      renewal,
    };
    this.#services.log.info('certificate-issued', { ...event });
    this.#services.issued(event);
  }

  failed({ kept, renewal, plan }: ManagedCertificate, error: SmartProxyError): void {
    const event = {
      names: plan.names,
      code: error.code,
      error: error.message,
      nextAttemptAt: renewal.nextAttemptAt ?? '',
      validTo: endOf(kept),
    };
    this.#services.log.error('certificate-failed', { ...event });
    this.#services.failed(event);
  }
}

function endOf(kept: ManagedCertificate['kept']): string | null {
  return kept === null ? null : new Date(kept.certificate.validToMs).toISOString();
}
