import { ByteCursor } from './byte-cursor.ts';
import { printable } from './printable.ts';
import { parseServerName } from './server-name.ts';

/** What a ClientHello says that matters to a proxy. Text is safe to log. */
export interface HelloFields {
  /** Lower case, no trailing dot; null where there is none or it is an address (see parseServerName). */
  serverName: string | null;
  /** In the client's order, without GREASE; bytes that are not visible ASCII as `%XX`. */
  alpn: string[];
  /** In the client's order, without GREASE: `TLSv1.3`, …, or `0x7f1c` for an unknown one. */
  versions: string[];
  /**
   * The client asks to resume a session: a pre-shared key, a session ticket, or, without TLS 1.3,
   * a session id. (With TLS 1.3 a session id alone is for old middleboxes: RFC 8446 appendix D.4.)
   */
  resumes: boolean;
  /** The client sends data before the handshake is over (RFC 8446 §4.2.10). */
  earlyData: boolean;
  /**
   * The outer part of Encrypted Client Hello is there: `serverName` may be a public name that hides
   * another. A GREASE extension is made to look the same (RFC 9849 §6.2), so this says "perhaps".
   */
  ech: boolean;
}

/** What is wrong: a fixed phrase, safe to log. */
export type HelloProblem = string;

const extensionTypes = {
  serverName: 0,
  alpn: 16,
  sessionTicket: 35,
  preSharedKey: 41,
  earlyData: 42,
  supportedVersions: 43,
  encryptedClientHello: 0xfe0d,
} as const;

const versionNames = new Map([
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLSv1.1'],
  [0x0303, 'TLSv1.2'],
  [0x0304, 'TLSv1.3'],
]);

/** A list of protocols beyond this is no client's, and would be carried around with the record. */
const maxProtocols = 64;

/**
 * Parses the body of a ClientHello: what follows the four bytes of the handshake header (RFC 8446
 * §4.1.2, RFC 5246 §7.4.1.2). Cipher suites, key shares and signatures are not looked at: they
 * are the server's business.
 */
export function parseHelloBody(body: Uint8Array): HelloFields | HelloProblem {
  const cursor = new ByteCursor(body);
  const legacyVersion = cursor.uint16();
  cursor.take(32); // random
  const sessionId = cursor.vector8();
  const cipherSuites = cursor.vector16();
  const compression = cursor.vector8();
  if (cursor.failed) return 'hello cut short';
  if (legacyVersion >> 8 !== 3) return 'unknown legacy version';
  if (sessionId.length > 32) return 'session id over 32 bytes';
  if (cipherSuites.length === 0 || cipherSuites.length % 2 !== 0) return 'malformed cipher suites';
  if (compression.length === 0) return 'no compression method';

  const extensions = readExtensions(cursor);
  if (typeof extensions === 'string') return extensions;
  return readFields(extensions, legacyVersion, sessionId.length > 0);
}

/** The extensions by type. No block at all is allowed: clients before TLS 1.2 sent none. */
function readExtensions(cursor: ByteCursor): Map<number, Uint8Array> | HelloProblem {
  const extensions = new Map<number, Uint8Array>();
  if (!cursor.more) return extensions;
  const block = new ByteCursor(cursor.vector16());
  if (cursor.failed || cursor.more) return 'extensions do not fill the hello';
  while (block.more) {
    const type = block.uint16();
    const data = block.vector16();
    if (block.failed) return 'extension reaches past the end';
    if (extensions.has(type)) return 'an extension comes twice';
    // RFC 8446 §4.2.11: the binders sign everything before them.
    if (extensions.has(extensionTypes.preSharedKey)) return 'pre_shared_key is not the last extension';
    extensions.set(type, data);
  }
  return extensions;
}

function readFields(
  extensions: Map<number, Uint8Array>,
  legacyVersion: number,
  hasSessionId: boolean,
): HelloFields | HelloProblem {
  const nameExtension = extensions.get(extensionTypes.serverName);
  const serverName = nameExtension === undefined ? null : parseServerName(nameExtension);
  if (serverName === undefined) return 'invalid server name';
  const alpn = readAlpn(extensions.get(extensionTypes.alpn));
  if (alpn === null) return 'malformed ALPN';
  const versions = readVersions(extensions.get(extensionTypes.supportedVersions), legacyVersion);
  if (versions === null) return 'malformed supported_versions';
  const hasTicket = (extensions.get(extensionTypes.sessionTicket)?.length ?? 0) > 0;
  return {
    serverName,
    alpn,
    versions,
    resumes:
      extensions.has(extensionTypes.preSharedKey) ||
      hasTicket ||
      (hasSessionId && !versions.includes('TLSv1.3')),
    earlyData: extensions.has(extensionTypes.earlyData),
    ech: extensions.get(extensionTypes.encryptedClientHello)?.[0] === 0,
  };
}

/** RFC 7301 §3.1. */
function readAlpn(data: Uint8Array | undefined): string[] | null {
  if (data === undefined) return [];
  const outer = new ByteCursor(data);
  const list = new ByteCursor(outer.vector16());
  if (outer.failed || outer.more || !list.more) return null;
  const protocols: string[] = [];
  for (let count = 0; list.more; count++) {
    const protocol = list.vector8();
    if (list.failed || protocol.length === 0 || count >= maxProtocols) return null;
    const isGrease =
      protocol.length === 2 && isGreaseValue(((protocol[0] as number) << 8) | (protocol[1] as number));
    if (!isGrease) protocols.push(printable(protocol));
  }
  // A copy has no room for more: this one is kept for as long as the connection lives.
  return protocols.slice();
}

/** RFC 8446 §4.2.1. Without the extension the client speaks its legacy version, or an older one. */
function readVersions(data: Uint8Array | undefined, legacyVersion: number): string[] | null {
  if (data === undefined) return [versionName(legacyVersion)];
  const outer = new ByteCursor(data);
  const bytes = outer.vector8();
  if (outer.failed || outer.more || bytes.length === 0 || bytes.length % 2 !== 0) return null;
  const versions: string[] = [];
  for (const list = new ByteCursor(bytes); list.more; ) {
    const version = list.uint16();
    if (!isGreaseValue(version)) versions.push(versionName(version));
  }
  return versions;
}

function versionName(version: number): string {
  return versionNames.get(version) ?? `0x${version.toString(16).padStart(4, '0')}`;
}

/** RFC 8701 §2: 0x0a0a, 0x1a1a, … 0xfafa. */
function isGreaseValue(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}
