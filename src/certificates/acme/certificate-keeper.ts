import type { Clock } from '../../base/clock.ts';
import { errorMessage, SmartProxyError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Certificate } from '../certificate.ts';
import type { AcmeSettings } from './acme-settings.ts';
import type { ChallengeSolver } from './challenges/challenge-solver.ts';
import type { ManagedCertificate } from './managed-certificate.ts';
import type { Accounts } from './ordering/accounts.ts';
import { type IssuedCertificate, OrderAttempt } from './ordering/order-attempt.ts';
import { AcmeError, isInterruption } from './protocol/acme-error.ts';
import type { AuthorityConnection } from './protocol/authority-connection.ts';
import { fetchRenewalInfo, renewalId } from './protocol/renewal-info.ts';
import type { CertificateStore } from './store/certificate-store.ts';

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
      if (!isInterruption(error)) await this.#fail(managed, error);
    }
  }

  async #fail(managed: ManagedCertificate, error: unknown): Promise<void> {
    const known = error instanceof SmartProxyError ? error : unexpected(error);
    managed.failed(known);
    this.#options.onFailed(managed, known);
    await this.#keepRenewal(managed);
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
    const lock = await this.#options.store.lock({ id: managed.id });
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
    const { plan, kept, renewal } = managed;
    const former = kept === null ? null : { cert: kept.certificate.cert, authority: kept.meta.authority };
    const wish = { plan, way: renewal.way, former };
    const issued = await new OrderAttempt(this.#options, wish, signal).run();
    const saved = await this.#save(managed, issued);
    // It serves at once. Where it cannot be saved it serves from memory, and saving is tried again.
    const version = typeof saved === 'string' ? saved : null;
    this.#replaced(managed.issued(issued, issued.meta, version));
    managed.begin();
    this.#options.onIssued(managed, former !== null);
    if (typeof saved !== 'string') throw saved;
    await issued.finished();
    await this.#keepRenewal(managed);
  }

  async #save(
    { id }: ManagedCertificate,
    { cert, key, meta }: IssuedCertificate,
  ): Promise<string | SmartProxyError> {
    try {
      return await this.#options.store.save(id, { cert, key, meta });
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

function unexpected(error: unknown): SmartProxyError {
  return new SmartProxyError('internal-error', errorMessage(error), { source: 'proxy', cause: error });
}
