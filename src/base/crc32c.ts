const table = makeTable();

function makeTable(): Uint32Array {
  const entries = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    let remainder = index;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
    }
    entries[index] = remainder;
  }
  return entries;
}

/**
 * CRC32c (Castagnoli, RFC 9260 appendix A) of some bytes, as an unsigned 32-bit number. `node:zlib`
 * has only the other CRC-32. To go on over several pieces, hand the former result in as `start`.
 */
export function crc32c(bytes: Uint8Array, start = 0): number {
  let crc = ~start;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] as number);
  return ~crc >>> 0;
}
