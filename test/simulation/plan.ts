import type { Script } from './actor.ts';
import { Choices } from './random.ts';
import { ports } from './routes.ts';
import { backendScript, clientScript, type Opening } from './scripts.ts';

export interface ClientPlan {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly localPort: number;
  readonly connectAtMs: number;
  readonly opening: Opening;
  readonly script: Script;
}

export type DialOutcome = 'accept' | 'refuse' | 'hang' | 'unreachable' | 'no-name';

/** How one dial comes out, and what the backend then does. */
export interface BackendPlan {
  readonly outcome: DialOutcome;
  readonly delayMs: number;
  /** It is accepted even if it was aborted before, against the contract. */
  readonly late: boolean;
  readonly script: Script;
}

/** What whoever runs the proxy does, and when. */
export interface OperatorPlan {
  readonly atMs: number;
  readonly what: 'terminate' | 'reload' | 'audit' | 'vanish' | 'stop';
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

export interface TimeoutPlan {
  readonly initialDataMs: number;
  readonly connectMs: number;
  readonly inactivityMs: number;
  readonly halfCloseMs: number;
  readonly stalledWriteMs: number;
  readonly maxLifetimeMs: number;
  readonly cleanupGraceMs: number;
  readonly shutdownGraceMs: number;
}

export interface LimitPlan {
  readonly maxConnections: number;
  readonly maxConnectionsPerIp: number;
  readonly connectionsPerMinutePerIp: number;
  readonly initialDataBytes: number;
  readonly pendingBytesPerConnection: number;
}

/** A whole world, before anything happens. */
export interface Plan {
  readonly seed: number;
  readonly clients: readonly ClientPlan[];
  /** In the order of the dials; those beyond are drawn from the seed. */
  readonly backends: readonly BackendPlan[];
  readonly operator: readonly OperatorPlan[];
  readonly network: NetworkPlan;
  readonly timeouts: TimeoutPlan;
  readonly limits: LimitPlan;
  /** When the proxy is stopped at the latest. */
  readonly horizonMs: number;
}

/** Longer than Node's longest timer: must never fire at once (L14). */
const beyondTimers = 2 ** 33;

export function makePlan(seed: number): Plan {
  const choices = new Choices(seed);
  const limits = limitPlan(choices);
  const horizonMs = choices.of([3_000, 30_000]);
  const clients = Array.from({ length: choices.of([1, 1, 2, 2, 3, 4, 7]) }, (_, index) =>
    clientPlan(choices, index, limits),
  );
  return {
    seed,
    clients,
    backends: [],
    operator: operatorPlan(choices, horizonMs),
    network: networkPlan(choices),
    timeouts: timeoutPlan(choices),
    limits,
    horizonMs,
  };
}

function clientPlan(choices: Choices, index: number, limits: LimitPlan): ClientPlan {
  const behindProxy = choices.chance(0.25);
  const port = 40_000 + 100 * index + choices.between(0, 99);
  const localPort =
    ports[
      choices.weighted({
        plain: 5,
        names: 5,
        mixed: 4,
        spread: 4,
        block: 1,
        handler: 0.3,
        computed: 1,
        awaited: 0.6,
      })
    ];
  const { opening, script } = clientScript(choices, { behindProxy, localPort, port, limits });
  return {
    name: `client ${index}`,
    ip: behindProxy ? `10.9.0.${choices.between(1, 2)}` : `192.0.2.${choices.between(1, 3)}`,
    port,
    localPort,
    connectAtMs: choices.of([0, 0, choices.between(0, 50), choices.between(0, 1_000)]),
    opening,
    script,
  };
}

/** The backend of the dial with this number, the same for a seed whatever else happens. */
export function backendPlan(plan: Plan, dialNumber: number): BackendPlan {
  const scripted = plan.backends[dialNumber];
  if (scripted !== undefined) return scripted;
  const choices = new Choices(plan.seed * 31 + dialNumber * 7_919 + 1);
  return {
    outcome: choices.weighted({ accept: 16, refuse: 2, hang: 1, unreachable: 0.5, 'no-name': 0.5 }),
    delayMs: choices.of([0, 0, choices.between(0, 10), choices.between(0, 300)]),
    late: choices.chance(plan.network.lateShare),
    script: backendScript(choices),
  };
}

function operatorPlan(choices: Choices, horizonMs: number): OperatorPlan[] {
  const plan: OperatorPlan[] = [];
  const within = (): number => choices.of([choices.between(0, 100), choices.between(0, horizonMs)]);
  if (choices.chance(0.15)) plan.push({ atMs: within(), what: 'terminate' });
  if (choices.chance(0.1)) plan.push({ atMs: within(), what: 'reload' });
  if (choices.chance(0.3)) plan.push({ atMs: within(), what: 'audit' });
  if (choices.chance(0.04)) plan.push({ atMs: within(), what: 'vanish' });
  if (choices.chance(0.15)) plan.push({ atMs: within(), what: 'stop' });
  return plan;
}

function networkPlan(choices: Choices): NetworkPlan {
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

function timeoutPlan(choices: Choices): TimeoutPlan {
  return {
    initialDataMs: choices.of([30, 200, 1_000, 15_000]),
    connectMs: choices.of([20, 100, 1_000, 5_000]),
    inactivityMs: choices.of([0, 100, 1_000, 3_600_000, beyondTimers]),
    halfCloseMs: choices.of([0, 60, 500, 300_000, beyondTimers]),
    stalledWriteMs: choices.of([0, 80, 400, 300_000]),
    maxLifetimeMs: choices.of([0, 0, 0, 100, 1_500, beyondTimers]),
    cleanupGraceMs: choices.of([0, 10, 200, 2_000]),
    shutdownGraceMs: choices.of([0, 100, 2_000]),
  };
}

function limitPlan(choices: Choices): LimitPlan {
  return {
    maxConnections: choices.of([0, 0, 100, 2]),
    maxConnectionsPerIp: choices.of([0, 0, 1, 2]),
    connectionsPerMinutePerIp: choices.of([0, 0, 0, 2]),
    initialDataBytes: choices.of([300, 2_000, 65_536]),
    pendingBytesPerConnection: choices.of([100, 1_000, 1_048_576]),
  };
}

/** Whether users' streams and promises take part. */
export function needsEventLoop(plan: Plan): boolean {
  return plan.clients.some(({ localPort }) => localPort === ports.handler || localPort === ports.awaited);
}

/** The same world without some of its actors: for finding the smallest that still fails. */
export function without(plan: Plan, part: { client?: number; operator?: number }): Plan {
  return {
    ...plan,
    clients: plan.clients.filter((_, index) => index !== part.client),
    operator: plan.operator.filter((_, index) => index !== part.operator),
  };
}
