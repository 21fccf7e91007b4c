import { normalizeAddress } from '../../base/address.ts';
import type { AcmeOptions } from '../../config/resolved.ts';
import { type CertificateRule, sourceFor } from '../certificate-source.ts';
import type { ChallengeType } from './challenges/challenge-answers.ts';
import { certificateId } from './store/certificate-store.ts';

/** A certificate that is wanted. */
export interface PlannedCertificate {
  /** In the store. */
  readonly id: string;
  readonly names: readonly string[];
  /** How its names can be proved, the most promising way first. */
  readonly challenges: readonly ChallengeType[];
}

/** Names that are ordered when a client first asks for one. */
export interface OnDemandPattern {
  /** `*.a.test`, or `*`. */
  readonly pattern: string;
  readonly challenges: readonly ChallengeType[];
}

export interface CertificatePlan {
  readonly certificates: readonly PlannedCertificate[];
  readonly onDemand: readonly OnDemandPattern[];
}

/** Where TLS-ALPN-01 is asked. */
const tlsPort = 443;

type PlanOptions = Pick<AcmeOptions, 'challenge' | 'ask'> & { readonly dns?: unknown };

/**
 * What has to be ordered for the routes that say `auto`.
 *
 * One certificate for each name, so that a name which cannot be proved is nobody else's trouble; but
 * a wildcard's is for its parent too where that is wanted, and names that a wildcard covers need none
 * of their own.
 */
export function planCertificates(rules: readonly CertificateRule[], acme: PlanOptions): CertificatePlan {
  const wanted = wantedNames(rules, acme);
  const wildcards = new Set([...wanted.names.keys()].filter((name) => name.startsWith('*.')));
  const certificates: PlannedCertificate[] = [];
  for (const [name, isAtTlsPort] of wanted.names) {
    if (!wildcards.has(name) && (wildcards.has(parentPattern(name)) || wildcards.has(`*.${name}`))) continue;
    const parent = name.slice(2);
    const isFamily = wildcards.has(name) && wanted.names.has(parent);
    const names = isFamily && !wildcards.has(parentPattern(parent)) ? [name, parent] : [name];
    certificates.push({
      id: certificateId(names),
      names,
      challenges: wildcards.has(name) ? ['dns-01'] : waysToProve(isAtTlsPort, acme),
    });
  }
  const onDemand = [...wanted.onDemand].map(([pattern, isAtTlsPort]) => ({
    pattern,
    challenges: waysToProve(isAtTlsPort, acme),
  }));
  return { certificates, onDemand };
}

function wantedNames(rules: readonly CertificateRule[], { dns, ask }: PlanOptions) {
  /** By name, or pattern: whether some route has it where TLS-ALPN-01 is asked. */
  const names = new Map<string, boolean>();
  const onDemand = new Map<string, boolean>();
  for (const { domains, tls, ports } of rules) {
    const isAtTlsPort = ports.some(({ from, to }) => from <= tlsPort && tlsPort <= to);
    for (const pattern of domains ?? ['*']) {
      if (sourceFor(tls.certificate, pattern).from !== 'auto' || !isOrderable(pattern)) continue;
      const isWildcard = pattern.startsWith('*');
      if (isWildcard && ask !== undefined) onDemand.set(pattern, isAtTlsPort || !!onDemand.get(pattern));
      if (pattern === '*' || (isWildcard && dns === undefined)) continue;
      names.set(pattern, isAtTlsPort || !!names.get(pattern));
    }
  }
  return { names, onDemand };
}

/** Whether a certificate can say it (RFC 5280 §4.2.1.6: the preferred name syntax, without underscores). */
export function isOrderable(name: string): boolean {
  return normalizeAddress(name) === undefined && !name.includes('_');
}

/** The wildcard of one label that covers a name. */
export function parentPattern(name: string): string {
  return `*${name.slice(name.indexOf('.'))}`;
}

/** What is written is meant. Otherwise: DNS where there is a hook for it, else the port that is surely ours first. */
function waysToProve(isAtTlsPort: boolean, { challenge, dns }: PlanOptions): readonly ChallengeType[] {
  if (challenge !== undefined) return [challenge];
  if (dns !== undefined) return ['dns-01'];
  return isAtTlsPort ? ['tls-alpn-01', 'http-01'] : ['http-01', 'tls-alpn-01'];
}
