/** Why a message is refused. Nothing of it may be forwarded, and the connection cannot go on. */
export interface Refusal {
  readonly kind: 'invalid';
  readonly code: RefusalCode;
  /** What the client is answered: 400, 413, 414, 431, 501 or 505; 502 where a backend is to blame. */
  readonly status: number;
  /** A fixed phrase, safe to log. */
  readonly why: string;
}

export type RefusalCode = keyof typeof reasons;

/** Status for requests, and the reason. Sources are sections of RFC 9112 where nothing else is said. */
const reasons = {
  // The start line: §3, §4
  method: [400, 'the method is not a token followed by one space'],
  'unknown-method': [501, 'the method is not one that is implemented'],
  target: [400, 'the request target has a forbidden byte or is empty'],
  'target-form': [400, 'the form of the request target does not fit the method (§3.2)'],
  'target-too-long': [414, 'the request target is too long'],
  version: [400, 'the start line has no well-formed HTTP version'],
  'unknown-version': [505, 'the version is neither HTTP/1.0 nor HTTP/1.1'],
  'status-code': [400, 'the status code is not three digits from 100 on'],
  'reason-phrase': [400, 'the reason phrase has a forbidden byte'],
  // Lines and fields: §2.2, §5
  'bare-cr': [400, 'a CR stands without LF'],
  'bare-lf': [400, 'a LF stands without CR'],
  'folded-line': [400, 'a field line begins with white space (§5.2)'],
  'field-name': [400, 'a field name is empty or has a forbidden byte'],
  'space-before-colon': [400, 'white space stands before a colon (§5.1)'],
  'field-value': [400, 'a field value has a control character'],
  'too-many-fields': [431, 'there are too many fields'],
  'head-too-large': [431, 'the head is too large'],
  // Host: §3.2
  'host-missing': [400, 'an HTTP/1.1 request has no Host'],
  'host-repeated': [400, 'there is more than one Host'],
  'host-invalid': [400, 'the host is not a name or address with an optional port'],
  'host-differs': [400, 'Host and the authority of the request target differ'],
  // Framing: §6
  'length-repeated': [400, 'there is more than one Content-Length'],
  'length-invalid': [400, 'Content-Length is not digits only'],
  'length-too-large': [413, 'Content-Length is too large'],
  'length-and-coding': [400, 'there is both Content-Length and Transfer-Encoding'],
  'coding-repeated': [400, 'there is more than one Transfer-Encoding'],
  'coding-invalid': [400, 'Transfer-Encoding does not end with one chunked'],
  'coding-unknown': [501, 'there is a transfer coding beside chunked'],
  'coding-version': [400, 'HTTP/1.0 has no Transfer-Encoding'],
  'connect-body': [400, 'CONNECT has a body'],
  // Connection: RFC 9110 §7.6.1
  'connection-option': [400, 'Connection has something that is not a token'],
  'connection-names-framing': [400, 'Connection names a field that every recipient needs'],
  'connection-names-too-many': [431, 'Connection names too many fields'],
  'upgrade-invalid': [400, 'Upgrade is not a list of protocols'],
  // Answers that do not fit the request: RFC 9110 §15
  'length-forbidden': [400, 'a status without content came with the length of one'],
  'upgrade-unasked': [400, 'a 101 came that was not asked for, or does not say to what'],
  // Chunks: §7.1
  'chunk-size': [400, 'a chunk size is not hexadecimal digits'],
  'chunk-too-large': [400, 'a chunk size has too many digits'],
  'chunk-extension': [400, 'a chunk extension is malformed'],
  'extension-too-long': [400, 'a chunk extension is too long'],
  'chunk-end': [400, 'a chunk is longer than its size'],
  'trailer-forbidden': [400, 'a trailer has a field that must come before the body'],
} as const satisfies Record<string, readonly [number, string]>;

function table(status?: number): Readonly<Record<RefusalCode, Refusal>> {
  const entries = Object.entries(reasons).map(([code, [ownStatus, why]]) => {
    return [code, Object.freeze({ kind: 'invalid', code, status: status ?? ownStatus, why })] as const;
  });
  return Object.freeze(Object.fromEntries(entries) as Record<RefusalCode, Refusal>);
}

/** What a client is told of its request. */
export const requestRefusals: Readonly<Record<RefusalCode, Refusal>> = table();

/** The same of a backend's answer: whatever is wrong, the client is told 502. */
export const responseRefusals: Readonly<Record<RefusalCode, Refusal>> = table(502);
