import type { RefusalCode } from '../../../src/network-proxy/http1/refusals.ts';

/**
 * Every way in which ours is stricter than llhttp in strict mode, with its reason. A difference
 * whose code is not here is a failure, and so is every one in which ours is laxer.
 */
export const stricter: Partial<Record<RefusalCode, string>> = {
  method: 'llhttp skips any number of CR and LF before a request; RFC 9112 §2.2 speaks of one empty line',
  version: 'llhttp takes RTSP and ICE, several spaces before the version, and empty lines before responses',
  'bare-lf': 'llhttp skips any number of CR and LF before a message',
  'bare-cr': 'llhttp skips any number of CR and LF before a message',
  'unknown-method': 'llhttp reads SOURCE with HTTP, which is a method of ICE',
  target: 'llhttp takes fragments, bytes from 0x80 on, tabs and form feeds in targets (RFC 9112 §3.2)',
  'target-form': 'llhttp takes any scheme, user information, CONNECT without port, and * for every method',
  'reason-phrase': 'llhttp takes control characters in reason phrases',
  'status-code': 'llhttp takes status codes below 100',
  'unknown-version': 'llhttp takes HTTP/0.9 and HTTP/2.0 in start lines',
  'host-missing': 'llhttp leaves Host to its user (RFC 9112 §3.2)',
  'host-repeated': 'llhttp leaves Host to its user',
  'host-invalid': 'llhttp leaves Host to its user',
  'host-differs': 'llhttp leaves Host to its user (RFC 9112 §3.2.2)',
  'length-invalid': 'llhttp takes tabs beside digits, which others take for part of the value',
  'length-too-large': 'llhttp takes up to 2⁶⁴ − 1 bytes, which no number here holds',
  'length-repeated': 'llhttp refuses a second Content-Length only where it has the first one’s digits',
  'coding-unknown': 'llhttp takes other codings before chunked',
  'coding-invalid': 'llhttp takes a response with other codings as ending with the connection',
  'coding-repeated': 'llhttp takes several Transfer-Encoding as one list',
  'coding-version': 'llhttp takes Transfer-Encoding in HTTP/1.0, which RFC 9112 §6.1 calls faulty',
  'length-and-coding': 'llhttp ignores both where a status or method has no body',
  'connect-body': 'llhttp ignores the body of CONNECT',
  'connection-option': 'llhttp ignores what it does not know in Connection',
  'connection-names-framing': 'llhttp does not drop fields, so their names do not matter to it',
  'upgrade-invalid': 'llhttp ignores what Upgrade says',
  'length-forbidden': 'llhttp ignores the length of what has no body (RFC 9112 §6.1, RFC 9110 §8.6)',
  'upgrade-unasked': 'llhttp takes every 101',
  'field-value': 'llhttp takes some control characters in values',
  'chunk-too-large': 'llhttp takes sizes up to 2⁶⁴ − 1, with any number of zeros in front',
  'chunk-extension': 'llhttp takes extensions with other bytes than RFC 9112 §7.1.1 has',
  'trailer-forbidden': 'llhttp takes fields in trailers that must come before the body (RFC 9110 §6.5.1)',
};
