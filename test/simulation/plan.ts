import type { Choices } from './random.ts';

export type DialOutcome = 'accept' | 'refuse' | 'hang' | 'unreachable' | 'no-name';

/** How one dial comes out. */
export interface DialPlan {
  readonly outcome: DialOutcome;
  readonly delayMs: number;
  /** It is accepted even if it was aborted before, against the contract. */
  readonly late: boolean;
}

/** What whoever runs a proxy does, and when. `kill`: its process is gone, and its kernel resets everything. */
export interface OperatorPlan {
  readonly atMs: number;
  readonly what: 'terminate' | 'reload' | 'audit' | 'vanish' | 'stop' | 'kill';
  /** Which of the proxies; default: the first. */
  readonly whom?: string;
}

export interface NetworkPlan {
  readonly latencyMs: number;
  readonly windowBytes: number;
  readonly segmentBytes: number;
  readonly readBytes: number;
  readonly highWaterBytes: number;
  readonly lendShare: number;
  readonly resetDropsUnread: boolean;
  /** What is due at the same moment happens in any order. */
  readonly shuffle: boolean;
  /** The share of dials that still come after they were aborted, against the contract. */
  readonly lateShare: number;
}

/** What every plan of a world has: all of it drawn before anything happens. */
export interface Plan {
  readonly seed: number;
  readonly clients: readonly { readonly name: string }[];
  readonly operator: readonly OperatorPlan[];
  readonly network: NetworkPlan;
  /** When the proxies are stopped at the latest. */
  readonly horizonMs: number;
}

/** Longer than Node's longest timer: must never fire at once (L14). */
export const beyondTimers = 2 ** 33;

export function networkPlan(choices: Choices): NetworkPlan {
  return {
    latencyMs: choices.of([0, 1, 5, 40]),
    windowBytes: choices.of([64, 512, 4_096, 65_536]),
    segmentBytes: choices.of([0, 0, 40, 400]),
    readBytes: choices.of([48, 256, 65_536]),
    highWaterBytes: choices.of([1, 1, 200, 2_000]),
    lendShare: choices.of([0, 0.5, 1]),
    resetDropsUnread: choices.chance(0.3),
    shuffle: choices.chance(0.5),
    lateShare: choices.of([0, 0, 0.5]),
  };
}

export function dialPlan(choices: Choices, network: NetworkPlan): DialPlan {
  return {
    outcome: choices.weighted({ accept: 16, refuse: 2, hang: 1, unreachable: 0.5, 'no-name': 0.5 }),
    delayMs: choices.of([0, 0, choices.between(0, 10), choices.between(0, 300)]),
    late: choices.chance(network.lateShare),
  };
}

export function operatorPlan(choices: Choices, horizonMs: number, whom?: string): OperatorPlan[] {
  const plan: OperatorPlan[] = [];
  const add = (share: number, what: OperatorPlan['what']): void => {
    if (!choices.chance(share)) return;
    const atMs = choices.of([choices.between(0, 100), choices.between(0, horizonMs)]);
    plan.push({ atMs, what, ...(whom !== undefined && { whom }) });
  };
  add(0.15, 'terminate');
  add(0.1, 'reload');
  add(0.3, 'audit');
  add(0.04, 'vanish');
  add(0.15, 'stop');
  return plan;
}

/** The same world without some of its actors: for finding the smallest that still fails. */
export function without<P extends Plan>(plan: P, part: { client?: number; operator?: number }): P {
  return {
    ...plan,
    clients: plan.clients.filter((_, index) => index !== part.client),
    operator: plan.operator.filter((_, index) => index !== part.operator),
  };
}
