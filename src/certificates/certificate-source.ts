import type { SecureContext } from 'node:tls';
import { normalizeAddress } from '../base/address.ts';
import { SmartProxyError } from '../base/errors.ts';
import type { PortRange, ResolvedCertificate, ResolvedRoute, ResolvedTls } from '../config/resolved.ts';
import type { Certificate } from './certificate.ts';

/** What is known when a certificate has to be shown. */
export interface Handshake {
  /** The name that the client asks for, in whatever case; null: none. */
  readonly name: string | null;
  /** The address that the client connected to, normalised; null where it is not known, or where there is a name. */
  readonly localAddress: string | null;
}

/** Where those who terminate TLS get their certificates. */
export interface CertificateSource {
  /**
   * The context for a handshake under the settings that routing found for it, without a promise
   * where it is there. Never throws or rejects: a failure is a value, and its message is for the
   * log, not for the client.
   *
   * OpenSSL takes the certificate and the clients' authorities from such a context, but the
   * versions, the tickets and whether clients are asked at all from the server that asks for it
   * (tried): all names of one server have to agree on these.
   */
  contextFor(tls: ResolvedTls, handshake: Handshake): ContextAnswer | Promise<ContextAnswer>;
  /**
   * The certificate of that context. For clients that give no name: Node asks nobody about them,
   * so the server that gets them has to have it from the beginning.
   */
  certificateFor(tls: ResolvedTls, handshake: Handshake): CertificateAnswer | Promise<CertificateAnswer>;
  /** PEM of the authorities whose client certificates are accepted; null where nobody is asked. */
  authoritiesFor(tls: ResolvedTls): string | null;
  /** Every certificate that serves, and what is wrong where none does. */
  list(): CertificateStatus[];
}

export type ContextAnswer = SecureContext | SmartProxyError;
export type CertificateAnswer = Certificate | SmartProxyError;

/** A certificate as people ask for it. No keys. What is null is not there, or not known. */
export interface CertificateStatus {
  readonly source: 'files' | 'inline' | 'local' | 'auto';
  readonly names: readonly string[];
  readonly subject: string | null;
  readonly issuer: string | null;
  /** ISO 8601, like every time here. */
  readonly validFrom: string | null;
  readonly validTo: string | null;
  /** SHA-256. */
  readonly fingerprint: string | null;
  readonly certFile: string | null;
  /** Why a newer one does not serve; null: nothing is wrong. */
  readonly problem: string | null;
  /** Of `auto`: the directory of the authority. */
  readonly authority: string | null;
  /** Of `auto`: when it came. */
  readonly issuedAt: string | null;
  /** Of `auto`: when it is to be renewed. */
  readonly renewAt: string | null;
  /** Of `auto`: when what failed is tried again. */
  readonly nextAttemptAt: string | null;
  /** Of `auto`: an order is under way, here or in another process. */
  readonly ordering: boolean;
  /** Of `auto`: a page of the authority that tells why it wants another time. */
  readonly suggestion: string | null;
}

/** Where certificates for `auto` come from. */
export interface AutomaticCertificates {
  /**
   * The certificate for a name, or the promise of one that is being ordered. Never throws or
   * rejects. A renewed certificate is another value for the same name: it serves from then on.
   */
  certificateFor(name: string): CertificateAnswer | Promise<CertificateAnswer>;
  list(): CertificateStatus[];
}

/** A route that terminates TLS. */
export interface CertificateRule {
  /** Its name, for messages. */
  readonly route: string;
  /** Normalised patterns, as in `match.domains`; null: any name or none. */
  readonly domains: readonly string[] | null;
  readonly tls: ResolvedTls;
  readonly ports: readonly PortRange[];
}

/** The routes that bring a certificate: others have none, or that of the routes beside them. */
export function certificateRules(routes: readonly ResolvedRoute[]): CertificateRule[] {
  return routes.flatMap(({ name, match, tls, inheritsTls }) =>
    tls === null || inheritsTls ? [] : [{ route: name, domains: match.domains, tls, ports: match.ports }],
  );
}

/** `default` made definite for a name, an address, or a pattern: only what surely is local is `local`. */
export function sourceFor(
  certificate: ResolvedCertificate,
  name: string | null,
): Exclude<ResolvedCertificate, { from: 'default' }> {
  if (certificate.from !== 'default') return certificate;
  return { from: name !== null && isLocalName(name) ? 'local' : 'auto' };
}

function isLocalName(name: string): boolean {
  return name === 'localhost' || /\.(localhost|test)$/.test(name) || normalizeAddress(name) !== undefined;
}

/** A certificate as `list` gives it. */
export function statusOf(
  certificate: Certificate,
  source: CertificateStatus['source'],
  file: { certFile: string | null; problem: string | null } = { certFile: null, problem: null },
): CertificateStatus {
  const { names, subject, issuer, validFromMs, validToMs, fingerprint } = certificate;
  return {
    ...{ source, names, subject, issuer, fingerprint },
    validFrom: new Date(validFromMs).toISOString(),
    validTo: new Date(validToMs).toISOString(),
    ...{ certFile: file.certFile, problem: file.problem },
    ...{ authority: null, issuedAt: null, renewAt: null, nextAttemptAt: null },
    ...{ ordering: false, suggestion: null },
  };
}

/** Refuses `auto` where nothing orders certificates. */
export function automaticMissing(name: string | null): SmartProxyError {
  const what = name === null ? 'a client that asks for no name' : JSON.stringify(name);
  return new SmartProxyError(
    'certificate-unavailable',
    `no certificate for ${what}: 'auto' orders certificates for names (write certificate: 'local', or give files)`,
    { source: 'config' },
  );
}
