import { proxyV1Signature, proxyV2Signature } from '../base/proxy-protocol.ts';

/** What a connection begins with. `http2` is clear-text HTTP/2 (RFC 9113 §3.3). */
export type SniffResult = 'tls' | 'http' | 'http2' | 'proxy-header' | 'other' | 'undecided';

const space = 0x20;
const hyphen = 0x2d;

/** The longest registered method, UPDATEREDIRECTREF, has 17 letters. */
const maxMethodBytes = 20;

/**
 * Tells from the first bytes what a client speaks, with as few of them as possible: two for TLS,
 * `GET /` for HTTP. Longer input never changes an answer other than `undecided`.
 *
 * HTTP is a method in capitals, one space, and the beginning of a request target (RFC 9112 §3.2:
 * `/`, `*`, `http`, anything for CONNECT). The target is needed because many line protocols also
 * begin with a word in capitals (`EHLO a.test`, Redis's `GET key`), the capitals because nearly
 * all text would otherwise be undecided until its first space. Empty lines before a request are
 * not skipped. A PROXY header is told from HTTP by its space and its word, which is no method.
 */
export function sniffProtocol(bytes: Uint8Array): SniffResult {
  const [first, second] = bytes;
  if (first === undefined) return 'undecided';
  if (first === 0x16) return second === undefined ? 'undecided' : second === 3 ? 'tls' : 'other';
  const v2 = beginsLike(bytes, proxyV2Signature);
  if (v2 !== 'no') return v2 === 'yes' ? 'proxy-header' : 'undecided';
  const v1 = beginsLike(bytes, proxyV1Signature);
  return v1 === 'yes' ? 'proxy-header' : sniffHttp(bytes);
}

function beginsLike(bytes: Uint8Array, signature: Uint8Array): 'yes' | 'no' | 'perhaps' {
  const known = Math.min(bytes.length, signature.length);
  for (let at = 0; at < known; at++) if (bytes[at] !== signature[at]) return 'no';
  return known === signature.length ? 'yes' : 'perhaps';
}

function sniffHttp(bytes: Uint8Array): SniffResult {
  let at = 0;
  while (at < bytes.length && isMethodByte(bytes[at] as number)) if (++at > maxMethodBytes) return 'other';
  if (at === bytes.length) return 'undecided';
  if (at === 0 || bytes[at] !== space) return 'other';
  const method = String.fromCharCode(...bytes.subarray(0, at));
  return sniffTarget(method, bytes.subarray(at + 1, at + 5));
}

function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === hyphen;
}

/** `target` is up to four bytes of it. */
function sniffTarget(method: string, target: Uint8Array): SniffResult {
  if (target.length === 0) return 'undecided';
  const text = String.fromCharCode(...target);
  if (text.startsWith('/')) return 'http';
  if (text.startsWith('*')) return method === 'PRI' ? 'http2' : 'http';
  if (method === 'CONNECT') return /^[a-z0-9[]/i.test(text) ? 'http' : 'other';
  if (!'http'.startsWith(text.toLowerCase())) return 'other';
  return text.length === 4 ? 'http' : 'undecided';
}
