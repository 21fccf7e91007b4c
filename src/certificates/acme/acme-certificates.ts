import { SmartProxyError } from '../../base/errors.ts';
import type { AutomaticCertificates, CertificateAnswer, CertificateStatus } from '../certificate-source.ts';
import { Accounts } from './accounts.ts';
import type { AcmeServices } from './acme-services.ts';
import type { AcmeSettings } from './acme-settings.ts';
import { AuthorityConnection } from './authority-connection.ts';
import { CareTimes } from './care-times.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type CertificatePlan, type PlannedCertificate, parentPattern } from './certificate-plan.ts';
import { automaticStatus } from './certificate-status.ts';
import { type CertificateStore, certificateId } from './certificate-store.ts';
import type { ChallengeAnswers } from './challenge-answers.ts';
import { ChallengeSolver } from './challenge-solver.ts';
import { dnsHook } from './dns-hook.ts';
import { ManagedCertificate } from './managed-certificate.ts';
import { OnDemand } from './on-demand.ts';
import { OnDemandCertificates } from './on-demand-certificates.ts';
import { PendingChallenges } from './pending-challenges.ts';
import { SharedAnswers } from './shared-answers.ts';
import { ShownCertificates } from './shown-certificates.ts';
import { VisitQueue } from './visit-queue.ts';

/** Files that are read at once. */
const maxLoads = 32;
const defaultVisits = 10;
/** What an interrupted order may take to clear up behind itself. */
const closeMs = 10_000;
/** Those who ask for it wait for a minute at most. */
const renewWaitMs = 45_000;

/** What a plan asks for, with what is in the store of it. */
export interface PreparedPlan {
  readonly plan: CertificatePlan;
  readonly managed: ReadonlyMap<string, ManagedCertificate>;
}

/**
 * Certificates for `auto`, by ACME: those that a plan names are ordered and renewed without being
 * asked for, and names that only a pattern covers when a client first asks. Outlives reloads that
 * do not change how certificates are ordered.
 */
export class AcmeCertificates implements AutomaticCertificates {
  readonly settings: AcmeSettings;
  readonly store: CertificateStore;
  readonly answers: ChallengeAnswers;
  readonly #services: AcmeServices;
  readonly #connection: AuthorityConnection;
  readonly #keeper: CertificateKeeper;
  readonly #shown: ShownCertificates;
  readonly #queue: VisitQueue;
  readonly #times: CareTimes;
  readonly #demand: OnDemandCertificates | null;
  readonly #ending = new AbortController();
  /** Of the plan in force, by id. */
  #managed: ReadonlyMap<string, ManagedCertificate> = new Map();
  /** The same by each of their names. */
  #byName = new Map<string, ManagedCertificate>();
  #started = false;

