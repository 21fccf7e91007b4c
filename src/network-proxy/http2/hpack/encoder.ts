import type { Composition } from '../../../base/transport.ts';
import { staticNames, staticStatuses } from './static-table.ts';

/**
 * Writes heads by HPACK (RFC 7541) with the table that both sides have from the beginning, and
 * keeps nothing: a head can wait, or be given up, without an effect on later ones.
 */

/** A length or an index takes no more than this. */
const mostIntegerBytes = 6;
/** A loop is faster than a call into Node up to here. */
const shortTextBytes = 24;

/** The table of what was sent is empty from here on, and stays so (§6.3). */
export function putTableSizeOfNone(out: Composition): void {
  out.reserve(1);
  out.memory[out.end++] = 0x20;
}

export function putStatus(out: Composition, status: number): void {
  const index = staticStatuses.get(status);
  if (index === undefined) return putField(out, ':status', String(status));
  out.reserve(1);
  out.memory[out.end++] = 0x80 | index;
}

/** A literal that nobody keeps (§6.2.2). The name is in lower case. */
export function putField(out: Composition, name: string, value: string): void {
  out.reserve(name.length + value.length + 3 * mostIntegerBytes);
  const index = staticNames.get(name);
  if (index === undefined) {
    out.memory[out.end++] = 0;
    putText(out, name);
  } else putInteger(out, 4, index);
  putText(out, value);
}

function putText(out: Composition, text: string): void {
  const { length } = text;
  putInteger(out, 7, length);
  const { memory } = out;
  if (length > shortTextBytes) memory.write(text, out.end, length, 'latin1');
  else for (let i = 0; i < length; i++) memory[out.end + i] = text.charCodeAt(i);
  out.end += length;
}

/** §5.1, in a byte whose other bits are 0. */
function putInteger(out: Composition, prefixBits: number, value: number): void {
  const { memory } = out;
  const most = (1 << prefixBits) - 1;
  if (value < most) {
    memory[out.end++] = value;
    return;
  }
  memory[out.end++] = most;
  let rest = value - most;
  for (; rest >= 0x80; rest >>>= 7) memory[out.end++] = 0x80 | (rest & 0x7f);
  memory[out.end++] = rest;
}
