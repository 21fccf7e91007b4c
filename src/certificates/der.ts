/**
 * The few ASN.1 types that certificates are made of, written in DER (ITU-T X.690). Only writing:
 * what comes from elsewhere is read by Node's own X509Certificate.
 */

/** One encoded value: tag, length, contents. */
export type Der = Buffer;

function encode(tag: number, ...contents: readonly Uint8Array[]): Der {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), encodeLength(body.length), body]);
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = minimalBytes(BigInt(length));
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

function minimalBytes(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

export function sequence(...parts: readonly Der[]): Der {
  return encode(0x30, ...parts);
}

export function set(...parts: readonly Der[]): Der {
  return encode(0x31, ...parts);
}

export function boolean(value: boolean): Der {
  return encode(0x01, Buffer.from([value ? 0xff : 0]));
}

/** Not negative: a first byte with the top bit set gets a 0 in front. */
export function integer(value: bigint): Der {
  const bytes = minimalBytes(value);
  return (bytes[0] ?? 0) >= 0x80 ? encode(0x02, Buffer.from([0]), bytes) : encode(0x02, bytes);
}

export function octetString(contents: Uint8Array): Der {
  return encode(0x04, contents);
}

/** `unused` bits at the end are 0. */
export function bitString(contents: Uint8Array, unused = 0): Der {
  return encode(0x03, Buffer.from([unused]), contents);
}

export function utf8String(text: string): Der {
  return encode(0x0c, Buffer.from(text, 'utf8'));
}

/** `1.2.840.10045.2.1`. */
export function objectIdentifier(dotted: string): Der {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return encode(0x06, Buffer.from([first * 40 + second, ...others.flatMap(base128)]));
}

function base128(arc: number): number[] {
  const bytes = [arc & 0x7f];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest & 0x7f));
  }
  return bytes;
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5), to the second. */
export function time(atMs: number): Der {
  const digits = new Date(atMs).toISOString().replace(/[-:T]|\.\d+/g, '');
  return digits < '2050' ? encode(0x17, Buffer.from(digits.slice(2))) : encode(0x18, Buffer.from(digits));
}

/** A context-specific tag around whole values (EXPLICIT). */
export function explicit(tag: number, ...parts: readonly Der[]): Der {
  return encode(0xa0 | tag, ...parts);
}

/** A context-specific tag in place of a primitive type's own (IMPLICIT). */
export function implicit(tag: number, contents: Uint8Array): Der {
  return encode(0x80 | tag, contents);
}

/** The text form (RFC 7468). */
export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
