import { stat } from 'node:fs/promises';
import type { Clock, Timer } from '../base/clock.ts';
import { errorCode, errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Certificate } from './certificate.ts';
import { isValidAt, loadCertificate } from './pem.ts';

/** A chain and a key in files, as they were when they last fitted. */
export interface CertificateFile {
  readonly certFile: string;
  readonly keyFile: string;
  readonly certificate: Certificate;
  /** Why what is in the files now does not serve; null where it does. */
  readonly problem: string | null;
}

export interface CertificateFilesOptions {
  clock: Clock;
  log: Logger;
  /** Called when other files' contents begin to serve. */
  onReplaced: (before: Certificate, file: CertificateFile) => void;
  /** Milliseconds between two looks at the files. Default 3,000. */
  intervalMs?: number;
  /** Pairs that one look takes in turn, so that thousands cost no more than some. Default 500. */
  pairsPerLook?: number;
}

interface Watched {
  certFile: string;
  keyFile: string;
  certificate: Certificate;
  problem: string | null;
  /** What the files were when they were last read. */
  readVersion: string;
  /** What they were at the last look. */
  seenVersion: string;
}

/**
 * Certificates in files, looked at every few seconds: notifications are lost on network file
 * systems, on folders that are replaced and on links that are turned, as by Certbot and Kubernetes.
 *
 * A change serves once it has rested from one look to the next, so that nobody reads half a file,
 * and only if chain and key fit. Otherwise what served before goes on, and the log says why.
 */
export class CertificateFiles {
  readonly #options: Required<CertificateFilesOptions>;
  readonly #watched = new Map<string, Watched>();
  #timer: Timer | null = null;
  #closed = false;

  constructor(options: CertificateFilesOptions) {
    this.#options = { intervalMs: 3000, pairsPerLook: 500, ...options };
  }

  /** All that are looked at. */
  list(): CertificateFile[] {
    return [...this.#watched.values()];
  }

  /**
   * Loads a pair and goes on looking at it; the same pair is loaded once. Its `certificate` changes with the files.
   * @returns the pair, and what is doubtful about it
   * @throws SmartProxyError as `loadCertificate` does
   */
  async add(
    certFile: string,
    keyFile: string,
  ): Promise<{ file: CertificateFile; warnings: readonly string[] }> {
    const id = JSON.stringify([certFile, keyFile]);
    const known = this.#watched.get(id);
    if (known !== undefined) return { file: known, warnings: [] };
    // Before the reading: a change in between is noticed at the next look.
    const version = await versionOf([certFile, keyFile]);
    const { certificate, warnings } = await loadCertificate(
      { certFile, keyFile },
      this.#options.clock.wallTime(),
    );
    const file: Watched = {
      ...{ certFile, keyFile, certificate, problem: null },
      ...{ readVersion: version, seenVersion: version },
    };
    this.#watched.set(id, file);
    this.#arm();
    return { file, warnings };
  }

  /** Looks no more. What is loaded stays. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    if (this.#closed || this.#timer !== null) return;
    this.#timer = this.#options.clock.setTimer(this.#options.intervalMs, () => {
      void this.#look().finally(() => {
        this.#timer = null;
        this.#arm();
      });
    });
  }

  async #look(): Promise<void> {
    for (const file of this.#nextOnes()) {
      const version = await versionOf([file.certFile, file.keyFile]);
      if (this.#closed) return;
      const rested = version === file.seenVersion;
      file.seenVersion = version;
      // What failed is tried again: the disk may answer, or a certificate begin to be valid, without a change.
      if (rested && (version !== file.readVersion || file.problem !== null))
        await this.#reload(file, version);
    }
  }

  /** Those whose turn it is: first come, first looked at, then back to the end. */
  #nextOnes(): Watched[] {
    const turn = [...this.#watched].slice(0, this.#options.pairsPerLook);
    for (const [id, file] of turn) {
      this.#watched.delete(id);
      this.#watched.set(id, file);
    }
    return turn.map(([, file]) => file);
  }

  /** Never rejects. */
  async #reload(file: Watched, version: string): Promise<void> {
    const { clock, log } = this.#options;
    const { certFile, keyFile, certificate: before } = file;
    file.readVersion = version;
    try {
      const { certificate, warnings } = await loadCertificate({ certFile, keyFile }, clock.wallTime());
      if (this.#closed) return;
      refuseWorse(before, certificate, file, clock.wallTime());
      file.problem = null;
      if (certificate.cert === before.cert && certificate.key === before.key) return;
      file.certificate = certificate;
      this.#options.onReplaced(before, file);
      const validTo = new Date(certificate.validToMs).toISOString();
      log.info('certificate-reloaded', { certFile, names: certificate.names, validTo });
      for (const warning of warnings) log.warn('certificate-doubtful', { certFile, warning });
    } catch (error) {
      const problem = errorMessage(error);
      if (problem !== file.problem)
        log.error('certificate-reload-failed', { certFile, keyFile, error: problem });
      file.problem = problem;
    }
  }
}

/** A certificate that is valid is not given up for one that is not. */
function refuseWorse(before: Certificate, after: Certificate, { certFile }: Watched, nowMs: number): void {
  if (!isValidAt(before, nowMs) || isValidAt(after, nowMs)) return;
  const [from, to] = [after.validFromMs, after.validToMs].map((atMs) => new Date(atMs).toISOString());
  throw new SmartProxyError(
    'certificate-not-valid',
    `${certFile} is valid from ${from} to ${to}, not now: the certificate before it goes on serving`,
    { source: 'config' },
  );
}

/** Differs when a file is written, replaced, or reached by another link. */
async function versionOf(files: readonly string[]): Promise<string> {
  const versions = await Promise.all(
    files.map((file) =>
      stat(file, { bigint: true }).then(
        ({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(':'),
        (error: unknown) => errorCode(error) ?? 'unreadable',
      ),
    ),
  );
  return versions.join(' ');
}
