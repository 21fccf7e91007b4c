import type { Dial } from '../../../src/base/transport.ts';
import { Process } from '../process.ts';
import type { SimulatedProxy } from '../proxy.ts';
import type { Witness } from '../witness.ts';
import { World, type WorldOptions } from '../world.ts';
import { Actor } from './actor.ts';
import { checkAtTheEnd } from './invariants.ts';
import { findOverdue } from './overdue.ts';
import { backendPlan, type ClientPlan, type TcpPlan } from './plan.ts';
import { needsEventLoop, proxyPlan } from './routes.ts';

const proxyAddress = '192.0.2.100';

/** One proxy that passes bytes on, between scripted clients and scripted backends. */
export class TcpWorld extends World {
  readonly plan: TcpPlan;
  readonly process: Process;
  readonly processes: readonly Process[];
  readonly proxy: SimulatedProxy;
  readonly witness: Witness;
  readonly needsEventLoop: boolean;
  /** The plan of each client that arrived, by the proxy's end of its connection. */
  readonly arrivals = new Map<object, ClientPlan>();
  #dials = 0;

  constructor(plan: TcpPlan, options: WorldOptions = {}) {
    super(plan, options);
    this.plan = plan;
    this.needsEventLoop = needsEventLoop(plan);
    this.process = new Process(proxyPlan(plan), {
      clock: this.clock,
      log: this.logger(),
      dial: this.#dial,
      trace: this.trace,
      say: this.say,
      overdue: () => findOverdue(this),
    });
    this.processes = [this.process];
    this.proxy = this.process.proxy;
    this.witness = this.process.witness;
    for (const client of plan.clients) this.clock.setTimer(client.connectAtMs, () => this.#arrive(client));
    for (const act of plan.operator) this.clock.setTimer(act.atMs, () => this.process.operate(act));
    this.clock.setTimer(plan.horizonMs, () => this.process.stop());
  }

  readonly #dial: Dial = (endpoint, handlers) => {
    const number = this.#dials++;
    const plan = backendPlan(this.plan, number);
    const to = 'socket' in endpoint ? endpoint.socket : endpoint.host;
    const name = `backend ${number} (${to})`;
    return this.network.dial({ name, to, plan }, handlers, () => {
      const actor = new Actor(name, plan.script, this.clock, this.tracer);
      return this.network.join(actor, {
        proxy: { ip: proxyAddress, port: 50_000 },
        peer: { ip: '203.0.113.1', port: 9000 },
      });
    });
  };

  #arrive(plan: ClientPlan): void {
    const actor = new Actor(plan.name, plan.script, this.clock, this.tracer);
    const transport = this.network.join(actor, {
      proxy: { ip: proxyAddress, port: plan.localPort },
      peer: { ip: plan.ip, port: plan.port },
    });
    this.arrivals.set(transport, plan);
    this.process.take(transport, (proxy) => proxy.accept(transport, plan.localPort));
  }

  protected override check(): void {
    checkAtTheEnd(this);
  }
}
