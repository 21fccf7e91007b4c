import type { Clock } from '../../src/base/clock.ts';
import type { DialFailure, DialHandlers, Dialing, PeerAddress } from '../../src/base/transport.ts';
import { type MemoryTransport, memoryPair } from '../../src/transport/memory-transport.ts';
import type { Peer, Trace } from './peer.ts';
import type { DialOutcome, DialPlan, NetworkPlan } from './plan.ts';

/** Hears what happens at one end of a connection, before the end's own listener does. */
export interface EndObserver {
  read(): void;
  /** A FIN was read. */
  ended(): void;
  closed(): void;
}

/** Everything between the peers and the proxies of a world. */
export class Network {
  readonly #clock: Clock;
  readonly #plan: NetworkPlan;
  readonly #trace: Trace | null;
  /** Who is at the other end of each transport of a proxy. */
  readonly peers = new Map<MemoryTransport, Peer>();
  /** The proxies' ends of the connections that they dialled. */
  readonly dialled: MemoryTransport[] = [];
  readonly outcomes: DialOutcome[] = [];
  /** Who wants to know what happens at an end. */
  readonly #watching = new Map<MemoryTransport, EndObserver>();
  /** Where the dials go that are neither answered nor aborted. */
  readonly #dialing = new Set<{ readonly to: string }>();

  constructor(clock: Clock, plan: NetworkPlan, trace: Trace | null) {
    this.#clock = clock;
    this.#plan = plan;
    this.#trace = trace;
  }

  /** Joins a peer to a proxy, which gets the end that is returned. */
  join(peer: Peer, addresses: { proxy: PeerAddress; peer: PeerAddress }): MemoryTransport {
    const names = [peer.name, `proxy to ${peer.name}`] as const;
    const [near, far] = this.pair(names, [addresses.peer, addresses.proxy]);
    peer.connect(near, far);
    this.peers.set(far, peer);
    return far;
  }

  /** Two ends that are joined, each with its name in traces and its address. */
  pair(
    names: readonly [string, string],
    addresses: readonly [PeerAddress, PeerAddress],
  ): [MemoryTransport, MemoryTransport] {
    const { latencyMs } = this.#plan;
    const clock = this.#clock;
    const latency = latencyMs === 0 ? () => 0 : () => Math.floor(clock.random() * (latencyMs + 1));
    const tell = this.#trace;
    const trace = (end: MemoryTransport, what: string, count?: number): void => {
      tell?.(names[end === ends[0] ? 0 : 1], count === undefined ? what : `${what} ${count}`);
      if (what === 'closed') this.#watching.get(end)?.closed();
      else if (what === 'read') this.#watching.get(end)?.read();
      else if (what === 'fin read') this.#watching.get(end)?.ended();
    };
    const ends = memoryPair({ ...this.#plan, clock, latency, addresses, trace });
    return ends;
  }

  /** Beside the transport's own listener. */
  watch(end: MemoryTransport, observer: EndObserver): void {
    this.#watching.set(end, observer);
  }

  /** One dial, which `accept` completes. */
  dial(
    dial: { readonly name: string; readonly to: string; readonly plan: DialPlan },
    handlers: DialHandlers,
    accept: () => MemoryTransport,
  ): Dialing {
    const { outcome, delayMs, late } = dial.plan;
    this.outcomes.push(outcome);
    this.#dialing.add(dial);
    this.#trace?.(dial.name, `dialled, will ${outcome} in ${delayMs} ms`);
    const settle = (): void => {
      const aborted = !this.#dialing.delete(dial);
      if (aborted && !(late && outcome === 'accept')) return;
      if (outcome !== 'accept') return handlers.onFailed(failures[outcome as keyof typeof failures]);
      const transport = accept();
      this.dialled.push(transport);
      handlers.onConnected(transport);
    };
    if (outcome !== 'hang') this.#clock.setTimer(delayMs, settle);
    return { abort: () => void this.#dialing.delete(dial) };
  }

  get dialing(): number {
    return this.#dialing.size;
  }

  dialingTo(to: string): number {
    return [...this.#dialing].filter((dial) => dial.to === to).length;
  }
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
