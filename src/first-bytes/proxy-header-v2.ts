import { formatAddress } from '../base/address.ts';
import { proxyV2FixedBytes } from '../base/proxy-protocol.ts';
import type { PeerAddress } from '../base/transport.ts';
import type { ProxyHeaderResult } from './proxy-header.ts';
import { noTlvs, parseTlvs } from './proxy-tlvs.ts';

/**
 * The longest version 2 header that is accepted, in bytes. The format allows 65,551; a client
 * certificate among the TLVs is the longest thing that is really sent, at a few thousand.
 */
const maxHeaderBytes = 16_384;

/** Bytes of both addresses and ports, by address family: unspecified, IPv4, IPv6, unix. */
const addressBlockBytes = [0, 12, 36, 216] as const;

const stream = 1;

/** Version 2: binary. `bytes` begins with the signature. Specification §2.2. */
export function parseProxyV2(bytes: Uint8Array): ProxyHeaderResult {
  const versionAndCommand = bytes[12];
  if (versionAndCommand === undefined) return { kind: 'incomplete', need: bytes.length + 1 };
  if (versionAndCommand >> 4 !== 2) return { kind: 'invalid', why: 'unknown version' };
  const command = versionAndCommand & 15;
  if (command > 1) return { kind: 'invalid', why: 'unknown version 2 command' };
  if (bytes.length < proxyV2FixedBytes) return { kind: 'incomplete', need: proxyV2FixedBytes };

  const length = proxyV2FixedBytes + readUint16(bytes, 14);
  if (length > maxHeaderBytes) return { kind: 'invalid', why: 'version 2 header over 16384 bytes' };
  const familyAndProtocol = bytes[13] as number;
  const problem = command === 0 ? null : checkFamily(familyAndProtocol, length);
  if (problem) return { kind: 'invalid', why: problem };
  if (bytes.length < length) return { kind: 'incomplete', need: length };

  // LOCAL: the whole block is discarded, the family with it.
  if (command === 0) {
    return {
      kind: 'header',
      version: 2,
      length,
      command: 'local',
      source: null,
      destination: null,
      tlvs: noTlvs(),
    };
  }
  return parseBlock(bytes.subarray(0, length), familyAndProtocol);
}

function checkFamily(familyAndProtocol: number, length: number): string | null {
  const addressBytes = addressBlockBytes[familyAndProtocol >> 4];
  if (addressBytes === undefined) return 'unknown version 2 address family';
  if ((familyAndProtocol & 15) > 2) return 'unknown version 2 transport protocol';
  if (length < proxyV2FixedBytes + addressBytes) return 'version 2 header shorter than its addresses';
  return null;
}

function parseBlock(bytes: Uint8Array, familyAndProtocol: number): ProxyHeaderResult {
  const family = familyAndProtocol >> 4;
  const tlvs = parseTlvs(bytes, proxyV2FixedBytes + (addressBlockBytes[family] ?? 0));
  if (typeof tlvs === 'string') return { kind: 'invalid', why: tlvs };
  const isTcp = (family === 1 || family === 2) && (familyAndProtocol & 15) === stream;
  return {
    kind: 'header',
    version: 2,
    length: bytes.length,
    command: 'proxy',
    source: isTcp ? readEndpoint(bytes, family, 0) : null,
    destination: isTcp ? readEndpoint(bytes, family, 1) : null,
    tlvs,
  };
}

/** `which` is 0 for the source, 1 for the destination: both addresses come first, then both ports. */
function readEndpoint(bytes: Uint8Array, family: 1 | 2, which: 0 | 1): PeerAddress {
  const size = family === 1 ? 4 : 16;
  const start = proxyV2FixedBytes + which * size;
  return {
    ip: formatAddress(bytes.subarray(start, start + size)),
    port: readUint16(bytes, proxyV2FixedBytes + 2 * size + 2 * which),
  };
}

function readUint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}
