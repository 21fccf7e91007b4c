import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import type { MemoryTransport } from '../../src/transport/memory-transport.ts';

/** A joined pair always moves: what was read of one side is on its way to the other. */
export function whatIsStuck(record: ConnectionRecord): string | null {
  if (record.state !== 'established' && record.state !== 'half-closed') return null;
  const client = record.client as MemoryTransport;
  const target = record.target as MemoryTransport | null;
  if (target === null || client.gone || target.gone) return null;
  return stuckDirection('client', client, target) ?? stuckDirection('target', target, client);
}

function stuckDirection(side: string, from: MemoryTransport, to: MemoryTransport): string | null {
  if (from.readEnded && !to.writeEnded) return `the FIN of the ${side} was not passed on`;
  const waits = to.pendingBytes > 0 || from.lent || from.readEnded;
  return from.paused && !waits ? `the ${side} is not read, although nothing is pending` : null;
}
