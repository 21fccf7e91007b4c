import type { ManagedCertificate } from './managed-certificate.ts';

/**
 * Certificates that are due, the most urgent first, a bounded number at once: authorities limit how
 * much is open, and a name whose proof hangs must not hold up the others.
 */
export class VisitQueue {
  readonly #maxVisits: number;
  readonly #visit: (managed: ManagedCertificate) => Promise<void>;
  readonly #visited: (managed: ManagedCertificate) => void;
  readonly #waiting = new Set<ManagedCertificate>();
  readonly #visiting = new Map<ManagedCertificate, Promise<void>>();
  readonly #settling = new Set<{ managed: ManagedCertificate; resolve: () => void }>();
  #closed = false;

  /**
   * @param visit never rejects
   * @param visited told when a visit is over, unless the queue was closed
   */
  constructor(
    maxVisits: number,
    visit: (managed: ManagedCertificate) => Promise<void>,
    visited: (managed: ManagedCertificate) => void,
  ) {
    this.#maxVisits = maxVisits;
    this.#visit = visit;
    this.#visited = visited;
  }

  /** Whether a visit is under way or waits. */
  has(managed: ManagedCertificate): boolean {
    return this.#waiting.has(managed) || this.#visiting.has(managed);
  }

  /** Idempotent. */
  add(managed: ManagedCertificate): void {
    if (this.#closed || this.has(managed)) return;
    this.#waiting.add(managed);
    this.#next();
  }

  /** Resolves when no visit of it is under way, or waits. */
  async settled(managed: ManagedCertificate): Promise<void> {
    if (!this.has(managed)) return;
    await new Promise<void>((resolve) => this.#settling.add({ managed, resolve }));
  }

  /** No visit begins any more. Resolves when those under way are over. */
  async close(): Promise<void> {
    this.#closed = true;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const managed of waiting) this.#settle(managed);
    await Promise.all(this.#visiting.values());
  }

  get closed(): boolean {
    return this.#closed;
  }

  #settle(managed: ManagedCertificate): void {
    for (const one of this.#settling) {
      if (one.managed !== managed) continue;
      this.#settling.delete(one);
      one.resolve();
    }
  }

  #next(): void {
    while (this.#visiting.size < this.#maxVisits && this.#waiting.size > 0) {
      const managed = mostUrgent(this.#waiting);
      this.#waiting.delete(managed);
      const visit = this.#visit(managed).finally(() => {
        this.#visiting.delete(managed);
        if (!this.#closed) this.#visited(managed);
        this.#settle(managed);
        if (!this.#closed) this.#next();
      });
      this.#visiting.set(managed, visit);
    }
  }
}

/** The first of equals came first. */
function mostUrgent(waiting: ReadonlySet<ManagedCertificate>): ManagedCertificate {
  let best: ManagedCertificate | null = null;
  for (const managed of waiting) if (best === null || managed.urgency < best.urgency) best = managed;
  return best as ManagedCertificate;
}
