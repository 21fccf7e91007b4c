import type { Clock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/logger.ts';
import type { Dial, DialHandlers, Transport } from '../../src/base/transport.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import { exceededLimit } from './limit-invariants.ts';
import type { Trace } from './peer.ts';
import type { OperatorPlan } from './plan.ts';
import { type ProxyPlan, SimulatedProxy } from './proxy.ts';
import { ProxyClock } from './proxy-clock.ts';
import { type Story, Witness } from './witness.ts';

/** What a process is given by its world. */
export interface Surroundings {
  readonly clock: Clock;
  readonly log: Logger;
  readonly dial: Dial;
  readonly trace: Trace;
  /** Told what is wrong. */
  readonly say: (problem: string) => void;
  /** What is wrong when the process is stopped: a deadline should have ended something by now. */
  readonly overdue: (process: Process) => string[];
  /** What is wrong when the first cause of an ending strikes. */
  readonly atCause?: (process: Process, story: Story) => string | null;
  /** What is wrong once it has begun to stop. */
  readonly draining?: (process: Process) => string[];
}

/** One proxy of a world, as its operating system has it: its sockets, its timers, and who watches it. */
export class Process {
  readonly plan: ProxyPlan;
  readonly clock: ProxyClock;
  readonly proxy: SimulatedProxy;
  readonly witness: Witness;
  /** Its ends of connections. */
  readonly accepted: MemoryTransport[] = [];
  readonly dialled: MemoryTransport[] = [];
  /** Records whose sockets went away without a word before anything else ended them, and when. */
  readonly vanished = new Map<ConnectionRecord, number>();
  terminated = 0;
  /** When routes were first taken away by a reload; null: never. */
  reloadedAt: number | null = null;
  killed = false;
  readonly #surroundings: Surroundings;

  constructor(plan: ProxyPlan, surroundings: Surroundings) {
    const { clock, trace, log } = surroundings;
    this.plan = plan;
    this.#surroundings = surroundings;
    this.clock = new ProxyClock(clock);
    this.witness = new Witness(() => clock.now(), trace, {
      move: (record) => exceededLimit(this, record),
      cause: (story) => surroundings.atCause?.(this, story) ?? null,
    });
    this.proxy = new SimulatedProxy(plan, {
      clock: this.clock,
      log,
      dial: (endpoint, handlers) => surroundings.dial(endpoint, this.#remembering(handlers)),
      sockets: () => this.accepted.reduce((sum, end) => sum + (end.closed ? 0 : 1), 0),
      observer: this.witness,
      settled: () => this.#checkRest(),
    });
    this.witness.watch(this.proxy.manager);
    const { bridge } = this.proxy.side;
    if (bridge !== null) this.witness.watchBridge(bridge);
  }

  #remembering({ onConnected, onFailed }: DialHandlers): DialHandlers {
    return {
      onConnected: (transport) => {
        if (this.killed) return transport.reset();
        this.dialled.push(transport as MemoryTransport);
        onConnected(transport);
      },
      onFailed: (failure) => {
        if (!this.killed) onFailed(failure);
      },
    };
  }

  /** A connection comes to one of its listeners. */
  take(transport: MemoryTransport, accept: (proxy: SimulatedProxy, transport: Transport) => void): void {
    if (this.proxy.stopped || this.killed) return transport.reset();
    this.accepted.push(transport);
    accept(this.proxy, transport);
  }

  /** When what uses the removed routes should have ended. */
  get removalDueAt(): number {
    return (this.reloadedAt ?? Number.POSITIVE_INFINITY) + this.plan.timeouts.shutdownGraceMs;
  }

  /** Requests of a route that is gone get its grace, and no more. */
  readonly #checkRemoval = (): void => {
    if (this.proxy.stopping || this.killed) return;
    const kept = new Set(this.plan.reloadedRoutes().map(({ name }) => name));
    for (const route of this.proxy.side.routesInUse())
      if (!kept.has(route)) this.#surroundings.say(`requests outlive their route "${route}"`);
  };

  operate({ what }: OperatorPlan): void {
    if (this.proxy.stopped || this.killed) return;
    this.#surroundings.trace('operator', what);
    switch (what) {
      case 'terminate':
        this.terminated++;
        this.proxy.terminateOne();
        break;
      case 'reload':
        this.reloadedAt ??= this.clock.now();
        this.proxy.reload();
        this.#surroundings.clock.setTimer(this.plan.timeouts.shutdownGraceMs + 1, this.#checkRemoval);
        break;
      case 'audit':
        this.proxy.audit.sweep();
        break;
      case 'vanish':
        this.#vanish();
        break;
      case 'stop':
        this.stop();
        break;
      case 'kill':
        this.#kill();
    }
  }

  /** Both sockets of one connection go away, and nobody is told (L12). */
  #vanish(): void {
    const live = this.proxy.manager.live();
    const record = live[Math.floor(this.#surroundings.clock.random() * live.length)];
    if (record === undefined) return;
    if (!record.ending) this.vanished.set(record, this.#surroundings.clock.now());
    for (const transport of [...this.accepted, ...this.dialled])
      if (transport === record.client || transport === record.target) transport.vanish();
    this.proxy.audit.sweep();
  }

  /** Nothing of it runs any more; its kernel resets what was open. */
  #kill(): void {
    this.killed = true;
    this.clock.kill();
    for (const transport of [...this.accepted, ...this.dialled]) transport.vanish();
  }

  stop(): void {
    if (this.proxy.stopping || this.killed) return;
    for (const problem of this.#surroundings.overdue(this)) this.#surroundings.say(problem);
    this.#surroundings.trace('operator', 'stops');
    this.proxy.stop();
    for (const problem of this.#surroundings.draining?.(this) ?? []) this.#surroundings.say(problem);
  }

  /** Everything has ended: whatever still waits in this process would wait for ever. */
  #checkRest(): void {
    const { pending } = this.clock;
    if (pending > 0) this.#surroundings.say(`${pending} timers are left at rest`);
  }
}
