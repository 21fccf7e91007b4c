/** Answers for those that are turned away before anything was negotiated with them. */

/**
 * A fatal TLS alert in a record of its own (RFC 8446 §6; before the ServerHello alerts are not
 * encrypted). The record says TLS 1.2, which every client takes.
 */
function fatalAlert(description: number): Uint8Array {
  return Uint8Array.of(21, 3, 3, 0, 2, 2, description);
}

/** No route for the name, or for a hello without one (RFC 6066 §3). */
export const unrecognizedNameAlert: Uint8Array = fatalAlert(112);

/** A hello that cannot be parsed (RFC 8446 §6.2). */
export const decodeErrorAlert: Uint8Array = fatalAlert(50);

/** A hello over the limit, or one that policy refuses (RFC 8446 §6.2). */
export const accessDeniedAlert: Uint8Array = fatalAlert(49);

/** Nothing is wrong with the hello: there is no certificate to answer it with (RFC 8446 §6.2). */
export const internalErrorAlert: Uint8Array = fatalAlert(80);

function plainAnswer(status: string, text: string): Uint8Array {
  const body = `${text}\n`;
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  return new TextEncoder().encode(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Clear-text HTTP where TLS is spoken. */
export const plainHttpAnswer: Uint8Array = plainAnswer('400 Bad Request', 'This port speaks TLS: use https.');
