import type { Logger } from '../../src/base/logger.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Network } from './network.ts';
import type { Trace } from './peer.ts';
import type { Plan } from './plan.ts';
import type { Process } from './process.ts';

/** After their stop the proxies have this long, in virtual ms; peers too. */
const afterStopMs = 10_000;

/** More than any plan needs, but for the audit's sweeps: something goes round in circles. */
const maxCallbacks = 150_000;

export interface WorldOptions {
  /** Writes down what happens. */
  readonly trace?: boolean;
}

/** One run of one plan: the clock, the wires, and whoever is joined by them. */
export abstract class World {
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly problems: string[] = [];
  readonly lines: string[] = [];
  abstract readonly processes: readonly Process[];
  /** Users' streams and promises take part. */
  abstract readonly needsEventLoop: boolean;
  readonly #traced: boolean;
  readonly #horizonMs: number;

  protected constructor(plan: Plan, options: WorldOptions) {
    this.#traced = options.trace === true;
    this.#horizonMs = plan.horizonMs;
    this.clock = new VirtualClock({ seed: plan.seed, shuffle: plan.network.shuffle });
    this.network = new Network(this.clock, plan.network, this.tracer);
  }

  /** What must hold at the end: adds to `problems`. */
  protected abstract check(): void;

  /** Runs to the end; what was wrong. Promises of users' functions settle only in `runAsync`. */
  run(): string[] {
    try {
      while (this.#goesOn()) this.clock.runNext();
    } catch (error) {
      this.#threw(error);
    }
    return this.#conclude();
  }

  /** The same with a turn of the real event loop after each step. */
  async runAsync(): Promise<string[]> {
    try {
      while (this.#goesOn()) {
        this.clock.runNext();
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      this.#threw(error);
    }
    return this.#conclude();
  }

  #goesOn(): boolean {
    const most = maxCallbacks + this.#horizonMs / 1_000;
    if (this.clock.executed > most) throw new Error(`no rest after ${most} callbacks`);
    return (this.clock.nextDueAt ?? Number.POSITIVE_INFINITY) <= this.#endAt;
  }

  get #endAt(): number {
    const longest = this.processes.map(({ plan: { timeouts, settleMs } }) => {
      return timeouts.shutdownGraceMs + timeouts.cleanupGraceMs + (settleMs ?? 0);
    });
    return this.#horizonMs + Math.max(...longest) + afterStopMs;
  }

  #conclude(): string[] {
    if (this.problems.length === 0) this.check();
    return [...this.problems, ...this.processes.flatMap(({ witness }) => witness.problems)];
  }

  #threw(error: unknown): void {
    this.problems.push(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
  }

  protected readonly say = (problem: string): void => void this.problems.push(problem);

  /** A proxy's log. An error there is a problem, but for what the audit heals. */
  protected logger(heard: (event: string, fields: Record<string, unknown>) => void = () => {}): Logger {
    const line = (level: string) => (event: string, fields?: Record<string, unknown>) => {
      if (level === 'error' && event !== 'connection-orphaned')
        this.say(`logged ${event} ${JSON.stringify(fields)}`);
      if (this.#traced) this.trace('log', `${level} ${event} ${JSON.stringify(fields ?? {})}`);
      heard(event, fields ?? {});
    };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }

  /** Null where nobody reads it. */
  protected get tracer(): Trace | null {
    return this.#traced ? this.trace : null;
  }

  protected readonly trace: Trace = (who, what) => {
    if (this.#traced) this.lines.push(`${this.clock.now().toString().padStart(8)} ${who}: ${what}`);
  };
}
