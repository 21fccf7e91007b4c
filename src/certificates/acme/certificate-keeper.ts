import type { Clock } from '../../base/clock.ts';
import { errorMessage, SmartProxyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Certificate } from '../certificate.ts';
import type { Accounts } from './accounts.ts';
import type { AcmeClient } from './acme-client.ts';
import { AcmeError, type AcmeErrorCode, isInterruption } from './acme-error.ts';
import type { AcmeSettings } from './acme-settings.ts';
import type { AuthorityConnection } from './authority-connection.ts';
import type { CertificateStore } from './certificate-store.ts';
import type { ChallengeType } from './challenge-answers.ts';
import type { ChallengeSolver } from './challenge-solver.ts';
import type { ManagedCertificate } from './managed-certificate.ts';
import { OrderRun } from './order-run.ts';
import { fetchRenewalInfo, renewalId } from './renewal-info.ts';
import type { CertificateMeta } from './stored-documents.ts';

export interface KeeperOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: AcmeSettings;
  readonly store: CertificateStore;
  readonly accounts: Accounts;
  readonly connection: AuthorityConnection;
  readonly solver: ChallengeSolver;
  /** Asked before an order. False: it was given up. Never rejects. */
  readonly isWanted: (managed: ManagedCertificate) => Promise<boolean>;
  readonly onIssued: (managed: ManagedCertificate, isRenewal: boolean) => void;
  readonly onFailed: (managed: ManagedCertificate, error: SmartProxyError) => void;
  /** Another certificate serves from now on. */
  readonly onReplaced: (before: Certificate) => void;
}

/** Looks after one certificate at a time: what others put into the store, what the authority suggests, and the order. */
export class CertificateKeeper {
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** What is in the store. Rejects where it cannot be read. */
  async load(managed: ManagedCertificate): Promise<void> {
    const { store } = this.#options;
    const version = await store.version(managed.id);
    managed.looked();
    // What could not be saved is newer than what is there.
    if (managed.kept !== null && managed.kept.version === null) return;
    if (version !== null && version !== managed.kept?.version) {
      const stored = await store.read(managed.id);
      if (stored !== null) this.#replaced(managed.take(stored));
    }
    managed.useRenewal(await store.readRenewal(managed.id));
  }

  /** Does what is due. Never rejects: what fails is kept with the certificate, and tried again. */
  async visit(managed: ManagedCertificate, signal: AbortSignal): Promise<void> {
    try {
      if (!managed.forced) await this.load(managed);
      if (managed.isAskDue) await this.#ask(managed, signal);
      if (!managed.isOrderDue || !(await this.#options.isWanted(managed))) return;
      if (managed.kept?.version === null) await this.#saveLate(managed);
      else await this.#orderOnce(managed, signal);
    } catch (error) {
      if (isInterruption(error)) return;
      const known = error instanceof SmartProxyError ? error : unexpected(error);
      managed.failed(known);
      this.#options.onFailed(managed, known);
      await this.#keepRenewal(managed);
    }
  }

  /** A suggestion that cannot be had changes nothing: a third of the life is a good time too. */
  async #ask(managed: ManagedCertificate, signal: AbortSignal): Promise<void> {
    try {
      const answer = await this.#suggestion(managed, signal);
      managed.suggest(answer?.window ?? null, answer?.retryAfterMs ?? null);
    } catch (error) {
      if (isInterruption(error)) throw error;
      const { plan, kept } = managed;
      this.#options.log.info('acme-renewal-info-failed', { names: plan.names, error: errorMessage(error) });
      managed.suggest(null, error instanceof AcmeError ? error.retryAfterMs : null);
      if (kept?.meta.authority) this.#options.accounts.forget(kept.meta.authority);
    }
    await this.#keepRenewal(managed);
  }

  async #suggestion({ kept }: ManagedCertificate, signal: AbortSignal) {
    const { accounts, settings, connection } = this.#options;
    const authority = kept?.meta.authority ?? null;
    if (kept === null || authority === null || !settings.directories.includes(authority)) return null;
    const { renewalInfo } = (await accounts.client(authority, signal)).directory;
    const id = renewalInfo === undefined ? null : await renewalId(kept.certificate.cert);
    return renewalInfo === undefined || id === null
      ? null
      : fetchRenewalInfo(connection, renewalInfo, id, signal);
  }

