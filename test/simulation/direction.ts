import type { Peer } from './peer.ts';

/** One direction between two peers that were joined, as they saw it. */
export interface Direction {
  readonly from: Peer;
  readonly to: Peer;
  /** Bytes of the sender that are not passed on: a PROXY header that was read, requests before a tunnel. */
  readonly skipped: number;
  /** Bytes that the receiver got from the proxy itself, before. */
  readonly added: number;
}

/** What arrived is what was sent, in order; all of it where a FIN says so, and in every graceful ending. */
export function checkDirection(direction: Direction, graceful: boolean): string | null {
  const { from, to, skipped, added } = direction;
  const sent = from.sent.subarray(skipped);
  const received = to.received.subarray(added);
  if (!isPrefix(received, sent)) return `received ${received.length} bytes that are not what was sent`;
  const whole = Math.max(0, from.sentBytes - skipped);
  if (to.sawFin && received.length !== whole) return `FIN after ${received.length} of ${whole} bytes`;
  if (to.sawFin && !from.did.has('fin') && !from.did.has('destroy'))
    return 'FIN, and the other side sent none';
  const delivered = (to.far?.bytesWritten ?? 0) - added;
  if (!graceful) return null;
  if (delivered < whole) return `ended gracefully after ${delivered} of ${whole} bytes`;
  const listened =
    to.near?.paused === false && !to.did.has('reset') && !to.did.has('destroy') && !to.did.has('give-up');
  if (listened && !to.sawFin)
    return `ended gracefully, but heard ${to.sawError} after ${received.length} bytes`;
  return null;
}

function isPrefix(part: Uint8Array, whole: Uint8Array): boolean {
  return part.length <= whole.length && Buffer.compare(part, whole.subarray(0, part.length)) === 0;
}
