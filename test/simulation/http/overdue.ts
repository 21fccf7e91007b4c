import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import type { Process } from '../process.ts';
import { type Conversation, conversationsOf } from './conversation.ts';
import { type Position, positionOf } from './position.ts';
import type { SiteWorld } from './site-world.ts';

/** Connections that a deadline should have ended by now, when a process is stopped. No wait is without a bound. */
export function findOverdue(world: SiteWorld, process: Process): string[] {
  if (process !== world.reader) return [];
  const problems: string[] = [];
  for (const conversation of conversationsOf(world)) {
    const record = conversation.reading?.record;
    if (record === undefined || record.state === 'closed') continue;
    const why = overdue(world, conversation);
    if (why !== null) problems.push(`${conversation.peer.name}: still ${record.state}: ${why}`);
  }
  return problems;
}

function overdue(world: SiteWorld, conversation: Conversation): string | null {
  const { timeouts } = world.plan;
  const { record, causedAt } = conversation.reading as NonNullable<Conversation['reading']>;
  const now = world.clock.now();
  const age = now - record.startedAt;
  switch (record.state) {
    case 'reading-first-bytes':
      return exceeds(age, timeouts.initialDataMs, 'initialDataMs');
    case 'closing':
      return closingOverdue(conversation, now - causedAt, timeouts);
    case 'handed-over':
    case 'established':
    case 'half-closed':
      return (
        exceeds(age, timeouts.maxLifetimeMs * 1.05, 'maxLifetimeMs') ??
        requestOverdue(world, conversation, now)
      );
    default:
      return 'nothing waits in this state';
  }
}

/** Pending bytes that make progress may take long; without any there is the grace alone. */
function closingOverdue(
  { reading }: Conversation,
  closingMs: number,
  { stalledWriteMs, cleanupGraceMs }: SiteWorld['plan']['timeouts'],
): string | null {
  const ends = [reading?.client, reading?.target].filter((end) => end !== undefined && end !== null);
  const pending = ends.some((end) => !end.closed && (end.pendingBytes > 0 || !end.writeFinished));
  const bound = pending ? 2 * (stalledWriteMs || 300_000) + 5_000 : 5_000;
  return exceeds(closingMs, bound + cleanupGraceMs, 'the bound of closing');
}

function requestOverdue(world: SiteWorld, conversation: Conversation, now: number): string | null {
  const { timeouts } = world.plan;
  const { client, record } = conversation.reading as NonNullable<Conversation['reading']>;
  const quiet = now - lastMoveAt(world, conversation);
  return (
    (record.state === 'handed-over' ? null : exceeds(quiet, timeouts.inactivityMs, 'inactivityMs')) ??
    standsOverdue(world, conversation, now) ??
    (client.pendingBytes > 0 ? null : waitOverdue(world, conversation, now))
  );
}

/** A client takes nothing, and that keeps others waiting. A tunnel may stand for longer than an answer. */
function standsOverdue(world: SiteWorld, conversation: Conversation, now: number): string | null {
  const { network, timeouts } = world.plan;
  const { peer, entries } = conversation;
  const { client } = conversation.reading as NonNullable<Conversation['reading']>;
  if (client.pendingBytes < network.highWaterBytes) return null;
  const since = Math.max(
    peer.near?.lastReadAt ?? 0,
    world.logOf(client).pendingSince,
    entries.at(-1)?.at ?? 0,
  );
  const name = inTunnel(world, conversation) ? 'stalledWriteMs' : 'responseWriteMs';
  return exceeds(now - since, 2 * timeouts[name], name);
}

/** What the request that is not over has become. */
function inTunnel({ journal }: SiteWorld, { plan, entries }: Conversation): boolean {
  const request = plan.script.requests[entries.length];
  if (request === undefined) return false;
  return journal.arrivalsOf(request.token).at(-1)?.plan.framing === 'tunnel';
}

