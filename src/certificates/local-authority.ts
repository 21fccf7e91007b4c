import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  X509Certificate,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../base/clock.ts';
import { SmartProxyError } from '../base/errors.ts';
import type { Issuer } from './certificate-writer.ts';

const generate = promisify(generateKeyPair);

/** A certificate and its key, as `tls` takes them. */
export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface AuthorityOptions {
  clock: Clock;
  /** What people read in its certificate, at most 64 characters. */
  name: string;
  /** How long the authority's own certificate is valid. Default 10 years. */
  validityMs?: number;
}

const dayMs = 86_400_000;
const authorityValidityMs = 3650 * dayMs;
/** Well below the 825 days beyond which Apple's clients refuse even local authorities. */
const issuedValidityMs = 90 * dayMs;
/** Clocks differ: certificates are valid a little before they are made. */
const backdatedMs = 3_600_000;

/**
 * A certificate authority for names that no public one can vouch for: ECDSA P-256. Whoever
 * trusts `certificate` trusts what it issues.
 */
export class LocalAuthority {
  /** The authority's own certificate, PEM. */
  readonly certificate: string;
  /** The key of that certificate, PEM. Whoever has it can be any site to those who trust the authority. */
  readonly key: string;
  /** SHA-256 of the certificate, `AB:CD:…`. */
  readonly fingerprint: string;
  /** What people read in the certificate. */
  readonly name: string;
  /** Until when the authority can vouch for anything, in ms since the epoch. */
  readonly validToMs: number;
  readonly #clock: Clock;
  readonly #issuer: Issuer;

  /** Of a pair that `create` made; `isAuthority` tells whether it is one. */
  constructor({ cert, key }: IssuedCertificate, clock: Clock) {
    const own = new X509Certificate(cert);
    this.certificate = cert;
    this.key = key;
    this.fingerprint = own.fingerprint256;
    this.name = own.toLegacyObject().subject.CN?.toString() ?? '';
    this.validToMs = own.validToDate.getTime();
    this.#clock = clock;
    this.#issuer = {
      name: this.name,
      privateKey: createPrivateKey(key),
      publicKey: createPublicKey(own.publicKey.export({ type: 'spki', format: 'pem' })),
    };
  }

  /** A new authority, in memory only. */
  static async create(options: AuthorityOptions): Promise<LocalAuthority> {
    const { clock, name, validityMs = authorityValidityMs } = options;
    const keys = await newKeys();
    const now = clock.wallTime();
    const { writeAuthorityCertificate } = await import('./certificate-writer.ts');
    const cert = await writeAuthorityCertificate(
      { name, ...keys },
      { publicKey: keys.publicKey, validFromMs: now - backdatedMs, validToMs: now + validityMs },
    );
    return new LocalAuthority({ cert, key: keyText(keys.privateKey) }, clock);
  }

  /**
   * A server certificate for `names` (DNS names and IP addresses, at least one), valid for 90 days
   * but never longer than the authority. The key and the signature are made off the event loop; the rest
   * takes it a few milliseconds, and the first one a fifth of a second.
   * @throws SmartProxyError `local-authority-expired`
   */
  async issue(names: readonly string[]): Promise<IssuedCertificate> {
    const now = this.#clock.wallTime();
    if (now >= this.validToMs) throw expired(this);
    const keys = await newKeys();
    const { writeServerCertificate } = await import('./certificate-writer.ts');
    const cert = await writeServerCertificate(
      this.#issuer,
      {
        publicKey: keys.publicKey,
        validFromMs: now - backdatedMs,
        validToMs: Math.min(now + issuedValidityMs, this.validToMs),
      },
      names,
    );
    return { cert, key: keyText(keys.privateKey) };
  }
}

/** Whether a pair works as an authority: what it issues leads to its certificate. */
export async function isAuthority(pair: IssuedCertificate, clock: Clock): Promise<boolean> {
  const authority = new LocalAuthority(pair, clock);
  const own = new X509Certificate(pair.cert);
  const issued = new X509Certificate((await authority.issue(['localhost'])).cert);
  return own.ca && issued.checkIssued(own) && issued.verify(own.publicKey);
}

function expired({ name, validToMs }: LocalAuthority): SmartProxyError {
  const when = new Date(validToMs).toISOString();
  return new SmartProxyError('local-authority-expired', `${name} expired on ${when}`, { source: 'config' });
}

async function newKeys(): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  return generate('ec', { namedCurve: 'P-256' });
}

function keyText(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}
