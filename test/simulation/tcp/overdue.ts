import type { ConnectionRecord } from '../../../src/connection/connection-record.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { whatIsStuck } from '../stuck.ts';
import type { TcpWorld } from './world.ts';

/** Connections that a deadline should have ended by now. No wait is without a bound. */
export function findOverdue(world: TcpWorld): string[] {
  const problems: string[] = [];
  for (const record of world.proxy.manager.live()) {
    const why = overdue(world, record);
    const stuck = whatIsStuck(record);
    if (stuck !== null) problems.push(`${record.id}: ${stuck}`);
    if (why !== null) problems.push(`${record.id}: still ${record.state} at ${world.clock.now()}: ${why}`);
  }
  return problems;
}

function overdue(world: TcpWorld, record: ConnectionRecord): string | null {
  const { timeouts } = world.plan;
  const now = world.clock.now();
  const quiet = now - quietSince(world, record);
  const age = now - record.startedAt;
  switch (record.state) {
    case 'accepted':
    case 'routing':
      return 'nothing waits in this state';
    case 'reading-first-bytes':
      return exceeds(age, timeouts.initialDataMs, 'initialDataMs');
    case 'dialing':
      return exceeds(age, timeouts.initialDataMs + timeouts.connectMs, 'connectMs');
    case 'half-closed':
      return exceeds(quiet, timeouts.halfCloseMs, 'halfCloseMs') ?? lasting(world, age, quiet);
    case 'established':
      return lasting(world, age, quiet);
    case 'closing':
      return closingOverdue(world, record, now);
    default:
      return 'it is in the tables';
  }
}

function lasting(world: TcpWorld, age: number, quiet: number): string | null {
  const { inactivityMs, maxLifetimeMs } = world.plan.timeouts;
  return exceeds(quiet, inactivityMs, 'inactivityMs') ?? exceeds(age, maxLifetimeMs * 1.05, 'maxLifetimeMs');
}

/** Pending bytes that make progress may take long; without any there is the grace alone. */
function closingOverdue(world: TcpWorld, record: ConnectionRecord, now: number): string | null {
  const { stalledWriteMs, cleanupGraceMs } = world.plan.timeouts;
  const causedAt = world.witness.stories.get(record)?.causedAt ?? now;
  const ends = [record.client, record.target].filter((end) => end !== null);
  const pending = ends.some((end) => !end.closed && (end.pendingBytes > 0 || !end.writeFinished));
  const bound = pending ? 2 * (stalledWriteMs || 300_000) + 5_000 : 5_000;
  return exceeds(now - causedAt, bound + cleanupGraceMs, 'the bound of closing');
}

/** The last byte either way, or the moment that the two sides were joined. */
function quietSince(world: TcpWorld, record: ConnectionRecord): number {
  const client = record.client as MemoryTransport;
  const target = record.target as MemoryTransport | null;
  const joinedAt = world.witness.stories.get(record)?.establishedAt ?? 0;
  return Math.max(joinedAt, client.lastReadAt, target?.lastReadAt ?? 0);
}

/** Half a millisecond for a sum of fractions; 0 is off. */
function exceeds(value: number, limit: number, name: string): string | null {
  return limit > 0 && value > limit + 0.5 ? `${Math.round(value)} ms, beyond ${name} ${limit}` : null;
}
