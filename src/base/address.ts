import {
  type Address,
  type Cidr,
  formatWords,
  readAddress,
  readIpv4,
  readWritten,
  toBytes,
  toWords,
  unmap,
} from './address-text.ts';

export type { Address, Cidr };

/**
 * IP addresses and CIDRs: read from text, written canonically. One address has one text, so that
 * limits, lists and logs agree on who somebody is: an IPv4-mapped IPv6 address is its IPv4
 * address, and a zone id is dropped (P6).
 */

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
  const words = toWords(bytes);
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
