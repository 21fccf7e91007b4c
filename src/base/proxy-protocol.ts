/**
 * What reader and writer of the PROXY protocol share. Source: the PROXY protocol specification,
 * versions 1 & 2 (haproxy.org, doc/proxy-protocol.txt), §2.
 */

/** The first 12 bytes of every version 2 header: `\r\n\r\n\0\r\nQUIT\n`. */
export const proxyV2Signature: Uint8Array = Uint8Array.of(
  13,
  10,
  13,
  10,
  0,
  13,
  10,
  0x51,
  0x55,
  0x49,
  0x54,
  10,
);

/** The first bytes of every version 1 header. */
export const proxyV1Signature: Uint8Array = Uint8Array.of(0x50, 0x52, 0x4f, 0x58, 0x59, 0x20);

/** Bytes of a version 2 header before its addresses. */
export const proxyV2FixedBytes = 16;

/** The longest version 1 line, CRLF included. */
export const proxyV1MaxBytes = 107;

/** The longest unique id, in bytes (§2.2.5). */
export const proxyUniqueIdMaxBytes = 128;

/** The registered types of TLVs (§2.2). */
export const proxyTlvTypes = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  sslVersion: 0x21,
  sslCommonName: 0x22,
  sslCipher: 0x23,
  sslSignatureAlgorithm: 0x24,
  sslKeyAlgorithm: 0x25,
  netns: 0x30,
} as const;
