import { byteClass, digitByte, equalsWord, tab } from './bytes.ts';
import { type Framing, inChunks, noBody, tunnel, untilClose } from './framing.ts';
import type { Head, RequestHead, ResponseHead } from './head.ts';
import { knownFields } from './known-fields.ts';
import { type Refusal, type RefusalCode, responseRefusals } from './refusals.ts';

/** 999 TB; more digits than that are no body but an attack on somebody's arithmetic. */
const maxLengthDigits = 15;

/** What a response answers, as far as its framing depends on it. */
export interface AnsweredRequest {
  readonly method: string;
  /** The request asked for another protocol and had no body: only then may a 101 come. */
  readonly upgrade: boolean;
}

/**
 * Reads Content-Length and Transfer-Encoding into the head. Whatever two readers could understand
 * differently is refused, never repaired: both fields at once, repeated fields (even with equal
 * values), anything but digits or `chunked`, tabs around them, and codings in HTTP/1.0.
 */
export function readBodyFields(head: Head): RefusalCode | null {
  const { fields } = head;
  const coded = fields.has(knownFields['transfer-encoding']);
  const sized = fields.has(knownFields['content-length']);
  if (!coded && !sized) return null;
  if (fields.isRepeated(knownFields['content-length'])) return 'length-repeated';
  if (fields.isRepeated(knownFields['transfer-encoding'])) return 'coding-repeated';
  if (coded && sized) return 'length-and-coding';
  return coded ? readCoding(head) : readLength(head);
}

function readLength(head: Head): RefusalCode | null {
  const { fields, bytes, start } = head;
  const index = fields.indexOf(knownFields['content-length']);
  if (hasTabs(head, index)) return 'length-invalid';
  const end = start + fields.valueEnd(index);
  let at = start + fields.valueStart(index);
  if (at === end) return 'length-invalid';
  const tooLarge = end - at > maxLengthDigits;
  let length = 0;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if ((byteClass[byte]! & digitByte) === 0) return 'length-invalid';
    length = length * 10 + byte - 0x30;
  }
  if (tooLarge) return 'length-too-large';
  head.contentLength = length;
  return null;
}

function readCoding(head: Head): RefusalCode | null {
  const { fields, bytes, start } = head;
  if (head.minorVersion === 0) return 'coding-version';
  const index = fields.indexOf(knownFields['transfer-encoding']);
  if (hasTabs(head, index)) return 'coding-invalid';
  const valueStart = start + fields.valueStart(index);
  if (!equalsWord(bytes, valueStart, start + fields.valueEnd(index), 'chunked')) {
    return otherCoding(head.valueAt(index));
  }
  head.chunked = true;
  return null;
}

/** `gzip, chunked` is sound but not implemented; what does not end with exactly one `chunked` has no end. */
function otherCoding(value: string): RefusalCode {
  const codings = value
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  const sound = codings.every((coding) => /^[a-z0-9-]+$/.test(coding));
  return sound && codings.indexOf('chunked') === codings.length - 1 ? 'coding-unknown' : 'coding-invalid';
}

/** Tabs are white space to some readers and part of the value to others. */
function hasTabs({ fields, bytes, start, length }: Head, index: number): boolean {
  const lineEnd = index + 1 < fields.count ? fields.nameStart(index + 1) : length - 2;
  for (let at = start + fields.nameEnd(index); at < start + lineEnd; at++) if (bytes[at] === tab) return true;
  return false;
}

/** How a request's body ends, once its fields were read. */
export function requestFraming(head: RequestHead): Framing | RefusalCode {
  if (head.method === 'CONNECT') return head.chunked || head.contentLength >= 0 ? 'connect-body' : noBody;
  if (head.chunked) return inChunks;
  return head.contentLength > 0 ? { kind: 'length', bytes: head.contentLength } : noBody;
}

/**
 * How a response's body ends (RFC 9112 §6.3), or why it cannot be believed, which makes a 502:
 * - a 101 that was not asked for, or that does not say to what; a 1xx or 204 with
 *   Transfer-Encoding or a length other than 0; a 2xx to CONNECT with either;
 * - what `readBodyFields` refuses, whatever the status (told by the parser).
 */
export function responseFraming(head: ResponseHead, request: AnsweredRequest): Framing | Refusal {
  const { status } = head;
  const hasLength = head.chunked || head.contentLength > 0;
  if (status < 200) {
    if (hasLength) return responseRefusals['length-forbidden'];
    if (status !== 101) return noBody;
    return request.upgrade && head.upgrade !== null ? tunnel : responseRefusals['upgrade-unasked'];
  }
  if (request.method === 'CONNECT' && status < 300) {
    return head.chunked || head.contentLength >= 0 ? responseRefusals['length-forbidden'] : tunnel;
  }
  if (status === 204) return hasLength ? responseRefusals['length-forbidden'] : noBody;
  if (status === 304 || request.method === 'HEAD') return noBody;
  if (head.chunked) return inChunks;
  if (head.contentLength < 0) return untilClose;
  return head.contentLength === 0 ? noBody : { kind: 'length', bytes: head.contentLength };
}

/** Whether the connection may carry another message after this one (RFC 9112 §9.3). */
export function staysOpen(head: Head, framing: Framing): boolean {
  return head.keepAlive && framing.kind !== 'until-close' && framing.kind !== 'tunnel';
}
