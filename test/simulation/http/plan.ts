import type { Limits, Timeouts } from '../../../src/config/resolved.ts';
import type { Deed } from '../peer.ts';
import { beyondTimers, type DialPlan, dialPlan, networkPlan, operatorPlan, type Plan } from '../plan.ts';
import { Choices } from '../random.ts';
import type { BackendPlan } from './backend.ts';
import { type ClientScript, clientScript } from './client-script.ts';

export interface HttpClientPlan {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly connectAtMs: number;
  readonly script: ClientScript;
}

/** Bounds of each pool. */
export interface PoolBounds {
  readonly maxConnections: number;
  readonly maxWaiting: number;
}

/** A world of HTTP. Backends are drawn as they are dialled, and their answers as they are asked. */
export interface HttpPlan extends Plan {
  readonly clients: readonly HttpClientPlan[];
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  readonly pools: PoolBounds;
  /** Routes with promises take part. */
  readonly awaits: boolean;
  /** The proxy waits until its pools are empty by themselves. */
  readonly settles: boolean;
}

export function makePlan(seed: number): HttpPlan {
  const choices = new Choices(seed);
  const horizonMs = choices.of([3_000, 30_000]);
  const timeouts = timeoutPlan(choices);
  const awaits = choices.chance(0.12);
  return {
    seed,
    clients: clientPlans(choices, awaits),
    operator: operatorPlan(choices, horizonMs),
    network: networkPlan(choices),
    timeouts,
    limits: limitPlan(choices),
    pools: {
      maxConnections: choices.of([1, 2, 3, 1_024]),
      maxWaiting: choices.of([0, 1, 4, 4_096]),
    },
    awaits,
    settles: timeouts.poolIdleMs > 0 && choices.chance(0.7),
    horizonMs,
  };
}

function clientPlans(choices: Choices, awaits: boolean): HttpClientPlan[] {
  return Array.from({ length: choices.of([1, 1, 2, 2, 3, 4, 6]) }, (_, index) => {
    const behindProxy = choices.chance(0.1);
    const port = 40_000 + 100 * index + choices.between(0, 99);
    return {
      name: `c${index}`,
      ip: behindProxy ? `10.9.0.${choices.between(1, 2)}` : `192.0.2.${choices.between(1, 3)}`,
      port,
      connectAtMs: choices.of([0, 0, choices.between(0, 50), choices.between(0, 1_000)]),
      script: clientScript(choices, `c${index}`, { behindProxy, port, awaits }),
    };
  });
}

/** The backend of the dial with this number. */
export function backendPlan(
  plan: Pick<Plan, 'seed' | 'network'>,
  dialNumber: number,
): BackendPlan & DialPlan {
  const choices = new Choices(plan.seed * 31 + dialNumber * 7_919 + 1);
  const leaves = choices.chance(0.06)
    ? {
        afterMs: choices.of([0, choices.between(0, 50), choices.between(0, 2_000)]),
        deed: choices.of<Deed>(['fin', 'reset', 'destroy', 'give-up']),
      }
    : null;
  const pauses = choices.chance(0.1)
    ? { afterMs: choices.between(0, 40), forMs: choices.of([20, 400, 5_000]) }
    : null;
  return { ...dialPlan(choices, plan.network), leaves, pauses };
}

function timeoutPlan(choices: Choices): Timeouts {
  return {
    initialDataMs: choices.of([100, 1_000, 15_000]),
    connectMs: choices.of([20, 100, 1_000, 5_000]),
    tlsHandshakeMs: 0,
    inactivityMs: choices.of([0, 1_000, 5_000, 3_600_000, beyondTimers]),
    halfCloseMs: choices.of([0, 60, 500, 300_000, beyondTimers]),
    stalledWriteMs: choices.of([0, 400, 2_000, 300_000]),
    maxLifetimeMs: choices.of([0, 0, 0, 0, 1_500, beyondTimers]),
    cleanupGraceMs: choices.of([0, 10, 200, 2_000]),
    shutdownGraceMs: choices.of([0, 100, 2_000]),
    requestHeadMs: choices.of([0, 50, 400, 30_000]),
    requestBodyMs: choices.of([0, 60, 400, 60_000]),
    keepAliveMs: choices.of([0, 100, 1_000, 75_000]),
    responseHeadMs: choices.of([0, 100, 1_000, 60_000]),
    responseWriteMs: choices.of([0, 100, 1_000, 60_000]),
    poolIdleMs: choices.of([0, 50, 500, 4_000]),
  };
}

function limitPlan(choices: Choices): Limits {
  return {
    maxConnections: choices.of([0, 0, 100, 2]),
    maxConnectionsPerIp: choices.of([0, 0, 0, 2]),
    connectionsPerMinutePerIp: choices.of([0, 0, 0, 2]),
    initialDataBytes: choices.of([1_000, 65_536]),
    pendingBytesPerConnection: choices.of([1_000, 1_048_576]),
    headerBytes: choices.of([600, 2_000, 6_000]),
    relayBufferBytes: 1_048_576,
  };
}
