import type { Clock } from '../../base/clock.ts';
import { errorCode, errorMessage } from '../../base/errors.ts';
import { type Certificate, certificateOf, coversName } from '../certificate.ts';
import { isValidAt } from '../pem.ts';
import type { PlannedCertificate } from './certificate-plan.ts';
import { AcmeError } from './protocol/acme-error.ts';
import type { RenewalWindow } from './protocol/renewal-info.ts';
import { askAgainDelay, renewalTime, retryDelay } from './renewal-schedule.ts';
import type { StoredCertificate } from './store/certificate-store.ts';
import type { CertificateMeta, Renewal } from './store/stored-documents.ts';

/** A certificate that serves, or could. */
export interface Kept {
  /** In the store; null: it could not be saved yet. */
  readonly version: string | null;
  readonly certificate: Certificate;
  readonly meta: CertificateMeta;
}

export interface RenewalSettings {
  readonly renewBeforeMs: number | null;
  /** Of the settings that attempts are made with. */
  readonly fingerprint: string;
}

/** How often it is looked whether another process has put a newer one into the store. */
const lookEveryMs = 10 * 60_000;
/** And while another process orders. */
const lookAgainMs = 2_000;

/**
 * One certificate that is wanted: what serves, what is known of its renewal, and when it is due to be
 * looked after. Only `CertificateKeeper` changes it, in one visit at a time.
 */
export class ManagedCertificate {
  readonly id: string;
  plan: PlannedCertificate;
  kept: Kept | null = null;
  renewal: Renewal;
  /** Somebody wants it to be renewed now, whatever the schedule says. */
  forced = false;
  readonly #clock: Clock;
  readonly #settings: RenewalSettings;
  /** When the store is looked at again. */
  #lookAt: number;
  /** Another process orders it. */
  elsewhere = false;
  /** When a client last got it, in ms since the epoch; 0: none did. */
  usedAt = 0;

  constructor(plan: PlannedCertificate, clock: Clock, settings: RenewalSettings) {
    this.id = plan.id;
    this.plan = plan;
    this.#clock = clock;
    this.#settings = settings;
    this.renewal = noRenewal(settings.fingerprint, 0);
    this.#lookAt = this.#soon(lookEveryMs);
  }

