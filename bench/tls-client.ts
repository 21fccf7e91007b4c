/**
 * A client of TLS in a process of its own, told over IPC:
 *
 * - `{ handshakes: 'full' | 'resumed', seconds }` makes connections one after another, several at a time,
 *   each with a handshake and an orderly end, and answers `{ count, resumed }`;
 * - `{ open: count }` holds idle connections, and answers `opened`;
 * - `{ readSeconds, streams }` asks for bytes and counts them, and answers `{ bytes }`.
 */
import { once } from 'node:events';
import { argv } from 'node:process';
import { connect, type TLSSocket } from 'node:tls';

const port = Number(argv[2]);
const atOnce = 8;
/** Few at a time: a listener's backlog is bounded. */
const openAtOnce = 50;
/** Another name in each request would change what is measured: all clients ask for the same. */
const servername = 'bench.test';
const held: TLSSocket[] = [];

function open(session?: Buffer): TLSSocket {
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
    ...(session && { session }),
  });
  return socket.on('error', () => undefined);
}

/** One connection from its SYN to its end. Rejects where the handshake fails. */
async function handshake(session?: Buffer): Promise<boolean> {
  const socket = open(session);
  await once(socket, 'secureConnect');
  const resumed = socket.isSessionReused();
  socket.resume().end();
  if (!socket.closed) await once(socket, 'close');
  return resumed;
}

async function newSession(): Promise<Buffer> {
  const socket = open();
  const [session] = (await once(socket, 'session')) as [Buffer];
  socket.destroy();
  return session;
}

async function shakeHands(kind: 'full' | 'resumed', seconds: number): Promise<void> {
  const session = kind === 'resumed' ? await newSession() : undefined;
  const until = performance.now() + seconds * 1000;
  let [count, resumed] = [0, 0];
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      if (await handshake(session)) resumed++;
      count++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  process.send?.({ count, resumed });
}

async function hold(count: number): Promise<void> {
  const openOne = async (): Promise<void> => {
    const socket = open();
    held.push(socket);
    await once(socket, 'secureConnect');
  };
  for (let opened = 0; opened < count; opened += openAtOnce) {
    await Promise.all(Array.from({ length: Math.min(openAtOnce, count - opened) }, openOne));
  }
  process.send?.('opened');
}

async function read(seconds: number, streams: number): Promise<void> {
  let bytes = 0;
  const sockets = Array.from({ length: streams }, () => open());
  for (const socket of sockets) {
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.write('x');
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  for (const socket of sockets) socket.destroy();
  process.send?.({ bytes });
}

type Message =
  | { handshakes: 'full' | 'resumed'; seconds: number }
  | { open: number }
  | { readSeconds: number; streams: number };

process.on('message', (message: Message) => {
  if ('handshakes' in message) void shakeHands(message.handshakes, message.seconds);
  else if ('open' in message) void hold(message.open);
  else void read(message.readSeconds, message.streams);
});
process.on('disconnect', () => process.exit());
