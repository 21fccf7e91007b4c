import type { Socket } from 'node:net';

/**
 * Sends RST on a raw socket (never on a TLSSocket: give the socket below it), and frees its
 * descriptor. The socket emits 'close' in every case. Idempotent.
 *
 * While a shutdown is in flight libuv refuses to close by reset: the error is EINVAL, no 'close'
 * comes, and the descriptor is lost for good (L25). So where our FIN is on its way the reset waits
 * for 'finish', which comes in the next turn of the loop, as nothing is left to be written. Once
 * the FIN is out a RST can still follow it. Unix sockets know no RST and are closed, as is a
 * socket that is still connecting.
 */
export function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded && !socket.writableFinished && socket.writableLength === 0) {
    socket.once('finish', resetNow);
    return;
  }
  resetNow.call(socket);
}

function resetNow(this: Socket): void {
  if (this.destroyed) return;
  if (this.connecting) {
    this.destroy();
    return;
  }
  try {
    this.resetAndDestroy();
  } catch {
    // Not a TCP handle: Node refuses before it has touched anything.
    this.destroy();
  }
}
