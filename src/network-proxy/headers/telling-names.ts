import type { RequestHead } from '../http1/head.ts';

/**
 * Whether a field might be one that tells of a client (`isReplaced`), by few letters and the
 * length of its name: what is not has not to be looked at again.
 */

const letterX = 0x78;
const letterF = 0x66;
const letterR = 0x72;
/** Of `forwarded` and of `x-real-ip`, the shortest of them. */
const shortest = 9;

/** Without making texts of the names. */
export function headMayTell({ fields, bytes, start }: RequestHead): boolean {
  for (let index = 0; index < fields.count; index++) {
    if (fields.ids[index] !== 0) continue;
    const nameStart = start + fields.nameStart(index);
    const length = start + fields.nameEnd(index) - nameStart;
    if (length < shortest) continue;
    if (mayTell(bytes[nameStart]! | 0x20, bytes[nameStart + 2]! | 0x20, length)) return true;
  }
  return false;
}

/** @param name in lower case */
export function nameMayTell(name: string): boolean {
  const { length } = name;
  return length >= shortest && mayTell(name.charCodeAt(0), name.charCodeAt(2), length);
}

function mayTell(first: number, third: number, length: number): boolean {
  if (first === letterF) return length === shortest;
  return first === letterX && (third === letterF || (third === letterR && length === shortest));
}
