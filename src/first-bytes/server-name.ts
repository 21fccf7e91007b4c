import { isIP } from 'node:net';

/** RFC 1035 §2.3.4: 255 octets on the wire are 253 characters of text without the last dot. */
const maxNameLength = 253;

/**
 * Letters, digits and hyphens, and the underscore, which is found in names that work. Everything
 * else, `*` with them, is no host name. A label has 1 to 63 of them.
 */
const label = /^[a-z0-9_-]{1,63}$/;

/**
 * The `server_name` extension of a ClientHello (RFC 6066 §3), as the name to route by.
 *
 * | the client sends                                   | outcome                          |
 * |----------------------------------------------------|----------------------------------|
 * | no extension                                       | no name (not decided here)       |
 * | a host name, any case                              | the name in lower case           |
 * | with one trailing dot                              | the name without it              |
 * | an IPv4 or IPv6 address                            | no name: RFC 6066 forbids it, some clients do it |
 * | an empty extension, list or name                   | invalid                          |
 * | NUL, a space, UTF-8, `*`, or any other character   | invalid (IDNs travel as `xn--…`) |
 * | an empty label, one over 63, a name over 253       | invalid                          |
 * | a last label of digits alone, but no address       | invalid                          |
 * | two names, or a name of another type               | invalid                          |
 * | a length that does not fit                         | invalid                          |
 * | the extension twice                                | invalid (not decided here)       |
 *
 * Invalid is never "no name": that would let a broken hello reach a default route. A name that is
 * returned has only the characters above, so it is safe to log.
 *
 * @returns the name, null for no name, or undefined for an invalid extension
 */
export function parseServerName(extension: Uint8Array): string | null | undefined {
  // list length (2), name type (1), name length (2), name
  if (extension.length < 6) return undefined;
  const listLength = ((extension[0] as number) << 8) | (extension[1] as number);
  const nameLength = ((extension[3] as number) << 8) | (extension[4] as number);
  const onlyOneName = listLength === extension.length - 2 && nameLength === listLength - 3;
  if (!onlyOneName || extension[2] !== 0 || nameLength > maxNameLength + 1) return undefined;
  let text = '';
  for (let at = 5; at < extension.length; at++) text += String.fromCharCode(extension[at] as number);
  return normalizeServerName(text);
}

function normalizeServerName(text: string): string | null | undefined {
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase();
  if (isIP(name) !== 0) return null;
  if (name.length > maxNameLength) return undefined;
  const labels = name.split('.');
  if (!labels.every((part) => label.test(part))) return undefined;
  return /^[0-9]+$/.test(labels.at(-1) as string) ? undefined : name;
}
