import type { Clock } from '../../src/base/clock.ts';
import type {
  Dial,
  DialFailure,
  DialHandlers,
  Dialing,
  Endpoint,
  PeerAddress,
} from '../../src/base/transport.ts';
import { type MemoryTransport, memoryPair } from '../../src/transport/memory-transport.ts';
import { Actor, type Script } from './actor.ts';
import { type BackendPlan, backendPlan, type ClientPlan, type DialOutcome, type Plan } from './plan.ts';

/** Told what happens, when somebody wants to read it. */
export type Trace = (who: string, what: string) => void;

const proxyAddress = '192.0.2.100';

/** Everything outside of the proxy: clients, backends, and the wires between. */
export class Network {
  readonly #clock: Clock;
  readonly #plan: Plan;
  readonly #trace: Trace | null;
  /** Who is at the other end of each of the proxy's transports. */
  readonly actors = new Map<MemoryTransport, Actor>();
  /** The proxy's ends, of accepted and of dialled connections. */
  readonly accepted: MemoryTransport[] = [];
  readonly dialled: MemoryTransport[] = [];
  readonly outcomes: DialOutcome[] = [];
  #dials = 0;
  /** Dials that are neither answered nor aborted. */
  dialing = 0;

  constructor(clock: Clock, plan: Plan, trace: Trace | null) {
    this.#clock = clock;
    this.#plan = plan;
    this.#trace = trace;
  }

  /** A client arrives: the proxy's end of its connection. */
  connect(plan: ClientPlan): { actor: Actor; transport: MemoryTransport } {
    const actor = new Actor(plan.name, plan.script, this.#clock, this.#trace);
    const local = { ip: proxyAddress, port: plan.localPort };
    const transport = this.#join(actor, local, { ip: plan.ip, port: plan.port });
    this.accepted.push(transport);
    return { actor, transport };
  }

  readonly dial: Dial = (endpoint, handlers) => {
    const number = this.#dials++;
    const plan = backendPlan(this.#plan, number);
    this.outcomes.push(plan.outcome);
    return this.#answer(`backend ${number} (${hostOf(endpoint)})`, plan, handlers);
  };

  #answer(name: string, plan: BackendPlan, handlers: DialHandlers): Dialing {
    let aborted = false;
    let answered = false;
    this.dialing++;
    this.#trace?.(name, `dialled, will ${plan.outcome} in ${plan.delayMs} ms`);
    const settle = (): void => {
      if (aborted && !(plan.late && plan.outcome === 'accept')) return;
      if (!aborted) this.dialing--;
      answered = true;
      if (plan.outcome === 'accept') handlers.onConnected(this.#accept(name, plan.script));
      else handlers.onFailed(failures[plan.outcome as keyof typeof failures]);
    };
    if (plan.outcome !== 'hang') this.#clock.setTimer(plan.delayMs, settle);
    return {
      abort: () => {
        if (!aborted && !answered) this.dialing--;
        aborted = true;
      },
    };
  }

  #accept(name: string, script: Script): MemoryTransport {
    const actor = new Actor(name, script, this.#clock, this.#trace);
    const transport = this.#join(
      actor,
      { ip: proxyAddress, port: 50_000 },
      { ip: '203.0.113.1', port: 9000 },
    );
    this.dialled.push(transport);
    return transport;
  }

  #join(actor: Actor, local: PeerAddress, peer: PeerAddress): MemoryTransport {
    const { latencyMs } = this.#plan.network;
    const clock = this.#clock;
    const latency = latencyMs === 0 ? () => 0 : () => Math.floor(clock.random() * (latencyMs + 1));
    const trace = this.#trace;
    const [near, far] = memoryPair({
      ...this.#plan.network,
      clock,
      latency,
      addresses: [peer, local],
      ...(trace === null
        ? {}
        : {
            trace: (end, what, count) =>
              trace(
                end === near ? actor.name : `proxy to ${actor.name}`,
                count === undefined ? what : `${what} ${count}`,
              ),
          }),
    });
    actor.connect(near, far);
    this.actors.set(far, actor);
    return far;
  }
}

function hostOf(endpoint: Endpoint): string {
  return 'socket' in endpoint ? endpoint.socket : endpoint.host;
}

function failure(reason: DialFailure['reason'], code: string): DialFailure {
  return { reason, error: Object.assign(new Error(`simulated ${code}`), { code }) };
}

const failures = {
  refuse: failure('connect-refused', 'ECONNREFUSED'),
  unreachable: failure('connect-unreachable', 'EHOSTUNREACH'),
  'no-name': failure('dns-failed', 'ENOTFOUND'),
  hang: failure('target-timed-out', 'ETIMEDOUT'),
};
