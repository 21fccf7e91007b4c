import type { Composition } from '../../base/transport.ts';
import type { Field, HeadChanges, HttpResponse } from '../exchange.ts';
import { hopByHopNames } from '../http1/hop-by-hop-names.ts';
import { eachForwarded, handshakeNames } from './forwarded-fields.ts';
import { frameHeadBytes } from './frames.ts';
import { putField, putStatus } from './hpack/encoder.ts';

/** Each puts a head by HPACK, and returns how much that was before it was compressed. */

/** The head of a forwarded answer. 101 becomes 200: what follows it is the tunnel. */
export function putAnswer(out: Composition, response: HttpResponse, changes: HeadChanges): number {
  const upgraded = response.status === 101;
  putStatus(out, upgraded ? 200 : response.status);
  let bytes = frameHeadBytes;
  eachForwarded(response, changes, upgraded ? handshakeNames : null, (name, value) => {
    bytes += name.length + value.length;
    putField(out, name, value);
  });
  return bytes;
}

/** A status and fields of our own. */
export function putOwn(out: Composition, status: number, fields: readonly Field[]): number {
  putStatus(out, status);
  return frameHeadBytes + putFields(out, fields);
}

/** Fields after a body. Those that would be about the connection are left out. */
export function putTrailers(out: Composition, trailers: readonly Field[]): number {
  return frameHeadBytes + putFields(out, trailers);
}

function putFields(out: Composition, fields: readonly Field[]): number {
  let bytes = 0;
  for (const [name, value] of fields) {
    const lower = name.toLowerCase();
    if (hopByHopNames.has(lower)) continue;
    bytes += name.length + value.length;
    putField(out, lower, value);
  }
  return bytes;
}

export const nothingChanged: HeadChanges = { dropped: [], added: { fields: [], lines: Buffer.alloc(0) } };
