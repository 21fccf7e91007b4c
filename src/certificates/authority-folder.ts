import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { syncFolder, writeDurably } from './durable-files.ts';
import { type IssuedCertificate, isAuthority, LocalAuthority } from './local-authority.ts';
import { checkCertificate, readPemFile } from './pem.ts';

/** Where an authority lives. */
export interface AuthorityFiles {
  readonly folder: string;
  /** For everybody to read: what clients are told to trust. */
  readonly certificate: string;
  /** 0600. */
  readonly key: string;
}

export interface AuthorityFolderOptions {
  /** `stateDirectory` of the configuration. */
  stateDirectory: string;
  clock: Clock;
  log: Logger;
}

/** On a file system that is read-only Node's recursive mkdir says ENOENT. */
const notPermitted: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOSPC',
  'ENOTDIR',
]);

const warnedBeforeExpiryMs = 30 * 86_400_000;

export function authorityFiles(stateDirectory: string): AuthorityFiles {
  const folder = join(stateDirectory, 'local-authority');
  return { folder, certificate: join(folder, 'authority.pem'), key: join(folder, 'authority.key') };
}

/**
 * The local authority of a state folder, made the first time that it is asked for. Processes that
 * ask at once get the same one: a new authority appears whole, by the renaming of a folder.
 * @throws SmartProxyError `local-authority-unusable` (the folder is damaged, or cannot be read or
 *   written: never is an authority that somebody may trust replaced silently) or `local-authority-expired`
 */
export async function openLocalAuthority(options: AuthorityFolderOptions): Promise<LocalAuthority> {
  const files = authorityFiles(options.stateDirectory);
  try {
    const found = await readAuthority(files, options);
    if (found !== null) return found;
    const made = await makeAuthority(files, options.clock);
    if (made !== null) {
      options.log.info('local-authority-made', { file: files.certificate, name: made.name });
      return made;
    }
    // Another process was faster.
    const others = await readAuthority(files, options);
    if (others !== null) return others;
    throw new Error('it has other files in it');
  } catch (error) {
    if (error instanceof SmartProxyError) throw error;
    if (notPermitted.has(errorCode(error) ?? '')) throw unwritable(files, error);
    throw unusable(files, errorMessage(error), error);
  }
}

/** Null where there is none yet. */
async function readAuthority(
  files: AuthorityFiles,
  { clock, log }: AuthorityFolderOptions,
): Promise<LocalAuthority | null> {
  const names = await namesIn(files.folder);
  if (!names.includes('authority.pem') && !names.includes('authority.key')) return null;
  const pair = await readPair(files);
  const authority = new LocalAuthority(pair, clock);
  const leftMs = authority.validToMs - clock.wallTime();
  if (leftMs <= 0) throw expired(files, authority);
  if (!(await isAuthority(pair, clock))) {
    throw unusable(files, `${files.certificate} is not an authority that SmartProxy made`);
  }
  if (leftMs < warnedBeforeExpiryMs) {
    log.warn('local-authority-expires', {
      file: files.certificate,
      validTo: new Date(authority.validToMs).toISOString(),
    });
  }
  if (((await stat(files.key)).mode & 0o077) !== 0) {
    log.warn('local-authority-exposed', { file: files.key, instead: `chmod 600 ${files.key}` });
  }
  return authority;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readPair(files: AuthorityFiles): Promise<IssuedCertificate> {
  try {
    const [cert, key] = await Promise.all([readPemFile(files.certificate), readPemFile(files.key)]);
    // Its dates are judged apart.
    checkCertificate({ cert, key }, 0, { cert: files.certificate, key: files.key });
    return { cert, key };
  } catch (error) {
    throw unusable(files, errorMessage(error), error);
  }
}

/** Null where the folder came to be meanwhile. */
async function makeAuthority(files: AuthorityFiles, clock: Clock): Promise<LocalAuthority | null> {
  const authority = await LocalAuthority.create({ clock, name: authorityName(clock) });
  const parent = dirname(files.folder);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(join(parent, '.local-authority-'));
  try {
    await writeDurably(join(draft, 'authority.key'), authority.key, 0o600);
    await writeDurably(join(draft, 'authority.pem'), authority.certificate, 0o644);
    await chmod(draft, 0o755);
    await rename(draft, files.folder);
    await syncFolder(parent);
    return authority;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (errorCode(error) === 'ENOTEMPTY' || errorCode(error) === 'EEXIST') return null;
    throw error;
  }
}

/** `SmartProxy local authority (machine, 2026-01-31)`. */
function authorityName(clock: Clock): string {
  const machine = hostname()
    .replace(/[^A-Za-z0-9.-]/g, '-')
    .slice(0, 22);
  return `SmartProxy local authority (${machine}, ${new Date(clock.wallTime()).toISOString().slice(0, 10)})`;
}

const startAnew = (files: AuthorityFiles): string =>
  `restore ${files.folder}, or delete it: then a new authority is made, which has to be trusted anew`;

function unusable(files: AuthorityFiles, why: string, cause?: unknown): SmartProxyError {
  return new SmartProxyError(
    'local-authority-unusable',
    `the local authority in ${files.folder} cannot be used: ${why} (${startAnew(files)})`,
    { source: 'config', cause },
  );
}

/** Nothing is damaged: this user, or this machine, cannot keep one there. */
function unwritable(files: AuthorityFiles, cause: unknown): SmartProxyError {
  return new SmartProxyError(
    'local-authority-unusable',
    `the local authority in ${files.folder} cannot be used: ${errorMessage(cause)} (let this user write there, or write another stateDirectory)`,
    { source: 'config', cause },
  );
}

function expired(files: AuthorityFiles, { name, validToMs }: LocalAuthority): SmartProxyError {
  const when = new Date(validToMs).toISOString();
  return new SmartProxyError(
    'local-authority-expired',
    `${name} expired on ${when} (delete ${files.folder}: then a new one is made, which has to be trusted anew)`,
    { source: 'config' },
  );
}
