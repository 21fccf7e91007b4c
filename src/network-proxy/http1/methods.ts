/**
 * The methods that are forwarded: those that other servers of HTTP/1.1 read too. Another one is
 * answered with 501 (RFC 9112 §3), unless the parser is told to let all tokens through.
 */
const implemented = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
  // WebDAV and its kin: RFC 4918, 3253, 3744, 4791, 5323, 5842
  ...['COPY', 'LOCK', 'MKCOL', 'MOVE', 'PROPFIND', 'PROPPATCH', 'SEARCH', 'UNLOCK'],
  ...['REPORT', 'MKACTIVITY', 'CHECKOUT', 'MERGE', 'ACL', 'MKCALENDAR', 'BIND', 'REBIND', 'UNBIND'],
  // RFC 2068, UPnP, caches
  ...['LINK', 'UNLINK', 'M-SEARCH', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PURGE'],
];

/** Longer ones are no methods of anybody: `unknown-method` before more of them is read. */
export const maxMethodBytes = 32;

/** Methods by length; each is compared with few others, and none makes a new text. */
const byLength: readonly (readonly string[])[] = Array.from({ length: maxMethodBytes + 1 }, (_, length) =>
  implemented.filter((method) => method.length === length),
);

/** The implemented method that the bytes are; undefined where they are none. Methods are case-sensitive. */
export function methodOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  const candidates = byLength[end - start];
  if (candidates === undefined) return undefined;
  for (let i = 0; i < candidates.length; i++) {
    if (equals(bytes, start, candidates[i]!)) return candidates[i];
  }
  return undefined;
}

function equals(bytes: Uint8Array, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
