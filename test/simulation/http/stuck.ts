import { BackendConnection } from '../../../src/network-proxy/http1/backend-connection.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import type { Story } from '../witness.ts';
import { conversationsOf } from './conversation.ts';
import { positionOf } from './position.ts';
import type { SiteWorld } from './site-world.ts';

/** A request and its answer always move: what one side sends is read, unless the other takes nothing. */
export function stuckExchange(world: SiteWorld, story: Story): string | null {
  if (world.reader.dialled.some(isForgotten)) return 'a pool keeps a connection that its backend has ended';
  const conversation = conversationsOf(world).find(({ reading }) => reading === story);
  if (conversation === undefined || story.client.gone) return null;
  const { client } = story;
  const { request, bodyAt } = positionOf(conversation, client.bytesRead, conversation.entries);
  const arrival = request && world.journal.arrivalsOf(request.token).at(-1);
  const backend = arrival?.backend.far ?? null;
  if (request === undefined || backend === null || backend.gone || arrival?.backend.tunnel !== null)
    return null;
  if (backend.paused && client.pendingBytes === 0 && !client.lent && !backend.lent)
    return `${request.token}: its answer is not read, although nothing is pending`;
  const isBody = client.bytesRead >= bodyAt && client.bytesRead < bodyAt + request.content.length;
  if (isBody && client.paused && backend.pendingBytes === 0 && !client.lent && client.bytesWritten === 0)
    return `${request.token}: its body is not read, although nothing is pending`;
  return null;
}

function isForgotten({ gone, readEnded, listener }: MemoryTransport): boolean {
  return !gone && readEnded && listener instanceof BackendConnection;
}
