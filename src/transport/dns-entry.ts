import type { Clock, Timer } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';

/** `system`: getaddrinfo, with /etc/hosts and nsswitch. `resolver`: A and AAAA queries, whose TTLs are honoured. */
export type DnsMode = 'system' | 'resolver';

export interface DnsListener {
  /**
   * Addresses, the preferred ones first. Comes again for what is found later (the other family)
   * until `last` is true; only the last call after an earlier one may bring none.
   */
  onAddresses(addresses: readonly string[], last: boolean): void;
  /** The name has no address, or nobody could tell. Nothing follows. */
  onFailed(error: Error): void;
}

export interface DnsQuery {
  /** Idempotent; the listener hears nothing more. */
  cancel(): void;
}

/** How long a failure is believed, so that a storm of connections asks once. */
export const failureTtlMs = 1_000;
/** How long after its expiry a good answer still serves while DNS is out of order (RFC 8767 §5). */
export const staleMs = 300_000;
/** With a stale answer at hand, nobody waits longer than this for a fresh one (RFC 8767 §5). */
export const staleAnswerMs = 1_800;

/**
 * What is known of one name, and who waits to know more. At most one lookup is under way, and
 * everybody who asks meanwhile shares it.
 */
export class DnsEntry {
  readonly host: string;
  readonly mode: DnsMode;
  readonly #clock: Clock;
  readonly #settled: () => void;
  readonly #listeners = new Set<DnsListener>();
  /** The last good answer; empty where there was none. */
  #addresses: readonly string[] = [];
  #expiresAt = Number.NEGATIVE_INFINITY;
  /** What the last lookup failed with; an answer until `#retryAt`. */
  #error: Error | null = null;
  #retryAt = Number.NEGATIVE_INFINITY;
  #pending = false;
  /** What the running lookup has found so far, and whether the listeners know it. */
  #found: readonly string[] = [];
  #foundTold = false;
  #tellTimer: Timer | undefined;
  #staleTimer: Timer | undefined;
  /** Takes the running lookup back, where that is possible. */
  cancelLookup: (() => void) | null = null;

  /** `settled` is called once for each `begin`. */
  constructor(clock: Clock, host: string, mode: DnsMode, settled: () => void) {
    this.#clock = clock;
    this.host = host;
    this.mode = mode;
    this.#settled = settled;
  }

  /** A lookup is under way. */
  get pending(): boolean {
    return this.#pending;
  }

  /** Can answer without a lookup; the answer may be a failure. */
  get fresh(): boolean {
    const now = this.#clock.now();
    return now < this.#expiresAt || now < this.#retryAt;
  }

  /** A good answer is known that may serve while DNS fails. */
  get #stale(): boolean {
    return this.#addresses.length > 0 && this.#clock.now() < this.#expiresAt + staleMs;
  }

  /** Whether anything is remembered that is worth its place in the cache. */
  get empty(): boolean {
    return this.#addresses.length === 0 && this.#error === null && !this.#pending;
  }

  begin(): void {
    this.#pending = true;
    this.#error = null;
    this.#found = [];
    this.#foundTold = false;
  }

  /** Answers at once where it can, else when the lookup ends. `abandoned`: the last listener left it. */
  listen(listener: DnsListener, abandoned: () => void): DnsQuery {
    if (!this.#pending) {
      this.#answerNow(listener);
      return nothingToCancel;
    }
    this.#listeners.add(listener);
    if (this.#foundTold) listener.onAddresses(this.#found, false);
    else if (this.#stale) this.#staleTimer ??= this.#clock.setTimer(staleAnswerMs, () => this.#tellStale());
    return {
      cancel: () => {
        if (this.#listeners.delete(listener) && this.#listeners.size === 0) abandoned();
      },
    };
  }

  /** Some addresses of several answers: told after `delayMs`, in which better ones may come. */
  answerPartly(addresses: readonly string[], delayMs: number): void {
    this.#found = addresses;
    if (delayMs === 0) this.#tellFound();
    else this.#tellTimer = this.#clock.setTimer(delayMs, () => this.#tellFound());
  }

  /** The rest; the better ones first, where nothing was told yet. */
  answer(addresses: readonly string[], ttlMs: number): void {
    this.#addresses = this.#foundTold ? [...this.#found, ...addresses] : [...addresses, ...this.#found];
    this.#expiresAt = this.#clock.now() + ttlMs;
    const rest = this.#foundTold ? addresses : this.#addresses;
    this.#settle((listener) => listener.onAddresses(rest, true));
  }

  fail(error: Error): void {
    // That a name does not exist is an answer; only the lack of an answer lets the old one live.
    if (isAuthoritative(error)) this.#addresses = [];
    this.#error = error;
    this.#retryAt = this.#clock.now() + failureTtlMs;
    this.#settle((listener) => this.#answerNow(listener));
  }

  /** Ends the lookup without an answer, for nobody waits for it any more. What was known before stays. */
  close(): void {
    this.#listeners.clear();
    this.cancelLookup?.();
    this.#settle(() => {});
  }

  #answerNow(listener: DnsListener): void {
    if (this.#addresses.length > 0 && (this.#error === null || this.#stale)) {
      listener.onAddresses(this.#addresses, true);
    } else {
      listener.onFailed(this.#error ?? new Error(`no address for ${this.host}`));
    }
  }

  #tellFound(): void {
    this.#foundTold = true;
    this.#stopTimers();
    for (const listener of [...this.#listeners]) listener.onAddresses(this.#found, false);
  }

  #tellStale(): void {
    this.#staleTimer = undefined;
    const waiting = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of waiting) listener.onAddresses(this.#addresses, true);
  }

  #settle(tell: (listener: DnsListener) => void): void {
    if (!this.#pending) return;
    this.#pending = false;
    this.cancelLookup = null;
    this.#stopTimers();
    this.#settled();
    const waiting = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of waiting) tell(listener);
  }

  #stopTimers(): void {
    this.#tellTimer?.cancel();
    this.#staleTimer?.cancel();
    this.#tellTimer = undefined;
    this.#staleTimer = undefined;
  }
}

const nothingToCancel: DnsQuery = { cancel() {} };

/** Whether the error says "there is none" rather than "nobody could tell". */
export function isAuthoritative(error: Error): boolean {
  const code = errorCode(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}
