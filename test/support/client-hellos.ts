import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** What a made-up ClientHello says. Everything has a default that real servers would take. */
export interface HelloDescription {
  /** Bytes or text of the one server name; null for no extension. */
  serverName?: string | Uint8Array | null;
  alpn?: readonly string[];
  /** `supported_versions`; null for no extension. Default: 1.3 and 1.2. */
  versions?: readonly number[] | null;
  legacyVersion?: number;
  sessionId?: Uint8Array;
  /** Bytes of a post-quantum sized key share: 1216 makes a hello of about 1.5 KB. */
  keyShareBytes?: number;
  /** Further extensions, before the server name. */
  before?: readonly Extension[];
  /** Further extensions, after the server name, which otherwise is last. */
  after?: readonly Extension[];
}

export type Extension = readonly [type: number, data: Uint8Array];

/** A ClientHello in one TLS record (or as few as fit), made from a description. Deterministic. */
export function buildHello(description: HelloDescription = {}): Uint8Array {
  return inRecords(buildHelloMessage(description), [16_384]);
}

/** The handshake message alone, without record headers. */
export function buildHelloMessage(description: HelloDescription = {}): Uint8Array {
  const extensions = describeExtensions(description).map(([type, data]) =>
    concat(uint16(type), vector16(data)),
  );
  const body = concat(
    uint16(description.legacyVersion ?? 0x0303),
    new Uint8Array(32).fill(0x5a),
    vector8(description.sessionId ?? new Uint8Array(32).fill(7)),
    vector16(Uint8Array.of(0x2a, 0x2a, 0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f)),
    vector8(Uint8Array.of(0)),
    extensions.length === 0 ? new Uint8Array(0) : vector16(concat(...extensions)),
  );
  return concat(Uint8Array.of(1, body.length >> 16, (body.length >> 8) & 255, body.length & 255), body);
}

function describeExtensions(description: HelloDescription): Extension[] {
  const { versions = [0x0304, 0x0303], alpn, keyShareBytes, serverName = 'a.test' } = description;
  const extensions: Extension[] = [...(description.before ?? [])];
  if (versions) extensions.push([43, vector8(concat(...versions.map(uint16)))]);
  if (alpn) extensions.push([16, vector16(concat(...alpn.map((name) => vector8(latin1(name)))))]);
  if (keyShareBytes) {
    const share = concat(uint16(0x11ec), vector16(new Uint8Array(keyShareBytes).fill(0x16)));
    extensions.push([51, vector16(share)]);
  }
  if (serverName !== null) extensions.push(serverNameExtension(serverName));
  return [...extensions, ...(description.after ?? [])];
}

/** An extension with one name in its list. */
export function serverNameExtension(name: string | Uint8Array): Extension {
  const bytes = typeof name === 'string' ? latin1(name) : name;
  return [0, vector16(concat(Uint8Array.of(0), vector16(bytes)))];
}

/**
 * A handshake message in records whose payloads have the given sizes, in turn; the last size goes
 * for all that is left.
 */
export function inRecords(message: Uint8Array, sizes: readonly number[]): Uint8Array {
  const records: Uint8Array[] = [];
  for (let at = 0, index = 0; at < message.length; index++) {
    const size = sizes[Math.min(index, sizes.length - 1)] as number;
    const fragment = message.subarray(at, at + size);
    records.push(concat(Uint8Array.of(22, 3, 1), vector16(fragment)));
    at += fragment.length;
  }
  return concat(...records);
}

/** The handshake message of a hello in records: the record headers are taken out. */
export function withoutRecords(hello: Uint8Array): Uint8Array {
  const fragments: Uint8Array[] = [];
  for (let at = 0; at < hello.length; ) {
    const length = ((hello[at + 3] as number) << 8) | (hello[at + 4] as number);
    fragments.push(hello.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return concat(...fragments);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

export function vector8(bytes: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(bytes.length), bytes);
}

export function vector16(bytes: Uint8Array): Uint8Array {
  return concat(uint16(bytes.length), bytes);
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/**
 * The first bytes that a real client sends to a server that never answers, as far as they are
 * one whole flight: `isComplete` tells when.
 *
 * @param connect starts the client; a process that it returns is stopped afterwards
 */
export async function captureFirstBytes(
  connect: (port: number) => ChildProcess | Socket,
  isComplete: (bytes: Uint8Array) => boolean,
): Promise<Uint8Array> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port);
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => {});
  let bytes: Uint8Array = new Uint8Array(0);
  for await (const chunk of socket) {
    bytes = concat(bytes, chunk as Uint8Array);
    if (isComplete(bytes)) break;
  }
  const exited = 'kill' in client ? once(client, 'exit') : undefined;
  if ('kill' in client) client.kill('SIGKILL');
  else client.destroy();
  socket.destroy();
  server.close();
  await Promise.all([exited, once(server, 'close')]);
  return bytes;
}

/** Starts a client program, quiet and without input. */
export function startClient(command: string, parameters: readonly string[]): ChildProcess {
  return spawn(command, parameters, { stdio: ['pipe', 'ignore', 'ignore'] });
}

/** What a program prints that runs to its end. */
export function runProgram(command: string, parameters: readonly string[]): string {
  return execFileSync(command, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
