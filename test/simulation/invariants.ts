import { SocketCloser } from '../../src/connection/cleanup-socket.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';
import type { Peer } from './peer.ts';
import type { Process } from './process.ts';
import type { Story } from './witness.ts';

/** Told what is wrong. */
type Say = (problem: string) => void;

function expectEqual(say: Say, what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) say(`${what}: ${actual}, expected ${expected}`);
}

/** What must hold of every process that was stopped and had time to settle, whatever it did. */
export function checkProcess(process: Process, say: Say): void {
  checkNothingLeft(process, say);
  checkStatistics(process, say);
}

function checkNothingLeft({ proxy, clock }: Process, say: Say): void {
  expectEqual(say, 'connections on the bridge', proxy.side.bridge?.forwarded ?? 0, 0);
  expectEqual(say, 'the proxy stopped', proxy.stopped, true);
  expectEqual(say, 'records left', proxy.manager.size, 0);
  expectEqual(say, 'addresses left in the index', proxy.manager.addresses, 0);
  expectEqual(say, 'deadlines left', proxy.timeouts.size, 0);
  expectEqual(say, 'timers left', clock.pending, 0);
  const { held, connections, addresses, routes } = proxy.security.snapshot();
  expectEqual(say, 'slots left', held + connections + addresses + Object.keys(routes).length, 0);
  expectEqual(say, 'lasting audit differences', proxy.audit.differences, 0);
  expectEqual(say, 'audit consistent', proxy.audit.snapshot().consistent, true);
  expectEqual(say, 'sockets left', proxy.audit.snapshot().sockets, 0);
}

function checkStatistics({ witness, proxy }: Process, say: Say): void {
  const { connections, refusals, terminations, cleanup, bytes } = proxy.manager.statistics();
  const stories = [...witness.stories.values()];
  expectEqual(say, 'opened', connections.opened, stories.length);
  expectEqual(say, 'active', connections.active, 0);
  expectEqual(say, 'terminated', connections.terminated, stories.length);
  expectEqual(say, 'refused', connections.refused, witness.refusals);
  expectEqual(say, 'sum of refusals', sum(refusals), witness.refusals);
  expectEqual(say, 'sum of terminations', sum(terminations), stories.length);
  expectEqual(say, 'sum of cleanups', sum(cleanup), stories.length);
  expectEqual(say, 'terminated as orphaned', terminations.orphaned ?? 0, cleanup.orphaned);
  const fromClient = stories.reduce((total, { record }) => total + record.bytesFromClient, 0);
  const toClient = stories.reduce((total, { record }) => total + record.bytesToClient, 0);
  expectEqual(say, 'bytes from clients', bytes.fromClient, fromClient);
  expectEqual(say, 'bytes to clients', bytes.toClient, toClient);
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0);
}

/** Nothing of a proxy's end is open, lent or listened to. */
export function checkEnd(end: MemoryTransport, say: Say): void {
  if (!end.closed) say('the proxy left its socket open');
  if (end.lent) say('a loan is still out');
  if (end.pendingBytes > 0) say('bytes are still pending');
  if (end.listener !== null && !(end.listener instanceof SocketCloser)) say('somebody still listens');
}

/** No peer is left waiting for ever. */
export function checkPeer(peer: Peer, say: Say): void {
  const { near } = peer;
  if (near?.lent) say('a loan of the peer is still out');
  const lost = near === null || near.gone || peer.did.has('give-up');
  const told = lost || peer.sawFin || peer.sawError !== null;
  if (!told && !near.paused) say('never heard that its connection ended');
}

/** One ending, one cause, and the states in between. */
export function checkStory(story: Story): string[] {
  const { record, states, cleanups, ended, firstCause, callbacks } = story;
  const problems: string[] = [];
  if (callbacks !== null && callbacks !== 1) problems.push(`the bridge's callback came ${callbacks} times`);
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

/** Which connection a problem is about. */
export function describeStory({ record, states }: Story, peer: Peer | undefined): string {
  return `${peer?.name}, ${record.termination?.reason ?? 'no ending'}, ${states.join(' → ')}`;
}
