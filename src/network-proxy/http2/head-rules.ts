import { byteClass, digitByte, tokenByte, valueByte } from '../http1/bytes.ts';

/**
 * What makes a head malformed (RFC 9113 §8.1.1): its stream is reset, and nobody hears of it.
 * Heads are names and values in turn, one character for each byte.
 */

/** Fields of one connection (§8.2.2). */
const forbiddenNames: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

const pseudoNames = [':method', ':scheme', ':authority', ':path', ':protocol'] as const;
const [method, scheme, authority, path, protocol] = [1, 2, 4, 8, 16] as const;

/** Longer ones are no exact numbers any more. */
const mostLengthDigits = 15;

/** Whether a request's head is sound. */
export function isRequestSound(raw: readonly string[]): boolean {
  let seen = 0;
  let isConnect = false;
  let place = 0;
  for (; place < raw.length && raw[place]!.charCodeAt(0) === colon; place += 2) {
    const bit = 1 << pseudoNames.indexOf(raw[place] as (typeof pseudoNames)[number]);
    const value = raw[place + 1]!;
    if (bit < 0 || (seen & bit) !== 0 || !isValue(value)) return false;
    if (value === '' && bit !== authority) return false;
    seen |= bit;
    if (bit === method) isConnect = value === 'CONNECT';
  }
  return arePseudoFieldsSound(seen, isConnect) && areFieldsSound(raw, place);
}

/** §8.3.1, and RFC 8441 §4 for CONNECT with a protocol. */
function arePseudoFieldsSound(seen: number, isConnect: boolean): boolean {
  if (isConnect && (seen & protocol) === 0) return seen === (method | authority);
  if (!isConnect && (seen & protocol) !== 0) return false;
  return (seen & (method | scheme | path)) === (method | scheme | path);
}

/** Whether trailers are sound. */
export function areTrailersSound(raw: readonly string[]): boolean {
  return areFieldsSound(raw, 0);
}

function areFieldsSound(raw: readonly string[], from: number): boolean {
  let lengths = 0;
  for (let place = from; place < raw.length; place += 2) {
    const name = raw[place]!;
    const value = raw[place + 1]!;
    if (!isName(name) || !isValue(value) || forbiddenNames.has(name)) return false;
    if (name === 'te' && value.toLowerCase() !== 'trailers') return false;
    if (name === 'content-length' && (++lengths > 1 || !isLength(value))) return false;
  }
  return true;
}

const colon = 0x3a;

/** Tokens without a capital letter (§8.2.1). */
function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if ((byteClass[code]! & tokenByte) === 0 || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return name.length > 0;
}

/** No CR, LF, NUL or other control character, and no white space around it (§8.2.1). */
function isValue(value: string): boolean {
  const last = value.length - 1;
  for (let i = 0; i <= last; i++) if ((byteClass[value.charCodeAt(i)]! & valueByte) === 0) return false;
  return last < 0 || !(isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(last)));
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function isLength(value: string): boolean {
  if (value.length === 0 || value.length > mostLengthDigits) return false;
  for (let i = 0; i < value.length; i++) {
    if ((byteClass[value.charCodeAt(i)]! & digitByte) === 0) return false;
  }
  return true;
}
