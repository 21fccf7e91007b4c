/** What ACME has written in ASN.1: requests for certificates, and the certificates of TLS-ALPN-01. Loads the X.509 library. */
import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import {
  Extension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '../../x509.ts';

const generate = promisify(generateKeyPair);

/** Keys of certificates. ECDSA costs a handshake a tenth of what RSA does; RSA is for clients that know nothing else. */
export type KeyType = 'p256' | 'rsa2048';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;

/** id-pe-acmeIdentifier (RFC 8737 §3). */
const acmeIdentifier = '1.3.6.1.5.5.7.1.31';
const challengeValidityMs = 7 * 86_400_000;

/** A new key, PEM, PKCS #8. Made off the event loop. */
export async function generateCertificateKey(type: KeyType): Promise<string> {
  const { privateKey } =
    type === 'p256'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/**
 * A request for a certificate (RFC 2986), DER: the names as subjectAltName, and nothing else that an
 * authority would not set itself. Never is must-staple (RFC 7633) asked for: a responder that is
 * down would take the site with it.
 */
export async function writeCertificateRequest(key: KeyObject, names: readonly string[]): Promise<Uint8Array> {
  const algorithm = key.asymmetricKeyType === 'rsa' ? rsa : ecdsa;
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: {
      privateKey: key.toCryptoKey(algorithm, false, ['sign']),
      publicKey: publicKeyOf(key).toCryptoKey(algorithm, true, ['verify']),
    },
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  });
  return new Uint8Array(request.rawData);
}

/** The certificate that proves a name by TLS-ALPN-01 (RFC 8737 §3), signed by itself. PEM. */
export async function writeChallengeCertificate(
  name: string,
  keyAuthorization: string,
  nowMs: number,
): Promise<{ cert: string; key: string }> {
  const { privateKey } = await generate('ec', { namedCurve: 'P-256' });
  const digest = createHash('sha256').update(keyAuthorization).digest();
  // An OCTET STRING of 32 bytes.
  const value = new Uint8Array([0x04, digest.length, ...digest]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=ACME challenge',
    notBefore: new Date(nowMs - 3_600_000),
    notAfter: new Date(nowMs + challengeValidityMs),
    keys: {
      privateKey: privateKey.toCryptoKey(ecdsa, false, ['sign']),
      publicKey: publicKeyOf(privateKey).toCryptoKey(ecdsa, true, ['verify']),
    },
    signingAlgorithm: ecdsa,
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      new Extension(acmeIdentifier, true, value),
    ],
  });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { cert: `${certificate.toString('pem')}\n`, key };
}

function publicKeyOf(key: KeyObject): KeyObject {
  return createPublicKey(key.export({ type: 'pkcs8', format: 'pem' }));
}
