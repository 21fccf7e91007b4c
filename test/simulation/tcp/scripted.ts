import assert from 'node:assert/strict';
import type { NetworkPlan, OperatorPlan } from '../plan.ts';
import type { Story } from '../witness.ts';
import type { Script, Step } from './actor.ts';
import type { BackendPlan, ClientPlan, LimitPlan, TcpPlan, TimeoutPlan } from './plan.ts';
import { ports } from './routes.ts';
import { TcpWorld } from './world.ts';

/** A world by hand: what is not given is out of the way. */
export interface Scripted {
  clients: readonly (Partial<Omit<ClientPlan, 'script'>> & {
    steps?: readonly Step[];
    script?: Partial<Script>;
  })[];
  backends?: readonly (Partial<Omit<BackendPlan, 'script'>> & {
    steps?: readonly Step[];
    script?: Partial<Script>;
  })[];
  operator?: readonly OperatorPlan[];
  timeouts?: Partial<TimeoutPlan>;
  limits?: Partial<LimitPlan>;
  network?: Partial<NetworkPlan>;
  horizonMs?: number;
}

export function bytes(count: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => (index * 7 + seed) % 200);
}

export function write(atMs: number, payload: Uint8Array): Step {
  return { atMs, deed: 'write', bytes: payload };
}

function scriptOf(steps: readonly Step[] = [], script: Partial<Script> = {}): Script {
  return { steps, echo: false, reads: true, afterEnd: { deed: 'fin', delayMs: 0 }, ...script };
}

function scriptedPlan(scripted: Scripted): TcpPlan {
  return {
    seed: 1,
    clients: scripted.clients.map(({ steps, script, ...client }, index) => ({
      name: `client ${index}`,
      ip: `192.0.2.${index % 200}`,
      port: 40_003 + index,
      localPort: ports.plain,
      connectAtMs: 0,
      opening: { proxyHeaderBytes: 0, realIp: null, kind: 'payload', serverName: null, whole: false },
      ...client,
      script: scriptOf(steps, script),
    })),
    backends: (scripted.backends ?? []).map(({ steps, script, ...backend }) => ({
      outcome: 'accept',
      delayMs: 0,
      late: false,
      ...backend,
      script: scriptOf(steps, script),
    })),
    operator: scripted.operator ?? [],
    network: {
      latencyMs: 0,
      windowBytes: 65_536,
      segmentBytes: 0,
      readBytes: 65_536,
      highWaterBytes: 1,
      lendShare: 1,
      resetDropsUnread: false,
      shuffle: false,
      lateShare: 0,
      ...scripted.network,
    },
    timeouts: {
      initialDataMs: 15_000,
      connectMs: 5_000,
      inactivityMs: 3_600_000,
      halfCloseMs: 300_000,
      stalledWriteMs: 300_000,
      maxLifetimeMs: 0,
      cleanupGraceMs: 2_000,
      shutdownGraceMs: 0,
      ...scripted.timeouts,
    },
    limits: {
      maxConnections: 0,
      maxConnectionsPerIp: 0,
      connectionsPerMinutePerIp: 0,
      initialDataBytes: 65_536,
      pendingBytesPerConnection: 1_048_576,
      ...scripted.limits,
    },
    horizonMs: scripted.horizonMs ?? 30_000,
  };
}

/** A peer that goes on as if nothing had happened when it reads a FIN. */
export const idle = { script: { afterEnd: { deed: 'nothing', delayMs: 0 } } } as const;

/** Runs a world to its end, with every invariant checked; its stories in the order of arrival. */
export function play(
  scripted: Scripted,
  prepare: (world: TcpWorld) => void = () => {},
): { world: TcpWorld; stories: Story[] } {
  const world = new TcpWorld(scriptedPlan(scripted), { trace: true });
  prepare(world);
  const problems = world.run();
  assert.deepEqual(problems, [], world.lines.join('\n'));
  return { world, stories: [...world.witness.stories.values()] };
}

export function only(stories: readonly Story[]): Story {
  assert.equal(stories.length, 1);
  return stories[0] as Story;
}

/** Reason and phase, as the record tells them. */
export function ending(story: Story): string {
  const { termination } = story.record;
  return `${termination?.reason} in ${termination?.phase}`;
}
