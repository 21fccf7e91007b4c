import { normalizeAddress } from '../../base/address.ts';
import { byteClass, colon, digitByte, nameByte, skipWhile } from './bytes.ts';
import type { RequestHead } from './head.ts';
import { knownFields } from './known-fields.ts';
import type { RefusalCode } from './refusals.ts';

const openBracket = 0x5b;
const closeBracket = 0x5d;
const dot = 0x2e;
/** The longest name in DNS, with its last dot. */
const maxNameBytes = 254;

/**
 * Checks `name`, `address` or `[IPv6]`, each with an optional port from 1 to 65535 (RFC 9112 §3.2,
 * RFC 3986 §3.2.2). Stricter than the RFC: a name consists of letters, digits, `-`, `_` and single
 * dots; there is no user information, no percent-encoding, no empty host and no empty port.
 *
 * @returns where the port's colon is, or `end` where there is no port; −1 where it is invalid
 */
export function portColon(bytes: Buffer, start: number, end: number): number {
  const nameEnd = bytes[start] === openBracket ? addressEnd(bytes, start, end) : nameEndOf(bytes, start, end);
  if (nameEnd < 0 || nameEnd === end) return nameEnd;
  return bytes[nameEnd] === colon && isPort(bytes, nameEnd + 1, end) ? nameEnd : -1;
}

function nameEndOf(bytes: Uint8Array, start: number, end: number): number {
  const nameEnd = skipWhile(bytes, start, end, nameByte);
  if (nameEnd === start || nameEnd - start > maxNameBytes || bytes[start] === dot) return -1;
  for (let at = start + 1; at < nameEnd; at++) if (bytes[at] === dot && bytes[at - 1] === dot) return -1;
  return nameEnd;
}

function addressEnd(bytes: Buffer, start: number, end: number): number {
  const close = bytes.indexOf(closeBracket, start);
  if (close < 0 || close >= end || close - start > 46) return -1;
  const address = bytes.toString('latin1', start + 1, close);
  return address.includes(':') && normalizeAddress(address) !== undefined ? close + 1 : -1;
}

function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > 5) return false;
  let port = 0;
  for (let at = start; at < end; at++) {
    if ((byteClass[bytes[at]!]! & digitByte) === 0) return false;
    port = port * 10 + bytes[at]! - 0x30;
  }
  return port > 0 && port <= 65_535;
}

/**
 * The rules of Host (RFC 9112 §3.2): exactly one in HTTP/1.1, at most one in HTTP/1.0, and valid.
 * Where the target has an authority of its own, that one counts (§3.2.2), and Host must say the same.
 */
export function hostRefusal(head: RequestHead): RefusalCode | null {
  const { fields, bytes, start } = head;
  if (fields.isRepeated(knownFields.host)) return 'host-repeated';
  const index = fields.indexOf(knownFields.host);
  if (index < 0) return head.minorVersion === 1 ? 'host-missing' : null;
  const isAlone = head.authorityStart === head.authorityEnd;
  if (isAlone && head.repeatsAuthority(index)) return null;
  const valueStart = start + fields.valueStart(index);
  const valueEnd = start + fields.valueEnd(index);
  if (portColon(bytes, valueStart, valueEnd) < 0) return 'host-invalid';
  if (isAlone) return null;
  const defaultPort =
    head.form === 'authority'
      ? ''
      : head.authorityStart - head.targetStart === 'https://'.length
        ? ':443'
        : ':80';
  const authority = canonical(head.authority, defaultPort);
  return authority === canonical(head.valueAt(index), defaultPort) ? null : 'host-differs';
}

function canonical(authority: string, defaultPort: string): string {
  const lower = authority.toLowerCase();
  return defaultPort !== '' && lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower;
}
