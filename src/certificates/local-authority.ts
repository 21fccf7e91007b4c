import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { parseAddress } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
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
  toPem,
  utf8String,
} from './der.ts';

/** A certificate and its key, as `tls` takes them. */
export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface LocalAuthorityOptions {
  clock: Clock;
  /** What people read in the certificate. */
  name: string;
  /** How long its certificates and its own are valid. Default 7 days. */
  validityMs?: number;
}

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

const dayMs = 86_400_000;
/** Clocks differ: certificates are valid a little before they are made. */
const backdatedMs = 3_600_000;

/**
 * A certificate authority for names that no public one can vouch for: ECDSA P-256, kept in memory
 * only. Whoever trusts `certificate` trusts what it issues.
 */
export class LocalAuthority {
  /** The authority's own certificate, PEM. */
  readonly certificate: string;
  readonly #clock: Clock;
  readonly #validityMs: number;
  readonly #name: Der;
  readonly #privateKey: KeyObject;
  readonly #keyId: Buffer;

  constructor({ clock, name, validityMs = 7 * dayMs }: LocalAuthorityOptions) {
    const { publicKey, privateKey } = newKey();
    this.#clock = clock;
    this.#validityMs = validityMs;
    this.#name = distinguishedName(name);
    this.#privateKey = privateKey;
    this.#keyId = keyIdOf(publicKey);
    const der = this.#sign(this.#name, publicKey, [
      extension(oids.basicConstraints, true, sequence(boolean(true), integer(0n))),
      extension(oids.keyUsage, true, certificateAndListSigning),
    ]);
    this.certificate = toPem('CERTIFICATE', der);
  }

  /** A server certificate for `names`: DNS names and IP addresses, at least one. */
  issue(names: readonly string[]): IssuedCertificate {
    const { publicKey, privateKey } = newKey();
    const der = this.#sign(distinguishedName(names[0] ?? ''), publicKey, [
      extension(oids.basicConstraints, true, sequence()),
      extension(oids.keyUsage, true, digitalSignature),
      extension(oids.extendedKeyUsage, false, sequence(objectIdentifier(oids.serverAuth))),
      extension(oids.subjectAltName, false, sequence(...names.map(generalName))),
    ]);
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    return { cert: toPem('CERTIFICATE', der), key };
  }

  /** TBSCertificate and Certificate (RFC 5280 §4.1). */
  #sign(subject: Der, publicKey: KeyObject, extensions: readonly Der[]): Der {
    const now = this.#clock.wallTime();
    const algorithm = sequence(objectIdentifier(oids.ecdsaWithSha256));
    const toBeSigned = sequence(
      explicit(0, integer(2n)),
      integer(serialNumber()),
      algorithm,
      this.#name,
      sequence(time(now - backdatedMs), time(now + this.#validityMs)),
      subject,
      publicKey.export({ type: 'spki', format: 'der' }),
      explicit(
        3,
        sequence(
          ...extensions,
          extension(oids.subjectKeyId, false, octetString(keyIdOf(publicKey))),
          extension(oids.authorityKeyId, false, sequence(implicit(0, this.#keyId))),
        ),
      ),
    );
    return sequence(toBeSigned, algorithm, bitString(sign('sha256', toBeSigned, this.#privateKey)));
  }
}

function newKey(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** Positive and not guessable: 127 random bits (RFC 5280 §4.1.2.2). */
function serialNumber(): bigint {
  return BigInt(`0x${randomBytes(16).toString('hex')}`) >> 1n;
}

function distinguishedName(commonName: string): Der {
  return sequence(set(sequence(objectIdentifier(oids.commonName), utf8String(commonName))));
}

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
