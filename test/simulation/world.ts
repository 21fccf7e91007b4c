import type { Logger } from '../../src/base/logger.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { checkAtTheEnd } from './invariants.ts';
import { exceededLimit } from './limit-invariants.ts';
import { Network, type Trace } from './network.ts';
import { findOverdue } from './overdue.ts';
import { type ClientPlan, needsEventLoop, type OperatorPlan, type Plan } from './plan.ts';
import { SimulatedProxy } from './proxy.ts';
import { ProxyClock } from './proxy-clock.ts';
import { Witness } from './witness.ts';

/** After its stop the proxy has this long, in virtual ms; peers too. */
const afterStopMs = 10_000;

/** More than any plan needs, but for the audit's sweeps: something goes round in circles. */
const maxCallbacks = 100_000;

/** One run of one plan. */
export class World {
  readonly plan: Plan;
  readonly clock: VirtualClock;
  readonly proxyClock: ProxyClock;
  readonly network: Network;
  readonly proxy: SimulatedProxy;
  readonly witness: Witness;
  /** The plan of each client that arrived, by the address that it came from. */
  readonly arrivals = new Map<object, ClientPlan>();
  readonly problems: string[] = [];
  readonly lines: string[] = [];
  readonly #traced: boolean;
  /** Records whose sockets went away without a word before anything else ended them, and when. */
  readonly vanished = new Map<ConnectionRecord, number>();
  terminated = 0;
  reloaded = 0;

  constructor(plan: Plan, options: { trace?: boolean } = {}) {
    this.plan = plan;
    this.#traced = options.trace === true;
    this.clock = new VirtualClock({ seed: plan.seed, shuffle: plan.network.shuffle });
    this.proxyClock = new ProxyClock(this.clock);
    this.network = new Network(this.clock, plan, this.#traced ? this.#trace : null);
    this.witness = new Witness(
      () => this.clock.now(),
      this.#trace,
      (record) => exceededLimit(this, record),
    );
    this.proxy = new SimulatedProxy(plan, {
      clock: this.proxyClock,
      log: this.#logger(),
      dial: this.network.dial,
      sockets: () => this.network.accepted.reduce((sum, end) => sum + (end.closed ? 0 : 1), 0),
      observer: this.witness,
    });
    this.witness.watch(this.proxy.manager);
    for (const client of plan.clients) this.clock.setTimer(client.connectAtMs, () => this.#arrive(client));
    for (const act of plan.operator) this.clock.setTimer(act.atMs, () => this.#operate(act));
    this.clock.setTimer(plan.horizonMs, () => this.#stop());
  }

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
    const most = maxCallbacks + this.plan.horizonMs / 1_000;
    if (this.clock.executed > most) throw new Error(`no rest after ${most} callbacks`);
    return (this.clock.nextDueAt ?? Number.POSITIVE_INFINITY) <= this.#endAt;
  }

  /** Whether users' streams and promises take part. */
  get needsEventLoop(): boolean {
    return needsEventLoop(this.plan);
  }

  get #endAt(): number {
    const { shutdownGraceMs, cleanupGraceMs } = this.plan.timeouts;
    return this.plan.horizonMs + shutdownGraceMs + cleanupGraceMs + afterStopMs;
  }

  #conclude(): string[] {
    if (this.problems.length === 0) checkAtTheEnd(this);
    return [...this.problems, ...this.witness.problems];
  }

  #threw(error: unknown): void {
    this.problems.push(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
  }

  #arrive(plan: ClientPlan): void {
    const { transport } = this.network.connect(plan);
    this.arrivals.set(transport, plan);
    if (this.proxy.stopped) transport.reset();
    else this.proxy.accept(transport, plan.localPort);
  }

  #operate(act: OperatorPlan): void {
    if (this.proxy.stopped) return;
    this.#trace('operator', act.what);
    switch (act.what) {
      case 'terminate':
        this.terminated++;
        this.proxy.terminateOne();
        break;
      case 'reload':
        this.reloaded++;
        this.proxy.reload();
        break;
      case 'audit':
        this.proxy.audit.sweep();
        break;
      case 'vanish':
        this.#vanish();
        break;
      case 'stop':
        this.#stop();
    }
  }

  /** Both sockets of one connection go away, and nobody is told (L12). */
  #vanish(): void {
    const record = this.proxy.manager.live().find(({ target }) => target !== null);
    if (record === undefined) return;
    if (!record.ending) this.vanished.set(record, this.clock.now());
    for (const end of [record.client, record.target]) {
      const transport = [...this.network.actors.keys()].find((known) => known === end);
      transport?.vanish();
    }
    this.proxy.audit.sweep();
  }

  #stop(): void {
    if (this.proxy.stopping) return;
    this.problems.push(...findOverdue(this));
    this.#trace('operator', 'stops');
    this.proxy.stop();
  }

  #logger(): Logger {
    const line = (level: string) => (event: string, fields?: Record<string, unknown>) => {
      if (level === 'error' && event !== 'connection-orphaned') {
        this.problems.push(`logged ${event} ${JSON.stringify(fields)}`);
      }
      if (this.#traced) this.#trace('log', `${level} ${event} ${JSON.stringify(fields ?? {})}`);
    };
    return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  }

  readonly #trace: Trace = (who, what) => {
    if (this.#traced) this.lines.push(`${this.clock.now().toString().padStart(8)} ${who}: ${what}`);
  };
}
