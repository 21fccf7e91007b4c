import dgram from 'node:dgram';
import { once } from 'node:events';

/** What a name has. A family that is missing gets no answer at all; an empty list gets "no data". */
export interface DnsZone {
  [name: string]: { a?: string[]; aaaa?: string[]; ttl?: number; code?: number };
}

/** A DNS server on loopback that knows a few names (RFC 1035 §4). */
export interface DnsServer {
  /** For `setServers`. */
  address: string;
  zone: DnsZone;
  /** `name type` of each question so far. */
  questions: string[];
  close(): Promise<void>;
}

export async function startDnsServer(zone: DnsZone): Promise<DnsServer> {
  const socket = dgram.createSocket('udp4');
  const server: DnsServer = {
    address: '',
    zone,
    questions: [],
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
  socket.on('message', (message, from) => {
    const reply = answer(server, message);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  server.address = `127.0.0.1:${socket.address().port}`;
  return server;
}

function answer(server: DnsServer, message: Buffer): Buffer | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = message.readUInt16BE(at + 1);
  const question = message.subarray(12, at + 5);
  const name = labels.join('.').toLowerCase();
  server.questions.push(`${name} ${type === 28 ? 'AAAA' : 'A'}`);
  const known = server.zone[name];
  const addresses = known === undefined ? [] : type === 28 ? known.aaaa : known.a;
  if (addresses === undefined && known?.code === undefined) return undefined;
  const records = (addresses ?? []).map((ip) => record(type, known?.ttl ?? 60, ip));
  const header = Buffer.alloc(12);
  message.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (known === undefined ? 3 : (known.code ?? 0)), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

function record(type: number, ttl: number, ip: string): Buffer {
  const data = type === 28 ? ipv6Bytes(ip) : Buffer.from(ip.split('.').map(Number));
  const head = Buffer.alloc(12);
  // A pointer to the name in the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv6Bytes(ip: string): Buffer {
  const [front = '', back] = ip.split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back === undefined || back === '' ? [] : back.split(':');
  const middle = back === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => '0');
  const groups = [...head, ...middle, ...tail].map((group) => Number.parseInt(group, 16));
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 255]));
}
