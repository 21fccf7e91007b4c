import type { ConnectionState, TerminationReason } from '../../../src/base/termination.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import type { Deed } from '../peer.ts';
import type { Story } from '../witness.ts';
import { removedRoutes } from './routes.ts';
import type { Opening } from './scripts.ts';
import type { TcpWorld } from './world.ts';

/** Whether the world gave a cause for the ending that a record tells, in the phase that it tells. */
type Check = (world: TcpWorld, story: Story) => boolean;

const joinedPhases: readonly ConnectionState[] = ['established', 'half-closed'];
const computedRoutes: readonly string[] = ['computed', 'awaited'];
const leaving: readonly Deed[] = ['reset', 'destroy'];

const checks: Partial<Record<TerminationReason, Check>> = {
  'client-closed': (world, { client }) => did(world, client, ['fin', 'destroy']),
  'target-closed': (_, { record }) => record.targetEnded && joined(record.termination?.phase),
  'client-reset': (world, { client }) => did(world, client, leaving),
  'target-reset': (world, { target }) => did(world, target, leaving),
  'client-timed-out': (world, { client }) => did(world, client, ['give-up']),
  'target-timed-out': (world, { record, target }) =>
    did(world, target, ['give-up']) && joined(record.termination?.phase),
  'connect-refused': (world, story) => world.network.outcomes.includes('refuse') && whileDialing(story),
  'connect-unreachable': (world, story) =>
    world.network.outcomes.includes('unreachable') && whileDialing(story),
  'dns-failed': (world, story) => world.network.outcomes.includes('no-name') && whileDialing(story),
  'target-selection-failed': (_, story) =>
    computedRoutes.includes(story.record.route?.name ?? '') && whileDialing(story),
  'initial-data-timeout': ({ plan }, { record }) =>
    record.termination?.phase === 'reading-first-bytes' && near(age(record), plan.timeouts.initialDataMs),
  'connect-timeout': ({ plan }, story) =>
    whileDialing(story) &&
    story.record.targetAddress !== null &&
    near(story.causedAt - story.dialingAt, plan.timeouts.connectMs),
  inactivity: ({ plan }, story) =>
    joined(story.record.termination?.phase) && reached(story.quietMs, plan.timeouts.inactivityMs),
  'half-close-timeout': ({ plan }, story) =>
    story.record.termination?.phase === 'half-closed' && reached(story.quietMs, plan.timeouts.halfCloseMs),
  'stalled-write': ({ plan }, { record }) =>
    joined(record.termination?.phase) && reached(age(record), plan.timeouts.stalledWriteMs),
  'max-lifetime': ({ plan }, { record }) => reached(age(record), plan.timeouts.maxLifetimeMs * 0.95),
  blocked: (_, { record }) => record.route?.name === 'block' || record.route?.name === 'spread',
  'no-route': (_, { record }) => record.route === null,
  'route-removed': (world, { record }) =>
    world.process.reloadedAt !== null && removedRoutes.includes(record.route?.name ?? ''),
  operator: (world) => world.process.terminated > 0,
  orphaned: (world, { record }) => world.process.vanished.has(record),
  shutdown: (world) => world.proxy.stopping,
  'connection-limit': ({ plan }, { record }) =>
    plan.limits.maxConnectionsPerIp > 0 || plan.limits.maxConnections > 0 || record.route?.name === 'spread',
  'rate-limit': ({ plan }) => plan.limits.connectionsPerMinutePerIp > 0,
  'invalid-proxy-header': (world, { client }) =>
    opening(world, client)?.realIp === null || !whole(world, client),
  'invalid-hello': (world, { client }) =>
    ['garbage', 'http', 'nothing'].includes(opening(world, client)?.kind ?? '') || !whole(world, client),
  'initial-data-too-large': (world, { client }) =>
    world.plan.limits.initialDataBytes < 2_000 || !whole(world, client),
  'handler-ended': (_, { record }) => record.route?.name === 'handler',
  'handler-failed': (_, { record }) => record.route?.name === 'handler',
};

/** Null where the ending makes sense; otherwise a sentence. */
export function implausible(world: TcpWorld, story: Story): string | null {
  const { termination } = story.record;
  if (termination === null) return 'no termination';
  const vanishedAt = world.process.vanished.get(story.record);
  // In the same moment a deadline may still come first.
  const overlooked = vanishedAt !== undefined && story.causedAt > vanishedAt;
  if (overlooked && termination.reason !== 'orphaned') return 'the audit did not find it';
  const check = checks[termination.reason];
  if (check === undefined) return `ended as ${termination.reason}, which nothing here can cause`;
  return check(world, story) ? null : `${termination.reason} in ${termination.phase}, without a cause`;
}

function opening(world: TcpWorld, client: MemoryTransport): Opening | undefined {
  return world.arrivals.get(client)?.opening;
}

function whole(world: TcpWorld, client: MemoryTransport): boolean {
  return opening(world, client)?.whole === true;
}

function joined(phase: ConnectionState | undefined): boolean {
  return phase !== undefined && joinedPhases.includes(phase);
}

function whileDialing({ record }: Story): boolean {
  return record.termination?.phase === 'dialing';
}

function did(world: TcpWorld, end: unknown, deeds: readonly Deed[]): boolean {
  const actor = world.network.peers.get(end as MemoryTransport);
  return deeds.some((deed) => actor?.did.has(deed));
}

function age(record: Story['record']): number {
  return record.termination?.durationMs ?? 0;
}

function reached(value: number, limit: number): boolean {
  return limit > 0 && value >= limit - 0.5;
}

function near(value: number, limit: number): boolean {
  return limit > 0 && Math.abs(value - limit) < 1;
}
