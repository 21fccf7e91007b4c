import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { parseAddress } from '../base/address.ts';
import {
  bitString,
  boolean,
  type Der,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

const signAsynchronously = promisify(sign) as (
  algorithm: string,
  data: Uint8Array,
  key: KeyObject,
) => Promise<Buffer>;

const oids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  subjectAltName: '2.5.29.17',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
} as const;

/** Bits of KeyUsage (RFC 5280 §4.2.1.3), the first one on top. */
const digitalSignature = bitString(Buffer.from([0x80]), 7);
const certificateAndListSigning = bitString(Buffer.from([0x06]), 1);

/** ub-common-name of RFC 5280, appendix A.1. */
const longestCommonName = 64;

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
  readonly privateKey: KeyObject;
}

/** An authority's own certificate: it may sign servers' certificates, and no other authority's. */
export function writeAuthorityCertificate(issuer: Issuer, contents: CertificateContents): Promise<Der> {
  return writeCertificate(issuer, contents, distinguishedName(issuer.name), [
    extension(oids.basicConstraints, true, sequence(boolean(true), integer(0n))),
    extension(oids.keyUsage, true, certificateAndListSigning),
  ]);
}

/** A server's certificate for DNS names and IP addresses, at least one. */
export function writeServerCertificate(
  issuer: Issuer,
  contents: CertificateContents,
  names: readonly string[],
): Promise<Der> {
  const [first = ''] = names;
  const named = first.length <= longestCommonName;
  return writeCertificate(issuer, contents, named ? distinguishedName(first) : sequence(), [
    extension(oids.basicConstraints, true, sequence()),
    extension(oids.keyUsage, true, digitalSignature),
    extension(oids.extendedKeyUsage, false, sequence(objectIdentifier(oids.serverAuth))),
    // Critical where the subject says nothing (RFC 5280 §4.2.1.6).
    extension(oids.subjectAltName, !named, sequence(...names.map(generalName))),
  ]);
}

/** TBSCertificate and Certificate (RFC 5280 §4.1), signed off the event loop. */
async function writeCertificate(
  issuer: Issuer,
  { publicKey, validFromMs, validToMs }: CertificateContents,
  subject: Der,
  extensions: readonly Der[],
): Promise<Der> {
  const algorithm = sequence(objectIdentifier(oids.ecdsaWithSha256));
  const toBeSigned = sequence(
    explicit(0, integer(2n)),
    integer(serialNumber()),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(validFromMs), time(validToMs)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(
      3,
      sequence(
        ...extensions,
        extension(oids.subjectKeyId, false, octetString(keyIdOf(publicKey))),
        extension(oids.authorityKeyId, false, sequence(implicit(0, keyIdOf(issuer.publicKey)))),
      ),
    ),
  );
  const signature = await signAsynchronously('sha256', toBeSigned, issuer.privateKey);
  return sequence(toBeSigned, algorithm, bitString(signature));
}

/** Positive and not guessable: 127 random bits (RFC 5280 §4.1.2.2). */
function serialNumber(): bigint {
  return BigInt(`0x${randomBytes(16).toString('hex')}`) >> 1n;
}

function distinguishedName(commonName: string): Der {
  return sequence(set(sequence(objectIdentifier(oids.commonName), utf8String(commonName))));
}

/** Method of RFC 7093 §2: the first 160 bits of a SHA-256, here of the whole SubjectPublicKeyInfo. */
function keyIdOf(publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest().subarray(0, 20);
}

function extension(oid: string, critical: boolean, value: Der): Der {
  const flag = critical ? [boolean(true)] : [];
  return sequence(objectIdentifier(oid), ...flag, octetString(value));
}

/** dNSName or iPAddress (RFC 5280 §4.2.1.6). */
function generalName(name: string): Der {
  const address = parseAddress(name);
  return address === undefined ? implicit(2, Buffer.from(name, 'latin1')) : implicit(7, address.bytes);
}
