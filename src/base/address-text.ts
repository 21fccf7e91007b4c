/**
 * The texts of IP addresses as 32-bit words: what address.ts and the prefix trie are made of.
 * IPv4 takes the first word, IPv6 all four; words are in network order, as signed numbers.
 */

export interface Address {
  readonly family: 4 | 6;
  /** Network order: 4 bytes or 16. */
  readonly bytes: Uint8Array;
}

/** A block of addresses. The bits of `bytes` after the first `prefix` are 0. */
export interface Cidr extends Address {
  /** 0–32 or 0–128. */
  readonly prefix: number;
}

const dot = 0x2e;
const colon = 0x3a;

/**
 * Reads an address into 32-bit words (one for IPv4, four for IPv6) and returns its family, or 0.
 * Allocates nothing for IPv4 and for IPv4-mapped addresses as the kernel writes them.
 */
export function readAddress(text: string, words: Int32Array): 0 | 4 | 6 {
  const written = readWritten(text, words);
  return written === 6 ? unmap(words) : written;
}

/** As `readAddress`, but an IPv4-mapped address stays IPv6. */
export function readWritten(text: string, words: Int32Array): 0 | 4 | 6 {
  const ipv4 = readIpv4(text, 0);
  if (ipv4 < 0) return readIpv6(text, words) ? 6 : 0;
  words[0] = ipv4 | 0;
  return 4;
}

/** Turns an IPv4-mapped address (RFC 4291 §2.5.5.2) into IPv4 in place, and says what it is then. */
export function unmap(words: Int32Array): 4 | 6 {
  if (words[0] !== 0 || words[1] !== 0 || words[2] !== 0xffff) return 6;
  words[0] = words[3]!;
  words[2] = 0;
  words[3] = 0;
  return 4;
}

/** Four decimal parts from `start` to the end of the text, as a number below 2³²; −1 where it is not that. */
export function readIpv4(text: string, start: number): number {
  if (text.length - start < 7 || text.length - start > 15) return -1;
  let value = 0;
  let parts = 0;
  let part = 0;
  let digits = 0;
  for (let i = start; i <= text.length; i++) {
    const code = i === text.length ? dot : text.charCodeAt(i);
    if (code === dot) {
      if (digits === 0 || part > 255 || ++parts > 4) return -1;
      value = value * 256 + part;
      part = 0;
      digits = 0;
    } else {
      if (code < 0x30 || code > 0x39 || (digits > 0 && part === 0)) return -1;
      part = part * 10 + code - 0x30;
      digits++;
    }
  }
  return parts === 4 ? value : -1;
}

/** RFC 4291 §2.2, all three forms, with an optional zone id (RFC 4007 §11), which is dropped. */
function readIpv6(text: string, words: Int32Array): boolean {
  const zone = text.indexOf('%');
  if (zone === text.length - 1 && zone >= 0) return false;
  const bare = zone < 0 ? text : text.slice(0, zone);
  if (bare.length < 2 || bare.length > 45) return false;
  const gap = bare.indexOf('::');
  const head: number[] = [];
  const tail: number[] = [];
  if (gap < 0) {
    if (!readGroups(bare, head, true) || head.length !== 8) return false;
  } else {
    if (!readGroups(bare.slice(0, gap), head, false)) return false;
    if (!readGroups(bare.slice(gap + 2), tail, true)) return false;
    if (head.length + tail.length > 7) return false;
  }
  words.fill(0);
  for (const [i, group] of head.entries()) setGroup(words, i, group);
  for (const [i, group] of tail.entries()) setGroup(words, 8 - tail.length + i, group);
  return true;
}

function setGroup(words: Int32Array, index: number, group: number): void {
  words[index >> 1]! |= index & 1 ? group : group << 16;
}

/** Hexadecimal groups between colons; the last may be an IPv4 address where `last` says so. */
function readGroups(text: string, groups: number[], last: boolean): boolean {
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf(':', start);
    if (end < 0) end = text.length;
    else if (end === text.length - 1) return false;
    const ipv4 = last && end === text.length ? readIpv4(text, start) : -1;
    if (ipv4 >= 0) groups.push(ipv4 >>> 16, ipv4 & 0xffff);
    else {
      const group = readGroup(text, start, end);
      if (group < 0) return false;
      groups.push(group);
    }
    start = end + 1;
  }
  return true;
}

function readGroup(text: string, start: number, end: number): number {
  if (end === start || end - start > 4) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    const lower = code | 0x20;
    if (code >= 0x30 && code < colon) value = value * 16 + code - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return -1;
  }
  return value;
}

/** 4 or 16 bytes in network order. */
export function toBytes(family: 4 | 6, words: Int32Array): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
  return bytes;
}

/** The canonical text: RFC 5952 for IPv6. */
export function formatWords(family: 4 | 6, words: Int32Array): string {
  if (family === 4) return toBytes(4, words).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (words[i >> 1]! >>> (i & 1 ? 0 : 16)) & 0xffff);
  const [start, length] = longestZeros(groups);
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

/** Where the longest run of zero groups begins and how long it is; the first of equals (RFC 5952 §4.2.3). */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let run = 0;
  groups.forEach((group, i) => {
    run = group === 0 ? run + 1 : 0;
    if (run > best[1]) best = [i - run + 1, run];
  });
  return best;
}

/** The words of 4 or 16 bytes. */
export function toWords(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(4);
  for (let i = 0; i < bytes.length; i++) words[i >> 2]! |= bytes[i]! << (24 - 8 * (i & 3));
  return words;
}
