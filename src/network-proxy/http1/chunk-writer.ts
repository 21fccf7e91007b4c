import type { Field, Trailers } from '../exchange.ts';

const lastChunk = Buffer.from('0\r\n\r\n', 'latin1');

/** `bytes` as one chunk (RFC 9112 §7.1). Empty bytes give nothing: a chunk without content is the last. */
export function chunkOf(bytes: Uint8Array): Buffer {
  if (bytes.length === 0) return Buffer.alloc(0);
  const size = bytes.length.toString(16);
  const out = Buffer.allocUnsafe(size.length + bytes.length + 4);
  let at = out.write(`${size}\r\n`, 0, 'latin1');
  out.set(bytes, at);
  at += bytes.length;
  out[at] = 0x0d;
  out[at + 1] = 0x0a;
  return out;
}

/** What ends a chunked body, with its trailers. */
export function endOfChunks(trailers: Trailers): Buffer {
  if (trailers === null || trailers.length === 0) return lastChunk;
  return Buffer.from(`0\r\n${fieldLines(trailers)}\r\n`, 'latin1');
}

/** Fields as lines, each with its CRLF. The caller has checked them. */
export function fieldLines(fields: readonly Field[]): string {
  let lines = '';
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  return lines;
}
