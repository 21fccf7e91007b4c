/**
 * What a byte may be part of in an HTTP/1.1 head (RFC 9110 §5.6.2, §5.5; RFC 9112 §3), as one
 * table of bits: a look-up instead of a chain of comparisons for each byte.
 */

export const tab = 0x09;
export const lf = 0x0a;
export const cr = 0x0d;
export const space = 0x20;
export const comma = 0x2c;
export const colon = 0x3a;

/** `tchar`: methods, field names, options. */
export const tokenByte = 1;
/** Field values and reason phrases: visible ASCII, space, tab, and 0x80–0xFF (obs-text). */
export const valueByte = 2;
/**
 * Request targets: visible ASCII but `#`. RFC 3986 has fewer, but browsers send `|`, `^`, `{` or
 * `"` in queries; what is outside of ASCII must be percent-encoded by whoever sends it.
 */
export const targetByte = 4;
/** Registered names as they occur in DNS, with underscore. */
export const nameByte = 8;
export const digitByte = 16;

/** The bits of each byte. */
export const byteClass: Uint8Array = classify();

/** ASCII letters in lower case, all else as it is. */
export const lowerCase: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** The value of a hexadecimal digit; 255 for all else. */
export const hexValue: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase());
  return digit < 0 ? 255 : digit;
});

function classify(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const text = String.fromCharCode(byte);
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(text)) table[byte]! |= tokenByte;
    if (byte === tab || (byte >= space && byte !== 0x7f)) table[byte]! |= valueByte;
    if (byte > space && byte < 0x7f && text !== '#') table[byte]! |= targetByte;
    if (/[-._0-9A-Za-z]/.test(text)) table[byte]! |= nameByte;
    if (byte >= 0x30 && byte <= 0x39) table[byte]! |= digitByte;
  }
  return table;
}

/** The first position from `at` on whose byte is not in `mask`, at most `end`. */
export function skipWhile(bytes: Uint8Array, at: number, end: number, mask: number): number {
  while (at < end && (byteClass[bytes[at]!]! & mask) !== 0) at++;
  return at;
}

/** Whether the bytes from `start` to `end` are `word`, in any case. `word` is lower-case ASCII. */
export function equalsWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if (lowerCase[bytes[start + i]!] !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether every character of `text` is a byte of `mask`. */
export function consistsOf(text: string, mask: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || (byteClass[code]! & mask) === 0) return false;
  }
  return true;
}

/** A loop is faster than a call into Node up to here. */
const shortRunBytes = 24;

/** Copies `length` bytes of `from`, from `start` on, to `at` in another memory. */
export function copyBytes(from: Buffer, start: number, to: Buffer, at: number, length: number): void {
  if (length > shortRunBytes) from.copy(to, at, start, start + length);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}

/** The same memory, with the methods of Node's. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
