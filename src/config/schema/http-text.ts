import { text } from './fields.ts';

/** A field's name (RFC 9110 §5.1: a token). */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export const headerName = text("a header's name, such as 'x-version'", (value) => token.test(value));

/**
 * Those that frame messages or belong to one connection (RFC 9110 §7.6.1, RFC 9112 §6): SmartProxy
 * writes them, and one that is made up would let a request be read in two ways.
 */
const framing = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** In answers that SmartProxy gives itself. */
export const ownHeaders = text(
  "a header's name, and none that frames messages such as 'content-length'",
  (value) => token.test(value) && !framing.has(value.toLowerCase()),
);

/** In edits: Host has a field of its own, which keeps there being exactly one. */
export const editedName = text(
  "a header's name; not 'host' (see hostHeader), and none that frames messages such as 'content-length'",
  (value) => token.test(value) && !framing.has(value.toLowerCase()) && value.toLowerCase() !== 'host',
);

export const expectedHeaderValue =
  'a text that fits in one header line: no line breaks or other control characters, no space at its ends, letters of Latin-1';

/** RFC 9110 §5.5: visible characters, with spaces and tabs between them; bytes up to 255. */
export function isHeaderValue(value: string): boolean {
  return /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/.test(value);
}

/** `preserve`, `target`, or a host with an optional port (RFC 9110 §7.2). */
export function isHostHeader(value: string): boolean {
  return /^(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(value);
}

/** A URL, or a path, of visible ASCII; braces only around `host`, `path` and `query`. */
export function isRedirectTarget(value: string): boolean {
  const filled = value.replaceAll(/\{(?:host|path|query)\}/g, '/');
  return /^(?:https?:\/|\/)[\x21-\x7e]*$/i.test(filled) && !/[{}\\"<>^`|]/.test(filled);
}
