import { type CertificateStatus, statusOf } from '../certificate-source.ts';
import type { ManagedCertificate } from './managed-certificate.ts';

/** A certificate as people ask for it. */
export function automaticStatus(managed: ManagedCertificate, isBusy: boolean): CertificateStatus {
  const { kept, plan, renewal } = managed;
  const progress = {
    authority: kept?.meta.authority ?? null,
    issuedAt: kept?.meta.issuedAt ?? null,
    renewAt: renewal.renewAt,
    nextAttemptAt: renewal.nextAttemptAt,
    ordering: (isBusy && managed.isOrderDue) || managed.elsewhere,
    suggestion: renewal.suggestion?.explanation ?? null,
  };
  const problem = renewal.lastError?.message ?? null;
  if (kept !== null)
    return { ...statusOf(kept.certificate, 'auto', { certFile: null, problem }), ...progress };
  return {
    ...{ source: 'auto', names: plan.names, subject: null, issuer: null, fingerprint: null },
    ...{ validFrom: null, validTo: null, certFile: null, problem, ...progress },
  };
}
