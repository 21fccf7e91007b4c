import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import tls from 'node:tls';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import { type Certificate, describeCertificate } from './certificate.ts';

/** Where a certificate and its key are: in files, or here as PEM. */
export type PemSource =
  | { readonly certFile: string; readonly keyFile: string }
  | { readonly cert: string; readonly key: string };

export interface CheckedCertificate {
  readonly certificate: Certificate;
  /** What works but clients may refuse: an expiry, a chain out of order. Sentences for people. */
  readonly warnings: readonly string[];
}

/** Far more than any chain; what is larger is some other file. */
const longestFileBytes = 1_048_576;

const whyUnreadable: Record<string, string> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it does not exist',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its symbolic links go round in a circle',
};

/**
 * Reads a chain and its key, and checks that they can serve.
 * @param nowMs milliseconds since the epoch, to judge the dates by
 * @throws SmartProxyError, source `config`: `certificate-unreadable`, `certificate-missing`,
 *   `certificate-unusable`, `certificate-chain-order`, `key-missing`, `key-encrypted`, `key-mismatch`
 */
export async function loadCertificate(source: PemSource, nowMs: number): Promise<CheckedCertificate> {
  if ('cert' in source) return checkCertificate(source, nowMs, inline);
  const [cert, key] = await Promise.all([readPemFile(source.certFile), readPemFile(source.keyFile)]);
  return checkCertificate({ cert, key }, nowMs, { cert: source.certFile, key: source.keyFile });
}

/** A PEM file's text. Throws `certificate-unreadable`, which says why. */
export async function readPemFile(file: string): Promise<string> {
  try {
    return await readRegularFile(file);
  } catch (error) {
    const why = whyUnreadable[errorCode(error) ?? ''] ?? errorMessage(error);
    throw problem('certificate-unreadable', `cannot read ${file}: ${why}`, error);
  }
}

/** The text of a file with a secret. Throws `secret-unreadable`, which says why. */
export async function readSecretFile(file: string): Promise<string> {
  try {
    return await readRegularFile(file);
  } catch (error) {
    const why = whyUnreadable[errorCode(error) ?? ''] ?? errorMessage(error);
    throw problem('secret-unreadable', `cannot read ${file}: ${why}`, error);
  }
}

async function readRegularFile(file: string): Promise<string> {
  // Opened this way, a named pipe does not wait for its writer for ever.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Error('it is no regular file');
    if (stat.size > longestFileBytes) throw new Error('it is larger than 1 MiB, no PEM file');
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

/** What the two texts are called where something is wrong with them. */
export interface PemNames {
  readonly cert: string;
  readonly key: string;
}

const inline: PemNames = { cert: 'the inline certificate', key: 'the inline key' };

/** The checks of `loadCertificate` on texts that were read already. */
export function checkCertificate(
  { cert, key }: { readonly cert: string; readonly key: string },
  nowMs: number,
  names: PemNames,
): CheckedCertificate {
  const chain = readChain(cert, names);
  const leaf = leafFor(chain, readKey(key, names), names);
  try {
    tls.createSecureContext({ cert, key });
  } catch (error) {
    throw problem('certificate-unusable', `${names.cert} cannot be used: ${errorMessage(error)}`, error);
  }
  const certificate = describeCertificate(leaf, cert, key);
  return {
    certificate,
    warnings: [...dateWarnings(certificate, nowMs, names), ...chainWarnings(chain, names)],
  };
}

/** Whether a certificate is valid at that moment. */
export function isValidAt({ validFromMs, validToMs }: Certificate, nowMs: number): boolean {
  return nowMs >= validFromMs && nowMs <= validToMs;
}

function blocksIn(text: string): { label: string; pem: string }[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*(?:-(?!----)[^-]*)*-----END \1-----/g)].map(
    ([pem, label = '']) => ({ label, pem }),
  );
}

function readChain(text: string, names: PemNames): X509Certificate[] {
  const blocks = blocksIn(text);
  const found = blocks.filter(({ label }) => label === 'CERTIFICATE');
  if (found.length === 0) {
    const swapped = blocks.some(({ label }) => label.endsWith('PRIVATE KEY'));
    const hint = swapped ? ' (it has a private key: are certificate and key swapped?)' : '';
    throw problem('certificate-missing', `${names.cert} has no certificate in PEM${hint}`);
  }
  return found.map(({ pem }, index) => {
    try {
      return new X509Certificate(pem);
    } catch (error) {
      const which = `certificate ${index + 1} of ${found.length} in ${names.cert}`;
      throw problem('certificate-unusable', `${which} cannot be read: ${errorMessage(error)}`, error);
    }
  });
}

function readKey(text: string, names: PemNames): KeyObject {
  const blocks = blocksIn(text);
  const block = blocks.find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined) {
    const swapped = blocks.some(({ label }) => label === 'CERTIFICATE');
    const hint = swapped ? ' (it has a certificate: are certificate and key swapped?)' : '';
    throw problem('key-missing', `${names.key} has no private key in PEM${hint}`);
  }
  if (block.label === 'ENCRYPTED PRIVATE KEY' || block.pem.includes('Proc-Type: 4,ENCRYPTED')) {
    throw problem(
      'key-encrypted',
      `${names.key} is encrypted, and nobody is there to type its passphrase: decrypt it with openssl pkey`,
    );
  }
  try {
    return createPrivateKey(block.pem);
  } catch (error) {
    throw problem('certificate-unusable', `${names.key} cannot be read: ${errorMessage(error)}`, error);
  }
}

/** The first certificate: the key has to be its. */
function leafFor(chain: readonly X509Certificate[], key: KeyObject, names: PemNames): X509Certificate {
  const [first] = chain;
  const at = chain.findIndex((one) => one.checkPrivateKey(key));
  if (at < 0 || first === undefined) {
    const subject = first?.subject ?? 'without a subject';
    throw problem('key-mismatch', `${names.key} is not the key of ${names.cert} (${oneLine(subject)})`);
  }
  if (at > 0) {
    throw problem(
      'certificate-chain-order',
      `${names.cert} is in the wrong order: the certificate of the key is number ${at + 1}, and has to be the first`,
    );
  }
  return first;
}

function dateWarnings({ validFromMs, validToMs }: Certificate, nowMs: number, names: PemNames): string[] {
  if (nowMs > validToMs) return [`${names.cert} expired on ${new Date(validToMs).toISOString()}`];
  if (nowMs < validFromMs) return [`${names.cert} is valid only from ${new Date(validFromMs).toISOString()}`];
  return [];
}

/** TLS 1.2 wants each certificate to be followed by its issuer's (RFC 5246 §7.4.2); TLS 1.3 forgives. */
function chainWarnings(chain: readonly X509Certificate[], names: PemNames): string[] {
  return chain.flatMap((one, index) => {
    const next = chain[index + 1];
    if (next === undefined || one.checkIssued(next)) return [];
    const [its, others] = [oneLine(one.issuer), oneLine(next.subject)];
    return [`${names.cert}: certificate ${index + 1} was issued by ${its}, but ${others} follows`];
  });
}

function oneLine(distinguishedName: string | undefined): string {
  return (distinguishedName ?? '').replaceAll('\n', ', ');
}

function problem(code: string, message: string, cause?: unknown): SmartProxyError {
  return new SmartProxyError(code, message, { source: 'config', cause });
}