  get #now(): number {
    return this.#clock.wallTime();
  }

  #soon(delayMs: number): number {
    return this.#now + delayMs * (0.8 + 0.4 * this.#clock.random());
  }

  /** Whether it can serve now. */
  get isValid(): boolean {
    return this.kept !== null && isValidAt(this.kept.certificate, this.#now);
  }

  /** When it is to be looked after, in ms since the epoch. */
  get dueAt(): number {
    if (this.forced) return this.#now;
    return Math.min(this.#lookAt, this.orderAt, this.#askAt);
  }

  /** When it is to be ordered. Another process that orders it is waited for. */
  get orderAt(): number {
    if (this.elsewhere && !this.forced) return Number.POSITIVE_INFINITY;
    const wantedAt = this.#isComplete ? timeOf(this.renewal.renewAt, 0) : 0;
    return this.forced ? this.#now : Math.max(wantedAt, timeOf(this.renewal.nextAttemptAt, 0));
  }

  /** It is saved, and covers what is wanted of it. What is not saved is not ordered again: saving it is what is due. */
  get #isComplete(): boolean {
    const { kept } = this;
    if (kept === null || kept.version === null) return false;
    return this.plan.names.every((name) => coversName(kept.certificate, name));
  }

  get isOrderDue(): boolean {
    return this.orderAt <= this.#now;
  }

  get #askAt(): number {
    return this.kept === null ? Number.POSITIVE_INFINITY : timeOf(this.renewal.askAgainAt, 0);
  }

  /** Whether the authority is to be asked for its suggestion. */
  get isAskDue(): boolean {
    return this.#askAt <= this.#now;
  }

  /** Smaller is more urgent: none at all, then revoked, then by what is left. */
  get urgency(): number {
    if (this.kept === null) return 0;
    const { suggestion } = this.renewal;
    const isRevoked = suggestion !== null && Date.parse(suggestion.end) < this.#now;
    return isRevoked ? 1 : this.kept.certificate.validToMs;
  }

  /** The store was looked at. */
  looked(): void {
    this.elsewhere = false;
    this.#lookAt = this.#soon(lookEveryMs);
  }

  /** Another process has the lock. */
  orderedElsewhere(): void {
    this.elsewhere = true;
    this.forced = false;
    this.#lookAt = this.#soon(lookAgainMs);
  }

  /** Takes over what is in the store. Returns what served before. */
  take(stored: StoredCertificate): Certificate | null {
    return this.#keep({
      version: stored.version,
      certificate: certificateOf(stored.cert, stored.key),
      meta: stored.meta,
    });
  }

  /** Serves what was issued. Returns what served before. */
  issued(certificate: { cert: string; key: string }, meta: CertificateMeta, version: string | null) {
    this.forced = false;
    return this.#keep({ version, certificate: certificateOf(certificate.cert, certificate.key), meta });
  }

  #keep(kept: Kept): Certificate | null {
    const before = this.kept?.certificate ?? null;
    this.kept = kept;
    return before;
  }

  /** Takes over what another process, or this one before, knew of the renewal, if it is newer and about what serves. */
  useRenewal(stored: Renewal | null): void {
    const { fingerprint } = this.#settings;
    const version = this.kept?.version ?? null;
    const isOurs = this.renewal.version === version;
    if (stored === null || stored.version !== version) {
      if (!isOurs) this.begin();
    } else if (!isOurs || stored.at > this.renewal.at) {
      // What failed under other settings may succeed now.
      const isRelevant = stored.settings === fingerprint;
      this.renewal = isRelevant
        ? stored
        : { ...stored, failures: 0, nextAttemptAt: null, settings: fingerprint };
    }
  }

  /** A certificate came: its renewal begins anew. */
  begin(): void {
    this.renewal = noRenewal(this.#settings.fingerprint, this.renewal.way);
    this.#schedule(null);
  }

  /** The authority suggests a time; null: it has no suggestion. */
  suggest(window: RenewalWindow | null, retryAfterMs: number | null): void {
    const askAgainAt = isoTime(this.#now + askAgainDelay(retryAfterMs, this.#clock.random()));
    if (window !== null && !isSame(this.renewal.suggestion, window)) this.#schedule(window);
    this.renewal = { ...this.renewal, at: isoTime(this.#now), askAgainAt };
  }

  #schedule(window: RenewalWindow | null): void {
    const { kept } = this;
    if (kept === null) return;
    const rule = { renewBeforeMs: this.#settings.renewBeforeMs, window };
    const issuedAt = Date.parse(kept.meta.issuedAt);
    const renewAt = renewalTime(kept.certificate, issuedAt, rule, this.#clock.random());
    this.renewal = {
      ...this.renewal,
      at: isoTime(this.#now),
      version: kept.version,
      renewAt: isoTime(renewAt),
      suggestion:
        window === null
          ? null
          : {
              start: isoTime(window.startMs),
              end: isoTime(window.endMs),
              explanation: window.explanation,
            },
    };
  }

  failed(error: unknown): void {
    this.forced = false;
    const failures = this.renewal.failures + 1;
    const retryAfterMs = error instanceof AcmeError ? error.retryAfterMs : null;
    const delayMs = retryDelay(failures, retryAfterMs, this.#clock.random());
    const code = errorCode(error) ?? 'internal-error';
    // A way that led nowhere is followed by the next one; one that was gone to its end is gone again.
    const way = this.renewal.way + (code === 'acme-validation-failed' ? 1 : 0);
    this.renewal = {
      ...this.renewal,
      at: isoTime(this.#now),
      failures,
      way,
      nextAttemptAt: isoTime(this.#now + delayMs),
      lastError: { code, message: errorMessage(error), at: isoTime(this.#now) },
    };
  }
}

function noRenewal(settings: string, way: number): Renewal {
  return {
    at: isoTime(0),
    ...{ version: null, renewAt: null, suggestion: null, askAgainAt: null },
    ...{ failures: 0, nextAttemptAt: null, way, lastError: null, settings },
  };
}

function isSame(suggestion: Renewal['suggestion'], { startMs, endMs }: RenewalWindow): boolean {
  return (
    suggestion !== null && Date.parse(suggestion.start) === startMs && Date.parse(suggestion.end) === endMs
  );
}

function timeOf(text: string | null, otherwise: number): number {
  return text === null ? otherwise : Date.parse(text);
}

/** What is beyond the calendar is as good as its end. */
function isoTime(atMs: number): string {
  return new Date(Math.min(Math.max(atMs, 0), 253_402_300_799_000)).toISOString();
}
