import { isIPv4, isIPv6 } from 'node:net';
import { normalizeAddress } from '../base/address.ts';
import { proxyV1MaxBytes, proxyV1Signature } from '../base/proxy-protocol.ts';
import type { PeerAddress } from '../base/transport.ts';
import type { ProxyHeaderResult } from './proxy-header.ts';
import { noTlvs } from './proxy-tlvs.ts';

const carriageReturn = 13;
const lineFeed = 10;

/** Version 1: one line of text. `bytes` begins with `PROXY` and a space. Specification §2.1. */
export function parseProxyV1(bytes: Uint8Array): ProxyHeaderResult {
  const end = findLineEnd(bytes);
  if (end === 'incomplete') return { kind: 'incomplete', need: bytes.length + 1 };
  if (end === 'too-long') return { kind: 'invalid', why: 'version 1 line without CRLF in 107 bytes' };
  if (end === 'bare') return { kind: 'invalid', why: 'bare CR or LF in the version 1 line' };
  const text = String.fromCharCode(...bytes.subarray(proxyV1Signature.length, end));
  return parseLine(text, end + 2);
}

/** The offset of CRLF, or why there is none. */
function findLineEnd(bytes: Uint8Array): number | 'incomplete' | 'too-long' | 'bare' {
  const limit = Math.min(bytes.length, proxyV1MaxBytes);
  for (let at = 0; at < limit; at++) {
    const byte = bytes[at];
    if (byte === lineFeed) return 'bare';
    if (byte !== carriageReturn) continue;
    if (at + 1 === proxyV1MaxBytes) return 'too-long';
    if (at + 1 === bytes.length) return 'incomplete';
    return bytes[at + 1] === lineFeed ? at : 'bare';
  }
  return limit === proxyV1MaxBytes ? 'too-long' : 'incomplete';
}

/** `text` is the line without `PROXY `; `length` the whole header's. */
function parseLine(text: string, length: number): ProxyHeaderResult {
  // After UNKNOWN everything up to CRLF must be ignored.
  if (text === 'UNKNOWN' || text.startsWith('UNKNOWN ')) {
    return header(length, null, null);
  }
  const fields = text.split(' ');
  const [protocol, sourceIp, destinationIp, sourcePort, destinationPort] = fields;
  if (fields.length !== 5) return { kind: 'invalid', why: 'version 1 line has not six fields' };
  if (protocol !== 'TCP4' && protocol !== 'TCP6')
    return { kind: 'invalid', why: 'unknown version 1 protocol' };
  const source = endpoint(protocol, sourceIp, sourcePort);
  const destination = endpoint(protocol, destinationIp, destinationPort);
  if (!source || !destination) return { kind: 'invalid', why: 'bad address or port in the version 1 line' };
  return header(length, source, destination);
}

function header(
  length: number,
  source: PeerAddress | null,
  destination: PeerAddress | null,
): ProxyHeaderResult {
  return { kind: 'header', version: 1, length, command: 'proxy', source, destination, tlvs: noTlvs() };
}

/** A canonical port has no sign, no space and no leading zero. */
function endpoint(protocol: 'TCP4' | 'TCP6', ip = '', port = ''): PeerAddress | null {
  // A zone means nothing on another machine, and is no part of the format.
  const valid = protocol === 'TCP4' ? isIPv4(ip) : isIPv6(ip) && !ip.includes('%');
  if (!valid || !/^(0|[1-9][0-9]{0,4})$/.test(port) || Number(port) > 65_535) return null;
  const normalized = normalizeAddress(ip);
  return normalized === undefined ? null : { ip: normalized, port: Number(port) };
}
