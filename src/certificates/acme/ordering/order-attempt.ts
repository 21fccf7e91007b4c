import type { Clock } from '../../../base/clock.ts';
import { errorMessage } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { AcmeSettings } from '../acme-settings.ts';
import type { PlannedCertificate } from '../certificate-plan.ts';
import type { ChallengeType } from '../challenges/challenge-answers.ts';
import type { ChallengeSolver } from '../challenges/challenge-solver.ts';
import type { AcmeClient } from '../protocol/acme-client.ts';
import { AcmeError, type AcmeErrorCode, isInterruption } from '../protocol/acme-error.ts';
import { renewalId } from '../protocol/renewal-info.ts';
import type { CertificateStore } from '../store/certificate-store.ts';
import type { CertificateMeta } from '../store/stored-documents.ts';
import type { Accounts } from './accounts.ts';
import { OrderRun } from './order-run.ts';

export interface OrderAttemptOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: AcmeSettings;
  readonly store: CertificateStore;
  readonly accounts: Accounts;
  readonly solver: ChallengeSolver;
}

/** What is to be had. */
export interface OrderWish {
  readonly plan: PlannedCertificate;
  /** Which of the ways to prove the names comes first. */
  readonly way: number;
  /** What it comes in place of. */
  readonly former: { readonly cert: string; readonly authority: string | null } | null;
}

export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
  readonly meta: CertificateMeta;
  /** It is kept: what was known of the order is not needed any more. */
  finished(): Promise<void>;
}

/** One attempt to have a certificate: every authority in turn, and every way to prove that can be gone here. */
export class OrderAttempt {
  readonly #options: OrderAttemptOptions;
  readonly #wish: OrderWish;
  readonly #signal: AbortSignal;

  constructor(options: OrderAttemptOptions, wish: OrderWish, signal: AbortSignal) {
    this.#options = options;
    this.#wish = wish;
    this.#signal = signal;
  }

  /** Rejects with AcmeError that tells everything that was tried, or with an error of the store. */
  async run(): Promise<IssuedCertificate> {
    const failures: AcmeError[] = [];
    for (const directory of this.#options.settings.directories) {
      try {
        return await this.#from(directory);
      } catch (error) {
        if (!(error instanceof AcmeError) || isInterruption(error)) throw error;
        if (error.code === 'acme-unreachable') this.#options.accounts.forget(directory);
        failures.push(error);
      }
    }
    throw together(failures);
  }

  /** A way of proving that cannot be gone here is followed by the next at once. */
  async #from(directory: string): Promise<IssuedCertificate> {
    const { plan, way } = this.#wish;
    const failures: AcmeError[] = [];
    for (const challenge of inTurn(plan.challenges, way)) {
      try {
        return await this.#by(challenge, directory);
      } catch (error) {
        if (!(error instanceof AcmeError) || isInterruption(error)) throw error;
        failures.push(error);
        if (error.code !== 'challenge-unavailable') break;
      }
    }
    throw together(failures);
  }

  async #by(challenge: ChallengeType, directory: string): Promise<IssuedCertificate> {
    const { accounts } = this.#options;
    const client = await accounts.client(directory, this.#signal);
    try {
      return await this.#order(client, challenge, directory);
    } catch (error) {
      if (!(error instanceof AcmeError) || error.type !== 'accountDoesNotExist') throw error;
      return this.#order(await accounts.registerAgain(directory, this.#signal), challenge, directory);
    }
  }

  async #order(client: AcmeClient, challenge: ChallengeType, directory: string): Promise<IssuedCertificate> {
    const { settings, clock, log, store, solver } = this.#options;
    const { id, names } = this.#wish.plan;
    const profile = this.#profileOf(client, directory);
    const replaces = await this.#replacedBy(client, directory);
    const job = { id, names, challenge, keyType: settings.keyType, profile, replaces };
    const order = new OrderRun(client, directory, { clock, log, store, solver }, job, this.#signal);
    const issued = await order.run();
    const issuedAt = new Date(clock.wallTime()).toISOString();
    const meta = { names: [...names], authority: directory, profile, issuedAt };
    return { ...issued, meta, finished: () => order.finished() };
  }

  #profileOf({ directory: { meta } }: AcmeClient, directory: string): string | null {
    const { profile } = this.#options.settings;
    if (profile === null || meta?.profiles?.[profile] !== undefined) return profile;
    const known = Object.keys(meta?.profiles ?? {});
    this.#options.log.warn('acme-profile-unknown', { directory, profile, known });
    return null;
  }

  /** RFC 9773 §5: only the authority that issued a certificate knows it. */
  async #replacedBy({ directory: { renewalInfo } }: AcmeClient, directory: string): Promise<string | null> {
    const { former } = this.#wish;
    if (renewalInfo === undefined || former === null || former.authority !== directory) return null;
    return renewalId(former.cert);
  }
}

function inTurn<Way>(ways: readonly Way[], turn: number): readonly Way[] {
  const first = turn % ways.length;
  return [...ways.slice(first), ...ways.slice(0, first)];
}

/** Everything that was tried, as one. It is tried again when the first of them allows it. */
function together(failures: readonly AcmeError[]): AcmeError {
  const last = failures.at(-1) as AcmeError;
  if (failures.length === 1) return last;
  const message = failures.map(errorMessage).join('; then ');
  const retryAfterMs = Math.min(...failures.map((failure) => failure.retryAfterMs ?? 0)) || null;
  return new AcmeError(last.code as AcmeErrorCode, message, { type: last.type, retryAfterMs, cause: last });
}
