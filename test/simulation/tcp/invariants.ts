import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { checkEnd, checkPeer, checkProcess, checkStory, describeStory } from '../invariants.ts';
import { checkBytes } from './byte-invariants.ts';
import { implausible } from './plausible.ts';
import { ports } from './routes.ts';
import type { TcpWorld } from './world.ts';

/** What must hold when the proxy was stopped and everything had time to settle. */
export function checkAtTheEnd(world: TcpWorld): void {
  const say = (problem: string): void => void world.problems.push(problem);
  checkProcess(world.process, say);
  if (world.network.dialing > 0) say(`${world.network.dialing} dials are left`);
  for (const [end, peer] of world.network.peers) {
    checkEnd(end, (problem) => say(`${peer.name}: ${problem}`));
    checkPeer(peer, (problem) => say(`${peer.name}: ${problem}`));
    if (end.peakPendingBytes > pendingBound(world, end))
      say(`${peer.name}: had ${end.peakPendingBytes} bytes pending`);
  }
  for (const story of world.witness.stories.values()) {
    const problems = [...checkStory(story), ...checkBytes(world, story)];
    const odd = implausible(world, story);
    if (odd !== null) problems.push(odd);
    const about = describeStory(story, world.network.peers.get(story.client));
    for (const problem of problems) say(`${story.record.id}: ${problem} (${about})`);
  }
}

/**
 * What may ever wait for a peer that does not read: one read beyond the mark at which writers
 * wait; for a target also what was read before it was there.
 */
function pendingBound({ plan, arrivals }: TcpWorld, end: MemoryTransport): number {
  const { readBytes, highWaterBytes } = plan.network;
  const { initialDataBytes, pendingBytesPerConnection } = plan.limits;
  const proxyHeader = 250;
  const refusalPage = 200;
  const relayed = highWaterBytes + readBytes + refusalPage;
  if (arrivals.has(end))
    return arrivals.get(end)?.localPort === ports.handler ? Number.POSITIVE_INFINITY : relayed;
  return relayed + initialDataBytes + pendingBytesPerConnection + 2 * readBytes + proxyHeader;
}
