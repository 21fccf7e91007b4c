/** Real first bytes for simulated clients: ClientHellos and PROXY headers, built from their RFCs. */

const utf8 = new TextEncoder();

function uint16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function uint24(value: number): number[] {
  return [value >> 16, ...uint16(value & 0xffff)];
}

function extension(type: number, body: number[]): number[] {
  return [...uint16(type), ...uint16(body.length), ...body];
}

/** RFC 6066, section 3. */
function serverNameExtension(name: string): number[] {
  const host = [...utf8.encode(name)];
  const entry = [0, ...uint16(host.length), ...host];
  return extension(0, [...uint16(entry.length), ...entry]);
}

/** RFC 7301, section 3.1. */
function alpnExtension(protocols: readonly string[]): number[] {
  const list = protocols.flatMap((protocol) => [protocol.length, ...utf8.encode(protocol)]);
  return extension(16, [...uint16(list.length), ...list]);
}

export interface HelloShape {
  serverName: string | null;
  alpn: readonly string[];
  /** Size of the key share: 32 for X25519, 1,216 for X25519MLKEM768. */
  keyShareBytes: number;
  /** Longest TLS record that the hello is cut into. */
  recordBytes: number;
}

/** A TLS 1.3 ClientHello (RFC 8446, section 4.1.2), the name last, over as many records as it takes. */
export function clientHello(shape: HelloShape): Uint8Array {
  const share = new Array<number>(shape.keyShareBytes).fill(7);
  const entry = [...uint16(0x001d), ...uint16(share.length), ...share];
  const extensions = [
    ...extension(43, [2, 0x03, 0x04]),
    ...extension(51, [...uint16(entry.length), ...entry]),
    ...(shape.alpn.length > 0 ? alpnExtension(shape.alpn) : []),
    ...(shape.serverName === null ? [] : serverNameExtension(shape.serverName)),
  ];
  const body = [
    ...[3, 3],
    ...new Array<number>(32).fill(9), // random
    ...[32, ...new Array<number>(32).fill(5)], // session id
    ...[0, 2, 0x13, 0x01], // one cipher suite
    ...[1, 0], // no compression
    ...uint16(extensions.length),
    ...extensions,
  ];
  return records([1, ...uint24(body.length), ...body], shape.recordBytes);
}

function records(handshake: number[], recordBytes: number): Uint8Array {
  const bytes: number[] = [];
  for (let from = 0; from < handshake.length; from += recordBytes) {
    const part = handshake.slice(from, from + recordBytes);
    bytes.push(22, 3, 1, ...uint16(part.length), ...part);
  }
  return Uint8Array.from(bytes);
}

/** PROXY protocol, version 1. */
export function proxyHeaderV1(ip: string, port: number): Uint8Array {
  return utf8.encode(`PROXY TCP4 ${ip} 192.0.2.1 ${port} 443\r\n`);
}

/** PROXY protocol, version 2, TCP over IPv4. */
export function proxyHeaderV2(ip: string, port: number): Uint8Array {
  const signature = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
  const source = ip.split('.').map(Number);
  const addresses = [...source, ...[192, 0, 2, 1], ...uint16(port), ...uint16(443)];
  return Uint8Array.from([...signature, 0x21, 0x11, ...uint16(addresses.length), ...addresses]);
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
