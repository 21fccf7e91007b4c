import { parseAddress } from '../base/address.ts';
import { crc32c } from '../base/crc32c.ts';
import {
  proxyTlvTypes,
  proxyUniqueIdMaxBytes,
  proxyV2FixedBytes,
  proxyV2Signature,
} from '../base/proxy-protocol.ts';
import type { PeerAddress } from '../base/transport.ts';

/** What a PROXY header tells the target. */
export interface OutgoingProxyHeader {
  /** The client, as we know it. */
  source: PeerAddress;
  /** The address that it connected to. */
  destination: PeerAddress;
  /** Version 2 only; version 1 has no place for them. */
  tlvs?: OutgoingTlvs;
}

interface OutgoingTlvs {
  /** The protocol, in ASCII. */
  alpn?: string;
  /** The server name that the client asked for. */
  authority?: string;
  /** At most 128 bytes; text goes as UTF-8. */
  uniqueId?: string | Uint8Array;
  /** Add a checksum of the header. Default false. */
  crc32c?: boolean;
  /** Anything else; 0xE0 to 0xEF are free for applications. */
  other?: readonly { type: number; value: Uint8Array }[];
}

const commandLocal = 0x20;
const commandProxy = 0x21;

/** High half: address family 1 IPv4, 2 IPv6; low half: 1 stream. */
const tcpFamilies = { 4: 0x11, 6: 0x21 } as const;

/**
 * A PROXY header, to be sent before everything else (haproxy.org, doc/proxy-protocol.txt §2).
 *
 * Where one address is IPv4 and the other IPv6, the IPv4 one goes as `::ffff:a.b.c.d`. Where one
 * is no address (a unix socket) there is nothing to tell: version 1 says UNKNOWN, version 2
 * LOCAL without TLVs, which every receiver must take, using the connection's own addresses.
 *
 * @throws RangeError where a TLV is over its bound, in which case the header could not be read:
 *   65,535 bytes for all together, 128 for the unique id
 */
export function encodeProxyHeader(version: 1 | 2, header: OutgoingProxyHeader): Uint8Array {
  const pair = addressPair(header);
  return version === 1 ? encodeV1(header, pair) : encodeV2(header, pair);
}

interface AddressPair {
  family: 4 | 6;
  source: Uint8Array;
  destination: Uint8Array;
}

/** Both addresses in one family, or null where either is none. */
function addressPair({ source, destination }: OutgoingProxyHeader): AddressPair | null {
  const from = parseAddress(source.ip);
  const to = parseAddress(destination.ip);
  if (!from || !to) return null;
  if (from.family === to.family) return { family: from.family, source: from.bytes, destination: to.bytes };
  return { family: 6, source: mapped(from.bytes), destination: mapped(to.bytes) };
}

/** RFC 4291 §2.5.5.2. */
function mapped(bytes: Uint8Array): Uint8Array {
  return bytes.length === 16 ? bytes : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...bytes);
}

function encodeV1({ source, destination }: OutgoingProxyHeader, pair: AddressPair | null): Uint8Array {
  if (pair === null) return ascii('PROXY UNKNOWN\r\n');
  const [from, to] = [source.ip, destination.ip].map((ip) =>
    pair.family === 6 && !ip.includes(':') ? `::ffff:${ip}` : ip,
  );
  return ascii(`PROXY TCP${pair.family} ${from} ${to} ${source.port} ${destination.port}\r\n`);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function encodeV2({ source, destination, tlvs }: OutgoingProxyHeader, pair: AddressPair | null): Uint8Array {
  if (pair === null) return fixedPart(commandLocal, 0, 0);
  const ports = new DataView(new ArrayBuffer(4));
  ports.setUint16(0, source.port);
  ports.setUint16(2, destination.port);
  const list = tlvs ? encodeTlvs(tlvs) : [];
  const block = [pair.source, pair.destination, new Uint8Array(ports.buffer), ...list];
  const length = block.reduce((sum, part) => sum + part.length, 0);
  const bytes = join([fixedPart(commandProxy, tcpFamilies[pair.family], length), ...block]);
  if (tlvs?.crc32c) sign(bytes);
  return bytes;
}

function fixedPart(versionAndCommand: number, familyAndProtocol: number, length: number): Uint8Array {
  if (length > 65_535) throw new RangeError('PROXY header over 65535 bytes');
  const bytes = new Uint8Array(proxyV2FixedBytes);
  bytes.set(proxyV2Signature);
  bytes.set([versionAndCommand, familyAndProtocol, length >> 8, length & 255], proxyV2Signature.length);
  return bytes;
}

/** The checksum is the last: that is where `sign` puts it. */
function encodeTlvs(tlvs: OutgoingTlvs): Uint8Array[] {
  const list: Uint8Array[] = [];
  if (tlvs.alpn !== undefined) list.push(tlv(proxyTlvTypes.alpn, ascii(tlvs.alpn)));
  if (tlvs.authority !== undefined) list.push(tlv(proxyTlvTypes.authority, ascii(tlvs.authority)));
  if (tlvs.uniqueId !== undefined) list.push(tlv(proxyTlvTypes.uniqueId, uniqueIdBytes(tlvs.uniqueId)));
  for (const { type, value } of tlvs.other ?? []) list.push(tlv(type, value));
  if (tlvs.crc32c) list.push(tlv(proxyTlvTypes.crc32c, new Uint8Array(4)));
  return list;
}

function uniqueIdBytes(uniqueId: string | Uint8Array): Uint8Array {
  const bytes = typeof uniqueId === 'string' ? ascii(uniqueId) : uniqueId;
  if (bytes.length > proxyUniqueIdMaxBytes) throw new RangeError('unique id over 128 bytes');
  return bytes;
}

function tlv(type: number, value: Uint8Array): Uint8Array {
  if (value.length > 65_535) throw new RangeError('TLV over 65535 bytes');
  return join([Uint8Array.of(type, value.length >> 8, value.length & 255), value]);
}

/** Fills in the checksum, which counts the header with zeros in its place. */
function sign(bytes: Uint8Array): void {
  new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32c(bytes));
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
