import type { Socket } from 'node:net';

/**
 * Calls back at the peer's FIN. Before libuv 1.52 (every Node 22) a RST that came together with
 * data is read as FIN; then the peer is gone, which the kernel tells, and the socket is destroyed
 * with the error that Node should have given.
 */
export function onFin(socket: Socket, callback: () => void): void {
  socket.on('end', () => {
    const { _handle: handle } = socket as unknown as { _handle: { getpeername(out: object): number } | null };
    if (handle === null || handle.getpeername({}) === 0) return callback();
    socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  });
}
