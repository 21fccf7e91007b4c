import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { checkDirection } from '../direction.ts';
import type { Peer } from '../peer.ts';
import type { Story } from '../witness.ts';
import type { TcpWorld } from './world.ts';

/** Routes whose targets get a PROXY header of version 2. */
const binaryHeaders: readonly string[] = ['b', 'bridged-a', 'bridged-b'];

/**
 * What arrived is what was sent: in order, nothing twice, nothing of somebody else; all of it
 * wherever the receiver was given to believe so by a FIN, and in every graceful ending.
 */
export function checkBytes(world: TcpWorld, story: Story): string[] {
  const { record, target } = story;
  const client = peerOf(world, story.client);
  const problems = checkCounts(world, story, client);
  if (target === null) return [...problems, ...checkUnjoined(story, client)];
  const backend = peerOf(world, target);
  const skipped = record.proxyHeaderBytes;
  const added = proxyHeaderLength(backend.received, record.route?.name ?? '');
  const towardsTarget = checkDirection({ from: client, to: backend, skipped, added }, isGraceful(story));
  const towardsClient = checkDirection(
    { from: backend, to: client, skipped: 0, added: 0 },
    isGraceful(story),
  );
  if (towardsTarget !== null) problems.push(`to the target: ${towardsTarget}`);
  if (towardsClient !== null) problems.push(`to the client: ${towardsClient}`);
  return problems;
}

function isGraceful({ record }: Story): boolean {
  const reason = record.termination?.reason;
  return reason === 'client-closed' || reason === 'target-closed';
}

function peerOf(world: TcpWorld, end: MemoryTransport): Peer {
  const peer = world.network.peers.get(end);
  if (peer === undefined) throw new Error('a transport of nobody');
  return peer;
}

/** `bytes` of the record, against what the client's own socket moved (M1). */
function checkCounts(world: TcpWorld, { record, client: end }: Story, client: Peer): string[] {
  const problems: string[] = [];
  const plan = world.arrivals.get(end);
  const header = record.proxyHeaderBytes;
  if (record.bytesFromClient > client.sent.length - header) problems.push('read more than was sent');
  if (client.received.length > record.bytesToClient) problems.push('the client got more than was counted');
  // What follows a header that was cut may complete it to another that is valid.
  if (header === 0 || plan?.opening.whole !== true) return problems;
  if (header !== plan.opening.proxyHeaderBytes) problems.push(`a PROXY header of ${header} bytes`);
  if (record.clientAddress.ip !== plan.opening.realIp) problems.push('the wrong client address');
  return problems;
}

/** Nobody was joined: the client got nothing, an alert, or a page that says why. */
function checkUnjoined({ record }: Story, client: Peer): string[] {
  if (record.joined || client.received.length === 0) return [];
  const isAlert = client.received[0] === 21 && client.received.length <= 7;
  const text = Buffer.from(client.received).toString('latin1');
  const page = 'HTTP/1.1 400';
  return isAlert || text.startsWith(page) || page.startsWith(text) ? [] : ['the client got bytes of nobody'];
}

/** A PROXY header that the route sends: as far as it came. */
function proxyHeaderLength(received: Uint8Array, route: string): number {
  if (route === 'spread') {
    const end = Buffer.from(received).indexOf('\r\n');
    return end === -1 ? received.length : end + 2;
  }
  if (!binaryHeaders.includes(route)) return 0;
  if (received.length < 16) return received.length;
  return Math.min(received.length, 16 + ((received[14] as number) << 8) + (received[15] as number));
}
