import { SmartProxyError } from '../../base/errors.ts';
import type { AutomaticCertificates, CertificateAnswer, CertificateStatus } from '../certificate-source.ts';
import type { AcmeServices } from './acme-services.ts';
import type { AcmeSettings } from './acme-settings.ts';
import { CertificateCare } from './certificate-care.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { type CertificatePlan, type PlannedCertificate, parentPattern } from './certificate-plan.ts';
import { CertificateReports } from './certificate-reports.ts';
import { automaticStatus } from './certificate-status.ts';
import type { ChallengeAnswers } from './challenges/challenge-answers.ts';
import { ChallengeSolver } from './challenges/challenge-solver.ts';
import { dnsHook } from './challenges/dns-hook.ts';
import { PendingChallenges } from './challenges/pending-challenges.ts';
import { SharedAnswers } from './challenges/shared-answers.ts';
import { ManagedCertificate } from './managed-certificate.ts';
import { OnDemand } from './on-demand/on-demand.ts';
import { OnDemandCertificates } from './on-demand/on-demand-certificates.ts';
import { Accounts } from './ordering/accounts.ts';
import { AuthorityConnection } from './protocol/authority-connection.ts';
import { ShownCertificates } from './shown-certificates.ts';
import { type CertificateStore, certificateId } from './store/certificate-store.ts';

/** Files that are read at once. */
const maxLoads = 32;
/** What an interrupted order may take to clear up behind itself. */
const closeMs = 10_000;

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
  readonly #reports: CertificateReports;
  readonly #keeper: CertificateKeeper;
  readonly #care: CertificateCare;
  readonly #shown: ShownCertificates;
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
    const { clock, log, userAgent, substitutes } = services;
    const pending = new PendingChallenges();
    this.answers = new SharedAnswers({ clock, store, pending, idOf: (name) => this.#idOf(name) });
    this.#connection = new AuthorityConnection({ clock, root: settings.root, userAgent });
    this.#reports = new CertificateReports(services);
    this.#keeper = this.#createKeeper(pending);
    this.#shown = new ShownCertificates({ clock, log, substitutes });
    this.#care = new CertificateCare({
      ...{ clock, keeper: this.#keeper, signal: this.#ending.signal },
      visited: (managed) => this.#visited(managed),
    });
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
      onIssued: (managed, renewal) => this.#reports.issued(managed, renewal),
      onFailed: (managed, error) => this.#reports.failed(managed, error),
      onReplaced: (before) => this.#services.replaced(before),
    });
  }

  #createDemand(): OnDemandCertificates | null {
    const { ask } = this.settings;
    if (ask === null) return null;
    const { clock, log } = this.#services;
    return new OnDemandCertificates({
      ...{ clock, log, policy: new OnDemand({ clock, log, ask }), signal: this.#ending.signal },
      manage: (plan) => this.#manage(plan),
      load: (managed) => this.#load(managed),
      begin: (managed) => this.#care.begin(managed),
      dropped: (managed) => this.#drop(managed),
    });
  }

  /** Reads what is in the store for a plan. What cannot be read is told with the certificate: the others go on. */
  async prepare(plan: CertificatePlan): Promise<PreparedPlan> {
    const managed = new Map<string, ManagedCertificate>();
    const unread: ManagedCertificate[] = [];
    for (const planned of plan.certificates) {
      const one = this.#managed.get(planned.id) ?? this.#manage(planned);
      managed.set(planned.id, one);
      // Somebody may have put another one there, and a reload is when to look.
      if (!this.#care.isBusy(one)) unread.push(one);
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
      this.#reports.failed(managed, known);
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
    this.#care.drop(managed);
    this.#shown.forget(managed);
  }

  /** The listeners are bound: what is missing is ordered, and what is due is renewed. */
  start(): void {
    this.#started = true;
    for (const managed of this.#managed.values()) this.#care.plan(managed);
  }

  #visited(managed: ManagedCertificate): boolean {
    this.#shown.changed(managed);
    return this.#managed.get(managed.id) === managed || this.#demand?.has(managed) === true;
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

  #statusOf(managed: ManagedCertificate): CertificateStatus {
    return automaticStatus(managed, this.#care.isBusy(managed));
  }

  list(): CertificateStatus[] {
    return this.#all().map((managed) => this.#statusOf(managed));
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
    await this.#care.renew(managed);
    const { lastError, failures } = managed.renewal;
    if (failures > failuresBefore && lastError !== null) {
      throw new SmartProxyError(lastError.code, lastError.message, { source: 'proxy', retryable: true });
    }
    return this.#statusOf(managed);
  }

  /**
   * Orders nothing any more, takes back what authorities could ask for, and gives up its locks.
   * Certificates go on being shown; orders are taken up where they were left. A DNS hook that hangs
   * is not waited for. Never rejects.
   */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#shown.close();
    const { promise: longEnough, resolve } = Promise.withResolvers<void>();
    const timer = this.#services.clock.setTimer(closeMs, resolve);
    await Promise.race([this.#care.close(), longEnough]).finally(() => timer.cancel());
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
