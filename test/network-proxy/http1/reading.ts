import assert from 'node:assert/strict';
import type { Framing } from '../../../src/network-proxy/http1/framing.ts';
import { type AnsweredRequest, responseFraming } from '../../../src/network-proxy/http1/framing-rules.ts';
import type { RequestHead, ResponseHead } from '../../../src/network-proxy/http1/head.ts';
import type { HeadLimits } from '../../../src/network-proxy/http1/head-limits.ts';
import type { Refusal } from '../../../src/network-proxy/http1/refusals.ts';
import { RequestParser } from '../../../src/network-proxy/http1/request-parser.ts';
import { ResponseParser } from '../../../src/network-proxy/http1/response-parser.ts';

export const limits: HeadLimits = { headerBytes: 65_536 };

/** Lines with CRLF between them, an empty line, and what follows it. */
export function message(lines: readonly string[], rest = ''): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${rest}`, 'latin1');
}

/** A GET for a.test with more lines. */
export function get(...lines: string[]): Buffer {
  return message(['GET / HTTP/1.1', 'Host: a.test', ...lines]);
}

/** What comes of a request that arrives whole. It must be the same when it arrives byte by byte. */
export function readRequest(bytes: Buffer, options = limits): RequestHead | Refusal | null {
  const whole = new RequestParser(options).parse(bytes, 0, bytes.length);
  const slow = byteByByte(new RequestParser(options), bytes);
  assert.equal(outcome(slow), outcome(whole));
  return whole;
}

export function readResponse(bytes: Buffer, options = limits): ResponseHead | Refusal | null {
  const whole = new ResponseParser(options).parse(bytes, 0, bytes.length);
  const slow = byteByByte(new ResponseParser(options), bytes);
  assert.equal(outcome(slow), outcome(whole));
  return whole;
}

function byteByByte(
  parser: RequestParser | ResponseParser,
  bytes: Buffer,
): RequestHead | ResponseHead | Refusal | null {
  for (let to = 0; to < bytes.length; to++) {
    const told = parser.parse(bytes, 0, to);
    if (told !== null) return told;
  }
  return parser.parse(bytes, 0, bytes.length);
}

/** `request`, `incomplete`, or the code of a refusal. */
export function outcome(told: RequestHead | ResponseHead | Refusal | null): string {
  if (told === null) return 'incomplete';
  return told.kind === 'invalid' ? told.code : `${told.kind} of ${told.length} bytes`;
}

export function accepted(bytes: Buffer): RequestHead {
  const told = readRequest(bytes);
  assert.equal(told?.kind, 'request', outcome(told));
  return told;
}

export function acceptedResponse(bytes: Buffer): ResponseHead {
  const told = readResponse(bytes);
  assert.equal(told?.kind, 'response', outcome(told));
  return told;
}

/** Asserts that each of the requests is refused with this code. */
export function refusesAll(code: string, requests: readonly Buffer[]): void {
  for (const bytes of requests)
    assert.equal(outcome(readRequest(bytes)), code, JSON.stringify(String(bytes)));
}

const toGet: AnsweredRequest = { method: 'GET', upgrade: false };

/** The framing of a response, as a text: `length 5`, `chunked`, or why it is refused. */
export function framingOf(lines: readonly string[], request = toGet): string {
  const head = readResponse(message(lines));
  if (head === null || head.kind === 'invalid') return outcome(head);
  const framing = responseFraming(head, request);
  return framing.kind === 'invalid' ? framing.code : framingText(framing);
}

export function framingText(framing: Framing): string {
  return framing.kind === 'length' ? `length ${framing.bytes}` : framing.kind;
}
