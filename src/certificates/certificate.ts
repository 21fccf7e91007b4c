import { createHash, X509Certificate } from 'node:crypto';
import { normalizeAddress } from '../base/address.ts';

/** A certificate with its key and its chain, as `tls` takes them, and what people ask of it. */
export interface Certificate {
  /** The server's certificate, then those that lead to its authority. PEM. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Differs as soon as any byte of the chain does. */
  readonly identity: string;
  /** The names that it covers: DNS names (wildcards of one label included) and addresses. */
  readonly names: readonly string[];
  readonly subject: string;
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly validFromMs: number;
  /** Milliseconds since the epoch. */
  readonly validToMs: number;
  /** SHA-256 of the server's certificate, `AB:CD:…`. */
  readonly fingerprint: string;
}

/** Describes a chain whose first certificate is `leaf`. */
export function describeCertificate(leaf: X509Certificate, cert: string, key: string): Certificate {
  return {
    cert,
    key,
    identity: createHash('sha256').update(cert).digest('base64url'),
    names: namesIn(leaf.subjectAltName ?? ''),
    subject: leaf.subject ?? '',
    issuer: leaf.issuer ?? '',
    validFromMs: leaf.validFromDate.getTime(),
    validToMs: leaf.validToDate.getTime(),
    fingerprint: leaf.fingerprint256,
  };
}

/** The same where `cert` is known to be one certificate and to fit the key. */
export function certificateOf(cert: string, key: string): Certificate {
  return describeCertificate(new X509Certificate(cert), cert, key);
}

/** Node's text for subjectAltName: `DNS:a.test, IP Address:127.0.0.1`, odd values as JSON strings. */
function namesIn(subjectAltName: string): string[] {
  const entries = subjectAltName.matchAll(/(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/g);
  return [...entries].map(([, kind = '', value = '']) =>
    kind === 'DNS' ? value.toLowerCase() : (normalizeAddress(value) ?? value),
  );
}

/** Whether a certificate is good for a normalised name, address, or wildcard pattern (RFC 6125 §6.4.3). */
export function coversName(certificate: Pick<Certificate, 'names'>, name: string): boolean {
  if (certificate.names.includes(name)) return true;
  const dot = name.indexOf('.');
  if (dot <= 0 || name.startsWith('*') || normalizeAddress(name) !== undefined) return false;
  return certificate.names.includes(`*${name.slice(dot)}`);
}
