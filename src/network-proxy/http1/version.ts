import { byteClass, digitByte } from './bytes.ts';

const http = Uint8Array.from('HTTP/', (character) => character.charCodeAt(0));

/** Of `HTTP/1.1`. */
export const versionBytes = 8;

/**
 * The minor version of `HTTP/1.0` or `HTTP/1.1` at `at`, where at least eight bytes are. Case
 * matters (RFC 9112 §2.3).
 *
 * @returns −1 for another version, −2 where it is no version
 */
export function readVersion(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < http.length; i++) if (bytes[at + i] !== http[i]) return -2;
  const major = bytes[at + 5]!;
  const minor = bytes[at + 7]!;
  if ((byteClass[major]! & byteClass[minor]! & digitByte) === 0 || bytes[at + 6] !== 0x2e) return -2;
  return major === 0x31 && (minor === 0x30 || minor === 0x31) ? minor - 0x30 : -1;
}