  constructor(settings: AcmeSettings, store: CertificateStore, services: AcmeServices) {
    this.settings = settings;
    this.store = store;
    this.#services = services;
    const { clock, log, userAgent, substitutes, limits } = services;
    const pending = new PendingChallenges();
    this.answers = new SharedAnswers({ clock, store, pending, idOf: (name) => this.#idOf(name) });
    this.#connection = new AuthorityConnection({ clock, root: settings.root, userAgent });
    this.#keeper = this.#createKeeper(pending);
    this.#shown = new ShownCertificates({ clock, log, substitutes });
    this.#times = new CareTimes(clock, (managed) => this.#queue.add(managed));
    this.#queue = new VisitQueue(
      limits?.visits ?? defaultVisits,
      (managed) => this.#visit(managed),
      (managed) => this.#visited(managed),
    );
    this.#demand = this.#createDemand();
  }

  #createKeeper(pending: PendingChallenges): CertificateKeeper {
    const { settings, store } = this;
    const { clock, log, port } = this.#services;
    const dns = settings.dns === null ? null : dnsHook(settings.dns, clock);
    const { httpPort, dnsServers } = settings;
    return new CertificateKeeper({
      ...{ clock, log, settings, store, connection: this.#connection },
      accounts: new Accounts({
        ...{ clock, log, store, connection: this.#connection },
        contact: settings.contact,
        binding: settings.binding,
        isOnlyAuthority: settings.directories.length === 1,
      }),
      solver: new ChallengeSolver({ clock, log, pending, port, httpPort, dns, dnsServers }),
      isWanted: async (managed) => this.#demand === null || this.#demand.isStillWanted(managed),
      onIssued: (managed, renewal) => this.#tellIssued(managed, renewal),
      onFailed: (managed, error) => this.#tellFailed(managed, error),
      onReplaced: (before) => this.#services.replaced(before),
    });
  }

  #createDemand(): OnDemandCertificates | null {
    const { ask } = this.settings;
    if (ask === null) return null;
    const { clock, log, limits } = this.#services;
    const given = limits?.onDemand;
    return new OnDemandCertificates({
      ...{ clock, log, limits },
      policy: new OnDemand({ clock, log, ask, ...(given !== undefined && { limits: given }) }),
      signal: this.#ending.signal,
      manage: (plan) => this.#manage(plan),
      load: (managed) => this.#load(managed),
      begin: (managed) => this.#queue.add(managed),
      dropped: (managed) => this.#drop(managed),
    });
  }

  /** Reads what is in the store for a plan. What cannot be read is told with the certificate: the others go on. */
  async prepare(plan: CertificatePlan): Promise<PreparedPlan> {
    const managed = new Map<string, ManagedCertificate>();
    const unread: ManagedCertificate[] = [];
    for (const planned of plan.certificates) {
      const known = this.#managed.get(planned.id);
      const one = known ?? this.#manage(planned);
      managed.set(planned.id, one);
      // Somebody may have put another one there, and a reload is when to look.
      if (!this.#queue.has(one)) unread.push(one);
    }
    const readers = Array.from({ length: maxLoads }, async () => {
      for (let one = unread.pop(); one !== undefined; one = unread.pop()) await this.#load(one);
    });
    await Promise.all(readers);
    return { plan, managed };
  }

  #manage(plan: PlannedCertificate): ManagedCertificate {
    return new ManagedCertificate(plan, this.#services.clock, this.settings);
  }

  async #load(managed: ManagedCertificate): Promise<void> {
    try {
      await this.#keeper.load(managed);
    } catch (error) {
      const known = error as SmartProxyError;
      managed.failed(known);
      this.#tellFailed(managed, known);
    }
  }

  /** A plan is in force from here on. Nothing is ordered before `start`. */
  use({ plan, managed }: PreparedPlan): void {
    const before = this.#managed;
    this.#managed = managed;
    this.#byName = new Map();
    for (const planned of plan.certificates) {
      const one = managed.get(planned.id) as ManagedCertificate;
      one.plan = planned;
      for (const name of planned.names) this.#byName.set(name, one);
    }
    for (const [id, one] of before) if (managed.get(id) !== one) this.#drop(one);
    this.#demand?.use(plan.onDemand);
    if (this.#started) this.start();
  }

  #drop(managed: ManagedCertificate): void {
    this.#times.remove(managed);
    this.#shown.forget(managed);
  }

  /** The listeners are bound: what is missing is ordered, and what is due is renewed. */
  start(): void {
    this.#started = true;
    for (const managed of this.#managed.values()) this.#times.plan(managed, 0);
  }

  certificateFor(name: string): CertificateAnswer | Promise<CertificateAnswer> {
    const managed = this.#find(name);
    if (managed !== undefined) return this.#shown.answer(managed, name);
    const found = this.#demand?.find(name) ?? null;
    if (found === null) return notOrdered(name);
    if (found instanceof ManagedCertificate) return this.#shown.answer(found, name);
    return found.then((one) => (one instanceof SmartProxyError ? one : this.#shown.answer(one, name)));
  }

  #find(name: string): ManagedCertificate | undefined {
    return this.#byName.get(name) ?? this.#byName.get(parentPattern(name));
  }

  #idOf(name: string): string | null {
    const managed = this.#find(name);
    if (managed !== undefined) return managed.id;
    return this.#demand?.covers(name) === true ? certificateId([name]) : null;
  }

  #all(): ManagedCertificate[] {
    return [...this.#managed.values(), ...(this.#demand?.all() ?? [])];
  }

  list(): CertificateStatus[] {
    return this.#all().map((managed) => automaticStatus(managed, this.#queue.has(managed)));
  }

  /**
   * Renews a certificate now, whatever the schedule says. Resolves when the attempt is over, or goes
   * on for longer than somebody would wait; `ordering` tells.
   * @throws SmartProxyError what it failed with, or `no-such-certificate`
   */
  async renew(name: string): Promise<CertificateStatus> {
    const managed = this.#all().find(({ id, plan }) => id === name || plan.names.includes(name));
    if (managed === undefined) throw noSuchCertificate(name);
    const failuresBefore = managed.renewal.failures;
    managed.forced = true;
    const { clock } = this.#services;
    const { promise: longEnough, resolve } = Promise.withResolvers<void>();
    const timer = clock.setTimer(renewWaitMs, resolve);
    await Promise.race([this.#renewed(managed), longEnough]).finally(() => timer.cancel());
    const { lastError, failures } = managed.renewal;
    if (failures > failuresBefore && lastError !== null) {
      throw new SmartProxyError(lastError.code, lastError.message, { source: 'proxy', retryable: true });
    }
    return automaticStatus(managed, this.#queue.has(managed));
  }

  /** A visit that is under way may have begun before somebody asked. */
  async #renewed(managed: ManagedCertificate): Promise<void> {
    while (managed.forced && !this.#queue.closed) {
      this.#queue.add(managed);
      await this.#queue.settled(managed);
    }
  }

  async #visit(managed: ManagedCertificate): Promise<void> {
    if (!this.#ending.signal.aborted) await this.#keeper.visit(managed, this.#ending.signal);
  }

  #visited(managed: ManagedCertificate): void {
    this.#shown.changed(managed);
    const isWanted = this.#managed.get(managed.id) === managed || this.#demand?.has(managed) === true;
    if (isWanted) this.#times.plan(managed);
  }

  #tellIssued(managed: ManagedCertificate, renewal: boolean): void {
    const { certificate, meta } = managed.kept!;
    const validTo = new Date(certificate.validToMs).toISOString();
    const event = { names: managed.plan.names, authority: meta.authority ?? '', validTo, renewal };
    this.#services.log.info('certificate-issued', { ...event });
    this.#services.issued(event);
  }

  #tellFailed(managed: ManagedCertificate, error: SmartProxyError): void {
    const { kept, renewal, plan } = managed;
    const event = {
      names: plan.names,
      code: error.code,
      error: error.message,
      nextAttemptAt: renewal.nextAttemptAt ?? '',
      validTo: kept === null ? null : new Date(kept.certificate.validToMs).toISOString(),
    };
    this.#services.log.error('certificate-failed', { ...event });
    this.#services.failed(event);
  }

  /**
   * Orders nothing any more, takes back what authorities could ask for, and gives up its locks.
   * Certificates go on being shown; orders are taken up where they were left. A DNS hook that hangs
   * is not waited for. Never rejects.
   */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#times.close();
    this.#shown.close();
    const { promise: longEnough, resolve } = Promise.withResolvers<void>();
    const timer = this.#services.clock.setTimer(closeMs, resolve);
    await Promise.race([this.#queue.close(), longEnough]).finally(() => timer.cancel());
    this.#connection.close();
  }
}

function notOrdered(name: string): SmartProxyError {
  const message = `no certificate for ${JSON.stringify(name)} is ordered: it is covered by a pattern only (write certificates.acme.ask to order names when clients ask for them)`;
  return new SmartProxyError('certificate-unavailable', message, { source: 'config' });
}

function noSuchCertificate(name: string): SmartProxyError {
  const message = `no certificate for ${JSON.stringify(name)} is ordered automatically`;
  return new SmartProxyError('no-such-certificate', message, { source: 'client' });
}
