import type { Clock } from '../../src/base/clock.ts';
import type { DialFailure, DialHandlers, Dialing, PeerAddress } from '../../src/base/transport.ts';
import { type MemoryTransport, memoryPair } from '../../src/transport/memory-transport.ts';
import type { Peer, Trace } from './peer.ts';
import type { DialOutcome, DialPlan, NetworkPlan } from './plan.ts';

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
  /** Dials that are neither answered nor aborted. */
  dialing = 0;

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
    const trace = (end: MemoryTransport, what: string, count?: number): void =>
      tell?.(names[end === ends[0] ? 0 : 1], count === undefined ? what : `${what} ${count}`);
    const ends = memoryPair({ ...this.#plan, clock, latency, addresses, ...(tell !== null && { trace }) });
    return ends;
  }

  /** One dial, which `accept` completes. */
  dial(name: string, plan: DialPlan, handlers: DialHandlers, accept: () => MemoryTransport): Dialing {
    let aborted = false;
    let answered = false;
    this.outcomes.push(plan.outcome);
    this.dialing++;
    this.#trace?.(name, `dialled, will ${plan.outcome} in ${plan.delayMs} ms`);
    const settle = (): void => {
      if (aborted && !(plan.late && plan.outcome === 'accept')) return;
      if (!aborted) this.dialing--;
      answered = true;
      if (plan.outcome !== 'accept')
        return handlers.onFailed(failures[plan.outcome as keyof typeof failures]);
      const transport = accept();
      this.dialled.push(transport);
      handlers.onConnected(transport);
    };
    if (plan.outcome !== 'hang') this.#clock.setTimer(plan.delayMs, settle);
    return {
      abort: () => {
        if (!aborted && !answered) this.dialing--;
        aborted = true;
      },
    };
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
