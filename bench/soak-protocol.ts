/** What the clients and the backend of the soak have agreed on. */
import type { Hash } from 'node:crypto';

export const serverName = 'bench.test';
export const longestBytes = 200_000;

const known = Buffer.from(
  Uint8Array.from({ length: longestBytes }, (_, index) => (index * 7 + (index >> 8)) & 255),
);

/** The first bytes of a pattern in which no position is mistaken for its neighbour. */
export function knownBytes(count: number): Buffer {
  return known.subarray(0, count);
}

/** RFC 6455 §4.2.2. */
export function acceptOf(key: string, sha1: Hash): string {
  return sha1.update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
