import { SocketCloser } from '../../src/connection/cleanup-socket.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import { checkBytes } from './byte-invariants.ts';
import { implausible } from './plausible.ts';
import { ports } from './routes.ts';
import type { Story } from './witness.ts';
import type { World } from './world.ts';

/** What must hold when the proxy was stopped and everything had time to settle. */
export function checkAtTheEnd(world: World): void {
  checkNothingLeft(world);
  checkStatistics(world);
  checkTransports(world);
  for (const story of world.witness.stories.values()) {
    const { id } = story.record;
    const problems = [...checkStory(story), ...checkBytes(world, story)];
    const odd = implausible(world, story);
    if (odd !== null) problems.push(odd);
    for (const problem of problems) world.problems.push(`${id}: ${problem} (${describe(world, story)})`);
  }
}

function describe(world: World, { record, client, states }: Story): string {
  const actor = [...world.network.actors].find(([end]) => end === client)?.[1];
  return `${actor?.name}, ${record.termination?.reason ?? 'no ending'}, ${states.join(' → ')}`;
}

function expectEqual(world: World, what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) world.problems.push(`${what}: ${actual}, expected ${expected}`);
}

function checkNothingLeft(world: World): void {
  const { proxy, network } = world;
  expectEqual(world, 'the proxy stopped', proxy.stopped, true);
  expectEqual(world, 'records left', proxy.manager.size, 0);
  expectEqual(world, 'addresses left in the index', proxy.manager.addresses, 0);
  expectEqual(world, 'deadlines left', proxy.timeouts.size, 0);
  expectEqual(world, 'timers left', world.proxyClock.pending, 0);
  expectEqual(world, 'dials left', network.dialing, 0);
  const { held, connections, addresses, routes } = proxy.security.snapshot();
  expectEqual(world, 'slots left', held + connections + addresses + Object.keys(routes).length, 0);
  expectEqual(world, 'lasting audit differences', proxy.audit.differences, 0);
  expectEqual(world, 'audit consistent', proxy.audit.snapshot().consistent, true);
  expectEqual(world, 'sockets left', proxy.audit.snapshot().sockets, 0);
}

function checkStatistics(world: World): void {
  const { witness, proxy } = world;
  const { connections, refusals, terminations, cleanup, bytes } = proxy.manager.statistics();
  const stories = [...witness.stories.values()];
  expectEqual(world, 'opened', connections.opened, stories.length);
  expectEqual(world, 'active', connections.active, 0);
  expectEqual(world, 'terminated', connections.terminated, stories.length);
  expectEqual(world, 'refused', connections.refused, witness.refusals);
  expectEqual(world, 'sum of refusals', sum(refusals), witness.refusals);
  expectEqual(world, 'sum of terminations', sum(terminations), stories.length);
  expectEqual(world, 'sum of cleanups', sum(cleanup), stories.length);
  expectEqual(world, 'terminated as orphaned', terminations.orphaned ?? 0, cleanup.orphaned);
  const fromClient = stories.reduce((total, { record }) => total + record.bytesFromClient, 0);
  const toClient = stories.reduce((total, { record }) => total + record.bytesToClient, 0);
  expectEqual(world, 'bytes from clients', bytes.fromClient, fromClient);
  expectEqual(world, 'bytes to clients', bytes.toClient, toClient);
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}

/** Nothing is open, lent or listened to; and no peer is left waiting for ever. */
function checkTransports(world: World): void {
  for (const [end, actor] of world.network.actors) {
    const say = (problem: string): void => void world.problems.push(`${actor.name}: ${problem}`);
    if (!end.closed) say('the proxy left its socket open');
    if (end.lent || actor.near?.lent) say('a loan is still out');
    if (end.peakPendingBytes > pendingBound(world, end)) say(`had ${end.peakPendingBytes} bytes pending`);
    if (end.pendingBytes > 0) say('bytes are still pending');
    if (end.listener !== null && !(end.listener instanceof SocketCloser)) say('somebody still listens');
    const near = actor.near;
    const lost = near === null || near.gone || actor.did.has('give-up');
    const told = lost || actor.sawFin || actor.sawError !== null;
    if (!told && !near.paused) say('never heard that its connection ended');
  }
}

/**
 * What may ever wait for a peer that does not read: one read beyond the mark at which writers
 * wait; for a target also what was read before it was there.
 */
function pendingBound({ plan, arrivals }: World, end: MemoryTransport): number {
  const { readBytes, highWaterBytes } = plan.network;
  const { initialDataBytes, pendingBytesPerConnection } = plan.limits;
  const proxyHeader = 200;
  const refusalPage = 200;
  const relayed = highWaterBytes + readBytes + refusalPage;
  if (arrivals.has(end))
    return arrivals.get(end)?.localPort === ports.handler ? Number.POSITIVE_INFINITY : relayed;
  return relayed + initialDataBytes + pendingBytesPerConnection + 2 * readBytes + proxyHeader;
}

function checkStory(story: Story): string[] {
  const { record, states, cleanups, ended, firstCause } = story;
  const problems: string[] = [];
  if (ended !== 1) problems.push(`observers were told ${ended} times that it ended`);
  if (cleanups !== 1) problems.push(`cleaned up ${cleanups} times`);
  if (record.state !== 'closed' || states.at(-1) !== 'closed') problems.push(`is ${record.state} at the end`);
  if (record.termination === null) problems.push('ended without a termination');
  else if (record.termination.reason !== firstCause) problems.push(`the first cause was ${firstCause}`);
  if (record.termination !== null && record.termination.phase !== states.at(-3)) {
    problems.push(`the phase is told as ${record.termination.phase}`);
  }
  if (record.trail[0]?.what !== 'accepted') problems.push('its trail does not begin with accepted');
  return problems;
}