  /** Orders, unless another process does or has done. */
  async #orderOnce(managed: ManagedCertificate, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    const lock = await store.lock({ id: managed.id });
    if (lock === null) return managed.orderedElsewhere();
    try {
      const before = managed.kept?.version;
      await this.load(managed);
      if (managed.kept?.version !== before) managed.forced = false;
      if (managed.isOrderDue) await this.#order(managed, signal);
    } finally {
      await lock.release();
    }
  }

  async #order(managed: ManagedCertificate, signal: AbortSignal): Promise<void> {
    const failures: AcmeError[] = [];
    for (const directory of this.#options.settings.directories) {
      try {
        return await this.#orderFrom(directory, managed, signal);
      } catch (error) {
        if (!(error instanceof AcmeError) || isInterruption(error)) throw error;
        if (error.code === 'acme-unreachable') this.#options.accounts.forget(directory);
        failures.push(error);
      }
    }
    throw together(failures);
  }

  /** Ways of proving that cannot be gone here are followed by the next at once. */
  async #orderFrom(directory: string, managed: ManagedCertificate, signal: AbortSignal): Promise<void> {
    const failures: AcmeError[] = [];
    for (const challenge of inTurn(managed.plan.challenges, managed.renewal.way)) {
      try {
        return await this.#orderBy(challenge, directory, managed, signal);
      } catch (error) {
        if (!(error instanceof AcmeError) || isInterruption(error)) throw error;
        failures.push(error);
        if (error.code !== 'challenge-unavailable') break;
      }
    }
    throw together(failures);
  }

  async #orderBy(
    challenge: ChallengeType,
    directory: string,
    managed: ManagedCertificate,
    signal: AbortSignal,
  ): Promise<void> {
    const { accounts } = this.#options;
    const client = await accounts.client(directory, signal);
    try {
      await this.#run(client, challenge, directory, managed, signal);
    } catch (error) {
      if (!(error instanceof AcmeError) || error.type !== 'accountDoesNotExist') throw error;
      await this.#run(await accounts.registerAgain(directory, signal), challenge, directory, managed, signal);
    }
  }

  async #run(
    client: AcmeClient,
    challenge: ChallengeType,
    directory: string,
    managed: ManagedCertificate,
    signal: AbortSignal,
  ): Promise<void> {
    const { settings, clock, log, store, solver } = this.#options;
    const { id, names } = managed.plan;
    const profile = this.#profileOf(client, directory);
    const replaces = await this.#replacedId(client, directory, managed);
    const job = { id, names, challenge, keyType: settings.keyType, profile, replaces };
    const run = new OrderRun(client, directory, { clock, log, store, solver }, job, signal);
    const issued = await run.run();
    const issuedAt = new Date(clock.wallTime()).toISOString();
    const meta = { names: [...names], authority: directory, profile, issuedAt };
    await this.#take(managed, issued, meta, run);
  }

  /** It serves at once. Where it cannot be saved, it serves from memory, and saving is tried again. */
  async #take(
    managed: ManagedCertificate,
    issued: { cert: string; key: string },
    meta: CertificateMeta,
    run: OrderRun,
  ): Promise<void> {
    const isRenewal = managed.kept !== null;
    const saved = await this.#save(managed, { ...issued, meta });
    const version = typeof saved === 'string' ? saved : null;
    this.#replaced(managed.issued(issued, meta, version));
    managed.begin();
    this.#options.onIssued(managed, isRenewal);
    if (typeof saved !== 'string') throw saved;
    await run.finished();
    await this.#keepRenewal(managed);
  }

  async #save(
    managed: ManagedCertificate,
    certificate: { cert: string; key: string; meta: CertificateMeta },
  ): Promise<string | SmartProxyError> {
    try {
      return await this.#options.store.save(managed.id, certificate);
    } catch (error) {
      return error instanceof SmartProxyError ? error : unexpected(error);
    }
  }

  /** The store could not be written when the certificate came. */
  async #saveLate(managed: ManagedCertificate): Promise<void> {
    const { store } = this.#options;
    const { certificate, meta } = managed.kept!;
    const version = await store.save(managed.id, { cert: certificate.cert, key: certificate.key, meta });
    managed.issued(certificate, meta, version);
    managed.begin();
    await store.removeOrder(managed.id);
    await this.#keepRenewal(managed);
  }

  #profileOf({ directory: { meta } }: AcmeClient, directory: string): string | null {
    const { profile } = this.#options.settings;
    if (profile === null || meta?.profiles?.[profile] !== undefined) return profile;
    const known = Object.keys(meta?.profiles ?? {});
    this.#options.log.warn('acme-profile-unknown', { directory, profile, known });
    return null;
  }

  /** RFC 9773 §5: only the authority that issued a certificate knows it. */
  async #replacedId(
    { directory: { renewalInfo } }: AcmeClient,
    directory: string,
    { kept }: ManagedCertificate,
  ) {
    if (renewalInfo === undefined || kept === null || kept.meta.authority !== directory) return null;
    return renewalId(kept.certificate.cert);
  }

  #replaced(before: Certificate | null): void {
    if (before !== null) this.#options.onReplaced(before);
  }

  /** What is lost with it is only when to try again. */
  async #keepRenewal(managed: ManagedCertificate): Promise<void> {
    try {
      await this.#options.store.writeRenewal(managed.id, managed.renewal);
    } catch (error) {
      this.#options.log.warn('certificate-store-failed', { id: managed.id, error: errorMessage(error) });
    }
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

function unexpected(error: unknown): SmartProxyError {
  return new SmartProxyError('internal-error', errorMessage(error), { source: 'proxy', cause: error });
}
