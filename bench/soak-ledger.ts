/** What became of everything that the clients of the soak tried. */

/** `aborted`: the client left on purpose. Anything else throws. */
export type Outcome = 'done' | 'aborted';

export interface Tally {
  done: number;
  aborted: number;
  /** Failed while the backend was down, or was killed under it. */
  explained: number;
  unexplained: number;
}

/** Beyond this an attempt has hung. */
const deadlineMs = 60_000;
const keptFailures = 5;
/** After the backend is back. */
const noticedWithinMs = 2_000;

export class Ledger {
  readonly tallies = new Map<string, Tally>();
  /** The first failures of each kind that nothing explains. */
  readonly failures: string[] = [];
  /** TCP connections that clients have seen open. */
  connected = 0;
  /** Connections of which nobody heard whether they were opened. */
  unheard = 0;
  readonly #outages: { from: number; to: number }[] = [];

  outageBegins(): void {
    this.#outages.push({ from: performance.now(), to: Number.POSITIVE_INFINITY });
  }

  outageEnds(): void {
    const last = this.#outages.at(-1);
    if (last) last.to = performance.now();
  }

  /** Never rejects: failures are entries too. */
  async attempt(kind: string, action: () => Promise<Outcome>): Promise<void> {
    const from = performance.now();
    const tally = this.#tallyOf(kind);
    try {
      tally[await withDeadline(action())]++;
    } catch (error) {
      if (this.#explains(from)) {
        tally.explained++;
        return;
      }
      tally.unexplained++;
      const tookMs = Math.round(performance.now() - from);
      const { message, code = '' } = error as NodeJS.ErrnoException;
      if (tally.unexplained <= keptFailures)
        this.failures.push(`${new Date().toISOString()} ${kind} after ${tookMs} ms: ${message} ${code}`);
    }
  }

  /** Whether an outage fell into the time since then, and was not over long ago: its victims learn of it at once. */
  #explains(from: number): boolean {
    const latest = performance.now() - noticedWithinMs;
    return this.#outages.some(({ to }) => to >= from && to >= latest);
  }

  get unexplained(): number {
    return [...this.tallies.values()].reduce((sum, { unexplained }) => sum + unexplained, 0);
  }

  #tallyOf(kind: string): Tally {
    const tally = this.tallies.get(kind) ?? { done: 0, aborted: 0, explained: 0, unexplained: 0 };
    this.tallies.set(kind, tally);
    return tally;
  }
}

async function withDeadline<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
