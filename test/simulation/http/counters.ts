import { BackendConnection } from '../../../src/network-proxy/http1/backend-connection.ts';
import type { Process } from '../process.ts';
import { conversationsOf } from './conversation.ts';
import { positionOf } from './position.ts';
import type { SiteWorld } from './site-world.ts';

type Say = (problem: string) => void;

/** NetworkProxy's own counts, against the sockets. */
export function checkCounters(world: SiteWorld, process: Process): string[] {
  const problems: string[] = [];
  const say: Say = (problem) => void problems.push(problem);
  checkPools(world, process, say);
  checkTracking(world, process, say);
  return problems;
}

/** Every open connection to a backend is in a pool, and none for too long. */
function checkPools({ plan, clock }: SiteWorld, { proxy, dialled }: Process, say: Say): void {
  const { pools } = proxy.side.statistics();
  const counted = pools.reduce((sum, { idle, busy }) => sum + idle + busy, 0);
  const open = dialled.filter(({ gone, listener }) => !gone && listener instanceof BackendConnection);
  if (counted !== open.length) say(`pools count ${counted} connections, ${open.length} are open`);
  const { poolIdleMs } = plan.timeouts;
  for (const { listener } of open) {
    const { usable, idleSince } = listener as BackendConnection;
    const idleMs = clock.now() - idleSince;
    if (usable && poolIdleMs > 0 && idleMs > poolIdleMs + 0.5) say(`a connection is idle for ${idleMs} ms`);
  }
}

/** Clients whose sockets have not told that they are closed. */
function checkTracking(world: SiteWorld, { proxy, witness }: Process, say: Say): void {
  const { connectedClients, portProxyConnections } = proxy.side.statistics();
  const open = [...witness.stories.values()].filter(
    ({ record, client }) => record.viaNetworkProxy && !world.logOf(client).told,
  );
  if (connectedClients !== open.length)
    say(`${connectedClients} clients are counted, ${open.length} connected`);
  if (portProxyConnections !== open.length) say(`${portProxyConnections} came over the bridge`);
}

/** A drain ends at once where nothing was asked. */
export function checkDrain(world: SiteWorld, process: Process): string[] {
  if (process !== world.reader) return [];
  const idle = conversationsOf(world).filter((conversation) => {
    const { reading, entries } = conversation;
    if (reading === undefined || reading.record.ending || reading.record.state === 'reading-first-bytes')
      return false;
    const position = positionOf(conversation, reading.client.bytesRead, entries);
    return position.stage === 'idle' && reading.client.pendingBytes === 0;
  });
  return idle.map(({ peer }) => `${peer.name}: is idle, and outlives the beginning of a drain`);
}