function waitOverdue(world: SiteWorld, conversation: Conversation, now: number): string | null {
  const { timeouts } = world.plan;
  const { entries, peer } = conversation;
  const { client, record } = conversation.reading as NonNullable<Conversation['reading']>;
  const position = positionOf(conversation, client.bytesRead, entries);
  const waited = now - Math.max(position.since, peer.near?.lastReadAt ?? 0);
  switch (position.stage) {
    case 'idle':
      if (record.clientEnded) return 'its client has ended, and nothing is asked';
      return entries.length > 0
        ? exceeds(waited, timeouts.keepAliveMs, 'keepAliveMs')
        : exceeds(waited, timeouts.requestHeadMs, 'requestHeadMs');
    case 'head':
      return exceeds(now - headBeganAt(world, client, position), timeouts.requestHeadMs, 'requestHeadMs');
    case 'body':
      return bodyOverdue(world, conversation, position, now);
    case 'asked':
      return answerOverdue(world, conversation, position, now);
  }
}

/** When the first byte of a head was read, or looked at. */
export function headBeganAt(
  world: SiteWorld,
  client: MemoryTransport,
  { startsAt, since }: Position,
): number {
  return Math.max(since, world.logOf(client).readAt(startsAt) ?? 0);
}

/** A body is waited for as long as somebody reads it; a backend that takes nothing of it stops that. */
function bodyOverdue(
  world: SiteWorld,
  { reading }: Conversation,
  { bodyAt }: Position,
  now: number,
): string | null {
  const client = reading?.client as MemoryTransport;
  const log = world.logOf(client);
  const readAt = log.readAt(bodyAt - 1) ?? 0;
  if (client.paused || log.resumedAt() < readAt) return null;
  const waited = now - Math.max(log.lastReadAt(), log.resumedAt());
  return exceeds(waited, world.plan.timeouts.requestBodyMs, 'requestBodyMs');
}

/** Two dials and two silent backends: a request is repeated once at most. */
function answerOverdue(
  world: SiteWorld,
  conversation: Conversation,
  { request }: Position,
  now: number,
): string | null {
  const { connectMs, responseHeadMs, cleanupGraceMs } = world.plan.timeouts;
  const { entries } = conversation;
  const { client, record } = conversation.reading as NonNullable<Conversation['reading']>;
  const told = entries.reduce((sum, { bytes }) => sum + bytes.toClient, 0);
  const begun = client.bytesWritten > told;
  const waited = now - lastMoveAt(world, conversation);
  // A body that waits for its backend is not known to be complete.
  if (record.clientEnded && !begun && request?.content.length === 0) {
    const ended = Math.min(waited, now - world.logOf(client).endedAt);
    const why = exceeds(ended, cleanupGraceMs, 'cleanupGraceMs, with a client that has ended');
    if (why !== null) return why;
  }
  return begun || responseHeadMs === 0
    ? null
    : exceeds(waited, 2 * (connectMs + responseHeadMs), 'responseHeadMs');
}

/** When a byte last moved for this client, as far as its peers know; or its last request was over. */
function lastMoveAt({ journal }: SiteWorld, { peer, plan, reading, entries }: Conversation): number {
  const arrivals = plan.script.requests.flatMap(({ token }) => journal.arrivalsOf(token));
  const moved = arrivals.map(({ backend }) =>
    Math.max(backend.near?.lastReadAt ?? 0, backend.far?.lastReadAt ?? 0),
  );
  const client = reading?.client;
  return Math.max(
    ...[reading?.handedOverAt ?? 0, entries.at(-1)?.at ?? 0],
    ...[client?.lastReadAt ?? 0, peer.near?.lastReadAt ?? 0, ...moved],
  );
}

/** Half a millisecond for a sum of fractions; 0 is off. */
function exceeds(value: number, limit: number, name: string): string | null {
  return limit > 0 && value > limit + 0.5 ? `${Math.round(value)} ms, beyond ${name} ${limit}` : null;
}
