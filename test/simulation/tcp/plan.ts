import { beyondTimers, type DialPlan, dialPlan, networkPlan, operatorPlan, type Plan } from '../plan.ts';
import { Choices } from '../random.ts';
import type { Script } from './actor.ts';
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

/** How one dial comes out, and what the backend then does. */
export interface BackendPlan extends DialPlan {
  readonly script: Script;
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

/** A world of bytes that are passed on. */
export interface TcpPlan extends Plan {
  readonly clients: readonly ClientPlan[];
  /** In the order of the dials; those beyond are drawn from the seed. */
  readonly backends: readonly BackendPlan[];
  readonly timeouts: TimeoutPlan;
  readonly limits: LimitPlan;
}

export function makePlan(seed: number): TcpPlan {
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
        bridged: 4,
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
export function backendPlan(plan: TcpPlan, dialNumber: number): BackendPlan {
  const scripted = plan.backends[dialNumber];
  if (scripted !== undefined) return scripted;
  const choices = new Choices(plan.seed * 31 + dialNumber * 7_919 + 1);
  return { ...dialPlan(choices, plan.network), script: backendScript(choices) };
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
