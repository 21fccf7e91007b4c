/** The certificates of the local authority (RFC 5280). Importing this file loads the X.509 library. */
import { createHash, type KeyObject } from 'node:crypto';
import { normalizeAddress } from '../base/address.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  type JsonNameParams,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from './x509.ts';

/** ub-common-name of RFC 5280, appendix A.1. */
const longestCommonName = 64;

const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** What a certificate says, whoever it is for. */
export interface CertificateContents {
  readonly publicKey: KeyObject;
  /** Milliseconds since the epoch. */
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** Who signs. */
export interface Issuer {
  /** Its common name, at most 64 characters. */
  readonly name: string;
  readonly publicKey: KeyObject;
  /** ECDSA P-256. */
  readonly privateKey: KeyObject;
}

/** An authority's own certificate, PEM: it may sign servers' certificates, and no other authority's. */
export function writeAuthorityCertificate(issuer: Issuer, contents: CertificateContents): Promise<string> {
  return writeCertificate(issuer, contents, commonName(issuer.name), [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ]);
}

/** A server's certificate, PEM, for DNS names and IP addresses, at least one. */
export function writeServerCertificate(
  issuer: Issuer,
  contents: CertificateContents,
  names: readonly string[],
): Promise<string> {
  const [first = ''] = names;
  const named = first.length <= longestCommonName;
  return writeCertificate(issuer, contents, named ? commonName(first) : [], [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    // Critical where the subject says nothing (RFC 5280 §4.2.1.6).
    new SubjectAlternativeNameExtension(names.map(alternativeName), !named),
  ]);
}

async function writeCertificate(
  issuer: Issuer,
  { publicKey, validFromMs, validToMs }: CertificateContents,
  subject: JsonNameParams,
  extensions: readonly Extension[],
): Promise<string> {
  const spki = spkiOf(publicKey);
  const certificate = await X509CertificateGenerator.create({
    issuer: new Name(commonName(issuer.name)),
    subject: new Name(subject),
    notBefore: new Date(validFromMs),
    notAfter: new Date(validToMs),
    publicKey: spki,
    signingKey: issuer.privateKey.toCryptoKey(signing, false, ['sign']),
    signingAlgorithm: signing,
    extensions: [
      ...extensions,
      new SubjectKeyIdentifierExtension(keyIdOf(spki)),
      new AuthorityKeyIdentifierExtension(keyIdOf(spkiOf(issuer.publicKey))),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** UTF8String, whatever is in it: as text, the library would read quotes and backslashes as escapes. */
function commonName(text: string): JsonNameParams {
  return [{ CN: [{ utf8String: text }] }];
}

function alternativeName(name: string): JsonGeneralName {
  const address = normalizeAddress(name);
  return address === undefined ? { type: 'dns', value: name } : { type: 'ip', value: address };
}

/** Method of RFC 7093 §2, in hexadecimal: the first 160 bits of a SHA-256, here of the whole SubjectPublicKeyInfo. */
function keyIdOf(spki: Uint8Array): string {
  return createHash('sha256').update(spki).digest('hex').slice(0, 40);
}

function spkiOf(publicKey: KeyObject): Buffer<ArrayBuffer> {
  return publicKey.export({ type: 'spki', format: 'der' }) as Buffer<ArrayBuffer>;
}
