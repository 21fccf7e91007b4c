/** Certificates of a small authority, for what a client asks for. */
import { createPublicKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import {
  type Issuer,
  writeAuthorityCertificate,
  writeServerCertificate,
} from '../../../src/certificates/certificate-writer.ts';
import {
  AuthorityKeyIdentifierExtension,
  X509Certificate as Parsed,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
} from '../../../src/certificates/x509.ts';

const dayMs = 86_400_000;

export interface Validity {
  readonly validFromMs: number;
  readonly validToMs: number;
}

export class TestIssuer {
  readonly root: string;
  readonly #issuer: Issuer;

  private constructor(root: string, issuer: Issuer) {
    this.root = root;
    this.#issuer = issuer;
  }

  static async create(nowMs: number): Promise<TestIssuer> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const issuer = { name: `Authority ${randomBytes(4).toString('hex')}`, privateKey, publicKey };
    const validity = { validFromMs: nowMs - dayMs, validToMs: nowMs + 3650 * dayMs };
    return new TestIssuer(await writeAuthorityCertificate(issuer, { publicKey, ...validity }), issuer);
  }

  /** The authority's own server: its certificate and key. */
  async identity(name: string, validity: Validity): Promise<{ cert: string; key: string }> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = await writeServerCertificate(this.#issuer, { publicKey, ...validity }, [name]);
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
  }

  /** Throws where the request is not signed, or is for other names. */
  async issue(csr: string, names: readonly string[], validity: Validity): Promise<string> {
    const request = new Pkcs10CertificateRequest(Buffer.from(csr, 'base64url'));
    const asked = request.extensions.find((one) => one instanceof SubjectAlternativeNameExtension);
    const askedNames = (asked?.names.toJSON() ?? []).map(({ value }) => value).sort();
    if (!(await request.verify())) throw new Error('the request is not signed by its key');
    if (JSON.stringify(askedNames) !== JSON.stringify([...names].sort())) throw new Error('other names');
    const key = Buffer.from(request.publicKey.rawData);
    const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
    return writeServerCertificate(this.#issuer, { publicKey, ...validity }, names);
  }
}

/** How RFC 9773 §4.1 calls a certificate: written down from the RFC here once more, in another way. */
export function certificateIdOf(pem: string): string {
  const keyId = new Parsed(pem).getExtension(AuthorityKeyIdentifierExtension)?.keyId ?? '';
  // DER of the whole certificate: [0] version, then INTEGER serial number.
  const der = new X509Certificate(pem).raw;
  const at = der.indexOf(Buffer.from([0xa0, 0x03, 0x02, 0x01, 0x02, 0x02])) + 6;
  const serial = der.subarray(at + 1, at + 1 + (der[at] ?? 0));
  return `${Buffer.from(keyId, 'hex').toString('base64url')}.${serial.toString('base64url')}`;
}
