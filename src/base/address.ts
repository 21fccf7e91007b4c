/**
 * IP addresses and CIDRs: read from text, written canonically. One address has one text, so that
 * limits, lists and logs agree on who somebody is: an IPv4-mapped IPv6 address is its IPv4
 * address, and a zone id is dropped (P6).
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
 * The canonical text of an address (RFC 5952 for IPv6), or undefined where `text` is not one.
 * IPv4 takes four decimal parts without leading zeros.
 */
export function normalizeAddress(text: string): string | undefined {
  if (readIpv4(text, 0) >= 0) return text;
  if (text.startsWith('::ffff:') && readIpv4(text, 7) >= 0) return text.slice(7);
  const words = new Int32Array(4);
  const family = readAddress(text, words);
  return family === 0 ? undefined : formatWords(family, words);
}

/** The bytes of an address; an IPv4-mapped one gives its IPv4 address. Undefined where it is not one. */
export function parseAddress(text: string): Address | undefined {
  const words = new Int32Array(4);
  const family = readAddress(text, words);
  return family === 0 ? undefined : { family, bytes: toBytes(family, words) };
}

/** The canonical text of 4 or 16 bytes in network order. */
export function formatAddress(bytes: Uint8Array): string {
  const words = new Int32Array(4);
  for (let i = 0; i < bytes.length; i++) words[i >> 2]! |= bytes[i]! << (24 - 8 * (i & 3));
  const family = bytes.length === 4 ? 4 : unmap(words);
  return formatWords(family, words);
}

/**
 * Reads `10.0.0.0/8` or `2001:db8::/32`; an address alone is a block of one. Bits after the
 * prefix are cleared, and blocks inside ::ffff:0:0/96 become IPv4. Undefined where it is neither.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const words = new Int32Array(4);
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const written = readWritten(addressText, words);
  if (written === 0) return undefined;
  const width = written === 4 ? 32 : 128;
  let prefix = slash < 0 ? width : readPrefix(text.slice(slash + 1), width);
  if (prefix < 0) return undefined;
  let family: 4 | 6 = written;
  if (written === 6 && prefix >= 96) {
    family = unmap(words);
    if (family === 4) prefix -= 96;
  }
  clearBits(words, prefix);
  return { family, bytes: toBytes(family, words), prefix };
}

/** `10.0.0.0/8`: canonical, always with its prefix. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.bytes)}/${cidr.prefix}`;
}

/** Whether an address is this machine's loopback: 127.0.0.0/8 or ::1. */
export function isLoopback(text: string): boolean {
  const words = new Int32Array(4);
  const family = readAddress(text, words);
  if (family === 4) return words[0]! >>> 24 === 127;
  return family === 6 && (words[0]! | words[1]! | words[2]!) === 0 && words[3] === 1;
}

/**
 * Reads an address into 32-bit words (one for IPv4, four for IPv6) and returns its family, or 0.
 * Allocates nothing for IPv4 and for IPv4-mapped addresses as the kernel writes them.
 */
export function readAddress(text: string, words: Int32Array): 0 | 4 | 6 {
  const written = readWritten(text, words);
  return written === 6 ? unmap(words) : written;
}

function readWritten(text: string, words: Int32Array): 0 | 4 | 6 {
  const ipv4 = readIpv4(text, 0);
  if (ipv4 < 0) return readIpv6(text, words) ? 6 : 0;
  words[0] = ipv4 | 0;
  return 4;
}

/** Turns an IPv4-mapped address (RFC 4291 §2.5.5.2) into IPv4 in place, and says what it is then. */
function unmap(words: Int32Array): 4 | 6 {
  if (words[0] !== 0 || words[1] !== 0 || words[2] !== 0xffff) return 6;
  words[0] = words[3]!;
  words[2] = 0;
  words[3] = 0;
  return 4;
}

/** Four decimal parts from `start` to the end of the text, as a number below 2³²; −1 where it is not that. */
function readIpv4(text: string, start: number): number {
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

function readPrefix(text: string, width: number): number {
  if (!/^(0|[1-9][0-9]{0,2})$/.test(text)) return -1;
  const prefix = Number(text);
  return prefix <= width ? prefix : -1;
}

function clearBits(words: Int32Array, prefix: number): void {
  for (let i = 0; i < 4; i++) {
    const kept = Math.min(Math.max(prefix - 32 * i, 0), 32);
    words[i]! &= kept === 0 ? 0 : -1 << (32 - kept);
  }
}

function toBytes(family: 4 | 6, words: Int32Array): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
  return bytes;
}

function formatWords(family: 4 | 6, words: Int32Array): string {
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
