import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../../../base/errors.ts';
import type { Certificate } from '../../certificate.ts';
import { checkCertificate, isValidAt } from '../../pem.ts';
import { isOrderable } from '../certificate-plan.ts';
import { type CertificateStore, certificateId } from './certificate-store.ts';

export interface ImportReport {
  /** What serves from now on, or as soon as a name of it is wanted. */
  readonly imported: readonly { readonly name: string; readonly file: string; readonly validTo: string }[];
  /** What does not, and why. */
  readonly skipped: readonly { readonly file: string; readonly why: string }[];
}

/** Deep enough for the folders of Certbot, Caddy and lego, and not for a whole disk. */
const maxDepth = 6;
const maxFiles = 20_000;
const maxFileBytes = 1_048_576;

interface Found {
  readonly file: string;
  readonly text: string;
}

interface Chain {
  readonly file: string;
  readonly certificate: Certificate;
}

/**
 * Takes certificates that other programs ordered into a store: every chain in a folder, and below it,
 * whose key is there too. A certificate is kept for each of its names, unless the store has one that is
 * valid for longer.
 * @throws Error where the folder cannot be read, or has too many files
 */
export async function importCertificates(
  folder: string,
  store: CertificateStore,
  nowMs: number,
): Promise<ImportReport> {
  const files = await readFolder(folder);
  const keys = files.flatMap(keyIn);
  const skipped: { file: string; why: string }[] = [];
  const chains: Chain[] = [];
  for (const found of files) {
    const result = chainIn(found, keys, nowMs);
    if (result === null) continue;
    if (typeof result === 'string') skipped.push({ file: found.file, why: result });
    else chains.push({ file: found.file, certificate: result });
  }
  const imported: { name: string; file: string; validTo: string }[] = [];
  for (const [name, { file, certificate }] of bestByName(chains)) {
    const why = await keep(name, certificate, store);
    if (why !== null) skipped.push({ file, why: `${name}: ${why}` });
    else imported.push({ name, file, validTo: new Date(certificate.validToMs).toISOString() });
  }
  return { imported, skipped };
}

async function readFolder(folder: string): Promise<Found[]> {
  const found: Found[] = [];
  let count = 0;
  const walk = async (path: string, depth: number): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (++count > maxFiles)
        throw new Error(`${folder} has more than ${maxFiles} files: name a smaller folder`);
      const inner = join(path, entry.name);
      if (entry.isDirectory()) {
        if (depth < maxDepth) await walk(inner, depth + 1);
      } else if (await isReadable(entry, inner)) {
        const text = await readFile(inner, 'utf8');
        if (text.includes('-----BEGIN ')) found.push({ file: inner, text });
      }
    }
  };
  await walk(folder, 1);
  return found;
}

/** Links to files are followed, as Certbot has them; links to folders are not. */
async function isReadable(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isFile() && !entry.isSymbolicLink()) return false;
  const { size, isFile } = await stat(path).then(
    (found) => ({ size: found.size, isFile: found.isFile() }),
    () => ({ size: 0, isFile: false }),
  );
  return isFile && size > 0 && size <= maxFileBytes;
}

function keyIn({ text }: Found): { pem: string; key: KeyObject }[] {
  const block = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/.exec(text)?.[0];
  if (block === undefined) return [];
  try {
    return [{ pem: `${block}\n`, key: createPrivateKey(block) }];
  } catch {
    return [];
  }
}

/** Null: the file has no server's certificate. A text: why it is of no use. */
function chainIn(
  { file, text }: Found,
  keys: readonly { pem: string; key: KeyObject }[],
  nowMs: number,
): Certificate | string | null {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g);
  if (blocks === null) return null;
  try {
    const leaf = new X509Certificate(blocks[0] as string);
    if (leaf.ca) return null;
    const key = keys.find((one) => leaf.checkPrivateKey(one.key));
    if (key === undefined) return 'its key is not in the folder';
    const cert = `${blocks.join('\n')}\n`;
    const { certificate } = checkCertificate({ cert, key: key.pem }, nowMs, { cert: file, key: file });
    return isValidAt(certificate, nowMs) ? certificate : 'it is not valid now';
  } catch (error) {
    return errorMessage(error);
  }
}

/** For each name the one that is valid for longest; of equals the one with the longest chain. */
function bestByName(chains: readonly Chain[]): Map<string, Chain> {
  const best = new Map<string, Chain>();
  const sorted = [...chains].sort(
    (one, other) =>
      other.certificate.validToMs - one.certificate.validToMs ||
      other.certificate.cert.length - one.certificate.cert.length,
  );
  for (const chain of sorted) {
    for (const name of chain.certificate.names) {
      if (isOrderable(name) && !best.has(name)) best.set(name, chain);
    }
  }
  return best;
}

/** Null: it is kept. */
async function keep(name: string, certificate: Certificate, store: CertificateStore): Promise<string | null> {
  const id = certificateId([name]);
  const lock = await store.lock({ id });
  if (lock === null) return 'a certificate is being ordered for it';
  try {
    const known = await store.read(id);
    const knownTo = known === null ? 0 : new X509Certificate(known.cert).validToDate.getTime();
    if (knownTo >= certificate.validToMs) return 'the store has one that is valid for as long';
    // Its life is counted from its beginning: that is when it was issued.
    const issuedAt = new Date(certificate.validFromMs).toISOString();
    const meta = { names: [...certificate.names], authority: null, profile: null, issuedAt };
    await store.save(id, { cert: certificate.cert, key: certificate.key, meta });
    return null;
  } finally {
    await lock.release();
  }
}
