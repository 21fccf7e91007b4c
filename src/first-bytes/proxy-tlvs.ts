import { crc32c } from '../base/crc32c.ts';
import { proxyTlvTypes, proxyUniqueIdMaxBytes } from '../base/proxy-protocol.ts';
import { printable } from './printable.ts';

/** What a version 2 header tells beside the addresses. Text is safe to log. */
export interface ProxyTlvs {
  /** The negotiated protocol. */
  alpn?: string;
  /** The host name that the client asked for. */
  authority?: string;
  /** Opaque, at most 128 bytes. */
  uniqueId?: Uint8Array;
  ssl?: ProxySsl;
  /** The name of a network namespace. */
  netns?: string;
  /** Whether a checksum was there; it was right, or the header would be invalid. */
  crc32c?: true;
  /** Everything else, in order. */
  other: { type: number; value: Uint8Array }[];
}

/** The client's TLS connection to the sender (specification §2.2.6). */
interface ProxySsl {
  /** Bits: 1 the client used TLS, 2 it gave a certificate on this connection, 4 in this session. */
  client: number;
  /** It gave a certificate, and that was verified. */
  verified: boolean;
  version?: string;
  commonName?: string;
  cipher?: string;
  signatureAlgorithm?: string;
  keyAlgorithm?: string;
}

/** A fresh empty set. */
export function noTlvs(): ProxyTlvs {
  return { other: [] };
}

interface Tlv {
  type: number;
  value: Uint8Array;
  /** Where the value begins in the whole header. */
  offset: number;
}

/** Types of which a second one would make the header ambiguous. */
const atMostOnce: ReadonlySet<number> = new Set([
  proxyTlvTypes.alpn,
  proxyTlvTypes.authority,
  proxyTlvTypes.crc32c,
  proxyTlvTypes.uniqueId,
  proxyTlvTypes.ssl,
  proxyTlvTypes.netns,
]);

/**
 * Reads the TLVs of a whole version 2 header from `start` to its end. Returns a fixed phrase, safe
 * to log, where they are malformed: one reaches past the end, a known one comes twice, a length is
 * wrong, text is not UTF-8 or has control characters, or the checksum does not fit.
 */
export function parseTlvs(header: Uint8Array, start: number): ProxyTlvs | string {
  const list = split(header, start);
  if (typeof list === 'string') return list;
  const tlvs = noTlvs();
  const seen = new Set<number>();
  for (const tlv of list) {
    if (atMostOnce.has(tlv.type) && seen.has(tlv.type)) return 'a TLV comes twice';
    seen.add(tlv.type);
    const problem = apply(tlvs, tlv, header);
    if (problem) return problem;
  }
  return tlvs;
}

function split(bytes: Uint8Array, start: number): Tlv[] | string {
  const list: Tlv[] = [];
  let at = start;
  while (at < bytes.length) {
    if (at + 3 > bytes.length) return 'a TLV reaches past the end';
    const offset = at + 3;
    const end = offset + (((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number));
    if (end > bytes.length) return 'a TLV reaches past the end';
    list.push({ type: bytes[at] as number, value: bytes.subarray(offset, end), offset });
    at = end;
  }
  return list;
}

/** Adds one TLV; returns what is wrong with it, or null. */
function apply(tlvs: ProxyTlvs, tlv: Tlv, header: Uint8Array): string | null {
  switch (tlv.type) {
    case proxyTlvTypes.noop:
      return null;
    case proxyTlvTypes.alpn:
      tlvs.alpn = printable(tlv.value);
      return null;
    case proxyTlvTypes.crc32c:
      tlvs.crc32c = true;
      return checksumFits(tlv, header) ? null : 'wrong CRC32c';
    case proxyTlvTypes.uniqueId:
      if (tlv.value.length > proxyUniqueIdMaxBytes) return 'unique id over 128 bytes';
      tlvs.uniqueId = new Uint8Array(tlv.value);
      return null;
    case proxyTlvTypes.authority:
      return setText(tlvs, 'authority', tlv.value);
    case proxyTlvTypes.netns:
      return setText(tlvs, 'netns', tlv.value);
    case proxyTlvTypes.ssl:
      return setSsl(tlvs, tlv);
    default:
      tlvs.other.push({ type: tlv.type, value: new Uint8Array(tlv.value) });
      return null;
  }
}

/** The checksum counts the header with zeros in the checksum's own place. */
function checksumFits(tlv: Tlv, header: Uint8Array): boolean {
  if (tlv.value.length !== 4) return false;
  const before = crc32c(header.subarray(0, tlv.offset));
  const within = crc32c(new Uint8Array(4), before);
  const actual = crc32c(header.subarray(tlv.offset + 4), within);
  return actual === new DataView(tlv.value.buffer, tlv.value.byteOffset).getUint32(0);
}

function setText<Key extends string>(
  into: { [key in Key]?: string },
  key: Key,
  value: Uint8Array,
): string | null {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(value);
  // U+FFFD is what the decoder puts where there is no UTF-8.
  if (/[\p{Cc}\p{Cf}\u2028\u2029\ufffd]/u.test(text)) return 'a TLV with text that is not';
  into[key] = text;
  return null;
}

const sslFields = new Map<
  number,
  'version' | 'commonName' | 'cipher' | 'signatureAlgorithm' | 'keyAlgorithm'
>([
  [proxyTlvTypes.sslVersion, 'version'],
  [proxyTlvTypes.sslCommonName, 'commonName'],
  [proxyTlvTypes.sslCipher, 'cipher'],
  [proxyTlvTypes.sslSignatureAlgorithm, 'signatureAlgorithm'],
  [proxyTlvTypes.sslKeyAlgorithm, 'keyAlgorithm'],
]);

function setSsl(tlvs: ProxyTlvs, tlv: Tlv): string | null {
  if (tlv.value.length < 5) return 'SSL TLV too short';
  const list = split(tlv.value, 5);
  if (typeof list === 'string') return list;
  const client = tlv.value[0] as number;
  const gaveCertificate = (client & 6) !== 0;
  const ssl: ProxySsl = {
    client,
    verified: gaveCertificate && tlv.value.subarray(1, 5).every((byte) => byte === 0),
  };
  for (const inner of list) {
    const field = sslFields.get(inner.type);
    const problem = field ? setText(ssl, field, inner.value) : null;
    if (problem) return problem;
  }
  tlvs.ssl = ssl;
  return null;
}
