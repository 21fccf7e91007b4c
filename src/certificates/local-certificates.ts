import type { Clock } from '../base/clock.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { normalizeDomain } from '../config/domain.ts';
import { BoundedCache } from './bounded-cache.ts';
import { type Certificate, certificateOf } from './certificate.ts';
import type { LocalAuthority } from './local-authority.ts';

export interface LocalCertificatesOptions {
  clock: Clock;
  log: Logger;
  /** Asked once, when the first certificate is wanted; asked again after it has failed. */
  authority: () => Promise<LocalAuthority>;
  /** Certificates that are kept; the longest unused makes room. Default 1,000. */
  maxCertificates?: number;
  /** Names that are being issued at one time; more are refused. Default 256. */
  maxPending?: number;
}

/** A certificate is replaced when this part of its life is left. */
const renewedAtLeft = 1 / 3;

/**
 * Certificates of the local authority, one for each name that is asked for, kept in memory only:
 * a new one costs a few milliseconds, and nothing but the authority has to be trusted.
 */
export class LocalCertificates {
  readonly #options: Required<LocalCertificatesOptions>;
  readonly #issued: BoundedCache<string, Certificate>;
  readonly #pending = new Map<string, Promise<Certificate | SmartProxyError>>();
  #authority: Promise<LocalAuthority> | null = null;
  /** What the last attempt failed with; null: it succeeded. */
  #failure: string | null = null;

  constructor(options: LocalCertificatesOptions) {
    this.#options = { maxCertificates: 1000, maxPending: 256, ...options };
    this.#issued = new BoundedCache(this.#options.maxCertificates);
  }

  /** Those that are kept. */
  list(): Certificate[] {
    return [...this.#issued.values()];
  }

  /** Opens the authority now, so that what is wrong with it shows before the first handshake. Throws its error. */
  async prepare(): Promise<LocalAuthority> {
    this.#authority ??= this.#options.authority();
    try {
      return await this.#authority;
    } catch (error) {
      this.#authority = null;
      throw error;
    }
  }

  /**
   * The certificate of a name or an address: at once where there is one, else as soon as it is
   * issued, once for all who ask. One that nears its end is replaced while it still serves.
   * Never throws or rejects: a failure is a value.
   */
  certificateFor(name: string): Certificate | SmartProxyError | Promise<Certificate | SmartProxyError> {
    const known = this.#issued.get(name);
    const now = this.#options.clock.wallTime();
    if (known === undefined || now >= known.validToMs) return this.#issueOnce(name);
    if (now >= known.validToMs - (known.validToMs - known.validFromMs) * renewedAtLeft) {
      void this.#issueOnce(name);
    }
    return known;
  }

  #issueOnce(name: string): SmartProxyError | Promise<Certificate | SmartProxyError> {
    const pending = this.#pending.get(name);
    if (pending !== undefined) return pending;
    if (!isIssuable(name))
      return refusal('certificate-refused', `no certificate can be made for ${JSON.stringify(name)}`);
    if (this.#pending.size >= this.#options.maxPending) {
      return refusal('certificate-busy', 'too many local certificates are being made', true);
    }
    const issuing = this.#issue(name).finally(() => this.#pending.delete(name));
    this.#pending.set(name, issuing);
    return issuing;
  }

  async #issue(name: string): Promise<Certificate | SmartProxyError> {
    try {
      const authority = await this.prepare();
      const { cert, key } = await authority.issue([name]);
      const certificate = certificateOf(cert, key);
      this.#issued.set(name, certificate);
      this.#failure = null;
      this.#options.log.debug('certificate-issued', { name, source: 'local' });
      return certificate;
    } catch (error) {
      this.#tell(name, errorMessage(error));
      return error instanceof SmartProxyError
        ? error
        : refusal('certificate-unusable', errorMessage(error), true);
    }
  }

  /** Once for each cause: clients come again and again. */
  #tell(name: string, error: string): void {
    if (error !== this.#failure) {
      this.#options.log.error('certificate-failed', { name, source: 'local', error });
    }
    this.#failure = error;
  }
}

/** Names come from clients: only what a certificate can say is issued. */
function isIssuable(name: string): boolean {
  return !name.startsWith('*') && normalizeDomain(name) === name;
}

function refusal(code: string, message: string, retryable = false): SmartProxyError {
  return new SmartProxyError(code, message, { source: 'proxy', retryable });
}
