import type { Clock } from '../../../base/clock.ts';
import { SmartProxyError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { OnDemandPattern, PlannedCertificate } from '../certificate-plan.ts';
import type { ManagedCertificate } from '../managed-certificate.ts';
import { certificateId } from '../store/certificate-store.ts';
import type { OnDemand } from './on-demand.ts';

export interface OnDemandCertificatesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly policy: OnDemand;
  readonly signal: AbortSignal;
  manage(plan: PlannedCertificate): ManagedCertificate;
  /** Never rejects. */
  load(managed: ManagedCertificate): Promise<void>;
  /** Has it ordered. */
  begin(managed: ManagedCertificate): void;
  dropped(managed: ManagedCertificate): void;
}

const maxNames = 10_000;
/** Names that come for the first time at one moment. */
const maxPending = 64;
/** A name that nobody asked for during this time is not renewed. */
const forgottenAfterMs = 30 * 86_400_000;

type Found = ManagedCertificate | SmartProxyError;

/** Certificates of names that clients asked for. Those that are in the store already serve without a question. */
export class OnDemandCertificates {
  readonly #options: OnDemandCertificatesOptions;
  readonly #byName = new Map<string, ManagedCertificate>();
  readonly #pending = new Map<string, Promise<Found>>();

  constructor(options: OnDemandCertificatesOptions) {
    this.#options = options;
  }

  use(patterns: readonly OnDemandPattern[]): void {
    this.#options.policy.use(patterns);
    for (const [name, managed] of this.#byName) {
      if (this.#options.policy.patternOf(name) === undefined) this.#drop(name, managed);
    }
  }

  all(): Iterable<ManagedCertificate> {
    return this.#byName.values();
  }

  has(managed: ManagedCertificate): boolean {
    return this.#byName.get(nameOf(managed)) === managed;
  }

  covers(name: string): boolean {
    return this.#options.policy.patternOf(name) !== undefined;
  }

  /** The certificate of a name, or what is found out about it, once for all who ask; null: no pattern covers it. */
  find(name: string): ManagedCertificate | Promise<Found> | null {
    const known = this.#byName.get(name) ?? this.#pending.get(name);
    if (known !== undefined) return known;
    const pattern = this.#options.policy.patternOf(name);
    if (pattern === undefined) return null;
    if (this.#pending.size >= maxPending || this.#byName.size >= maxNames) return busy();
    const finding = this.#find(name, pattern).finally(() => this.#pending.delete(name));
    this.#pending.set(name, finding);
    return finding;
  }

  async #find(name: string, { challenges }: OnDemandPattern): Promise<Found> {
    const { policy, signal, manage, load, begin } = this.#options;
    const names = [name];
    const managed = manage({ id: certificateId(names), names, challenges });
    await load(managed);
    if (!managed.isValid) {
      const refusal = await policy.refusal(name, true, signal);
      if (refusal !== null) return refusal;
    }
    this.#byName.set(name, managed);
    begin(managed);
    return managed;
  }

  /**
   * Before an order, for all certificates: whether clients still come for the name and, where it is
   * to be renewed, whoever is asked still allows it. One that could not be had is tried again for
   * those who come again.
   */
  async isStillWanted(managed: ManagedCertificate): Promise<boolean> {
    if (!this.has(managed) || managed.forced) return true;
    const { kept, renewal, usedAt } = managed;
    if (kept === null) {
      const failedAt = renewal.lastError === null ? 0 : Date.parse(renewal.lastError.at);
      return usedAt >= failedAt || this.#giveUp(managed, 'no client asks for it');
    }
    const isUsed = this.#options.clock.wallTime() - usedAt < forgottenAfterMs;
    if (!isUsed) return this.#giveUp(managed, 'no client asks for it any more');
    const refusal = await this.#options.policy.refusal(nameOf(managed), false, this.#options.signal);
    return refusal?.code !== 'certificate-not-allowed' || this.#giveUp(managed, refusal.message);
  }

  #giveUp(managed: ManagedCertificate, why: string): false {
    const name = nameOf(managed);
    this.#options.log.info('certificate-given-up', { name, why });
    this.#drop(name, managed);
    return false;
  }

  #drop(name: string, managed: ManagedCertificate): void {
    this.#byName.delete(name);
    this.#options.dropped(managed);
  }
}

function nameOf({ plan }: ManagedCertificate): string {
  return plan.names[0] ?? '';
}

async function busy(): Promise<SmartProxyError> {
  return new SmartProxyError('certificate-busy', 'too many names are ordered on demand', {
    source: 'proxy',
    retryable: true,
  });
}
