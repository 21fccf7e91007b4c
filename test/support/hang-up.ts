import type { Socket } from 'node:net';
import { hangUpLooksLikeEnd } from '../../src/transport/feature-detection.ts';

const faulty = hangUpLooksLikeEnd(process.versions.uv);

/**
 * Calls back at the peer's FIN. Before libuv 1.52 (every Node 22) a RST that came together with
 * data is read as FIN; then the peer is gone, which the kernel tells, and the socket is destroyed
 * with the error that Node should have given.
 */
export function onFin(socket: Socket, callback: () => void): void {
  socket.on('end', () => {
    if (!faulty || isPeerThere(socket)) return callback();
    socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  });
}

/** After our own FIN the kernel forgets the peer with its FIN; a unix socket has no address to ask for. */
function isPeerThere(socket: Socket): boolean {
  if (socket.writableEnded) return true;
  const { _handle: handle } = socket as unknown as { _handle: { getpeername?(out: object): number } | null };
  return handle?.getpeername === undefined || handle.getpeername({}) === 0;
}
