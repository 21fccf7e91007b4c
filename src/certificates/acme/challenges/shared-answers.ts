import type { Clock } from '../../../base/clock.ts';
import { BoundedCache } from '../../bounded-cache.ts';
import { type Certificate, certificateOf } from '../../certificate.ts';
import type { CertificateStore } from '../store/certificate-store.ts';
import type { PendingOrder } from '../store/stored-documents.ts';
import type { Answer, ChallengeAnswers } from './challenge-answers.ts';
import type { PendingChallenges } from './pending-challenges.ts';

export interface SharedAnswersOptions {
  readonly clock: Clock;
  readonly store: CertificateStore;
  readonly pending: PendingChallenges;
  /** The certificate that a name is ordered with, by its id in the store; null: it is none of ours. */
  readonly idOf: (name: string) => string | null;
}

/** Reads of the store at once: strangers ask too. What comes beyond it is not answered. */
const maxReads = 16;
const maxCertificates = 100;

/**
 * Answers for the orders of this process and, where it has none, for those of other processes with
 * the same store: an authority comes to the name, and whoever listens there is asked.
 */
export class SharedAnswers implements ChallengeAnswers {
  readonly #options: SharedAnswersOptions;
  readonly #certificates = new BoundedCache<string, Promise<Certificate>>(maxCertificates);
  #reads = 0;

  constructor(options: SharedAnswersOptions) {
    this.#options = options;
  }

  get waiting(): boolean {
    return this.#options.pending.size > 0;
  }

  http(name: string, token: string): Answer<string> {
    const own = this.#options.pending.http(name, token);
    if (own !== null) return own;
    return this.#ask(name, async ({ proofs }) => {
      const proof = proofs.find((one) => one.type === 'http-01' && one.token === token && one.name === name);
      return proof?.keyAuthorization ?? null;
    });
  }

  tls(name: string): Answer<Certificate> {
    const own = this.#options.pending.tls(name);
    if (own !== null) return own;
    return this.#ask(name, async ({ proofs }) => {
      const proof = proofs.find((one) => one.type === 'tls-alpn-01' && one.name === name);
      return proof === undefined ? null : this.#certificateFor(name, proof.keyAuthorization);
    });
  }

  #ask<Value>(name: string, find: (order: PendingOrder) => Promise<Value | null>): Answer<Value> {
    const { store, idOf } = this.#options;
    const id = idOf(name);
    if (id === null || this.#reads >= maxReads) return null;
    this.#reads++;
    const reading = store.readOrder(id).then((order) => (order === null ? null : find(order)));
    return reading
      .catch(() => null)
      .finally(() => {
        this.#reads--;
      });
  }

  #certificateFor(name: string, keyAuthorization: string): Promise<Certificate> {
    const key = `${name} ${keyAuthorization}`;
    const known = this.#certificates.get(key);
    if (known !== undefined) return known;
    const made = challengeCertificate(name, keyAuthorization, this.#options.clock);
    this.#certificates.set(key, made);
    return made;
  }
}

/** The certificate that proves a name by TLS-ALPN-01. */
export async function challengeCertificate(
  name: string,
  keyAuthorization: string,
  clock: Clock,
): Promise<Certificate> {
  const { writeChallengeCertificate } = await import('../protocol/certificate-request.ts');
  const { cert, key } = await writeChallengeCertificate(name, keyAuthorization, clock.wallTime());
  return certificateOf(cert, key);
}
