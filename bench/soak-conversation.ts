/** TCP and WebSocket clients of the soak: what they send has to come back. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Outcome } from './soak-ledger.ts';
import { acceptOf, knownBytes, serverName } from './soak-protocol.ts';

/** Where a client goes, and who is told of its connection. */
export interface Place {
  readonly port: number;
  readonly secure: boolean;
  readonly connected: () => void;
  /** It ended before anything told that it was open: the kernel may have opened it all the same. */
  readonly unheard: () => void;
}

/** Tells what became of a socket's connection, once. */
export function witness(socket: Socket, { connected, unheard }: Place): void {
  const close = (): void => unheard();
  socket.once('close', close).once('connect', () => {
    socket.off('close', close);
    connected();
  });
}

/** A socket whose TCP connection is told of. */
export function open(place: Place, alpn: readonly string[] = ['http/1.1']): Socket {
  const { port, secure } = place;
  const host = '127.0.0.1';
  const socket = secure
    ? connectTls({ port, host, servername: serverName, rejectUnauthorized: false, ALPNProtocols: [...alpn] })
    : connect({ port, host });
  witness(socket, place);
  socket.on('error', () => undefined);
  return socket;
}

/** Reads what it is asked to read, and fails as soon as the connection ends before that. */
class Conversation {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #error: Error | null = null;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    for (const event of ['end', 'close'] as const) socket.once(event, () => this.#fail());
  }

  #fail(): void {
    this.#error ??= new Error('the connection ended early');
    this.#wake();
  }

  /** Takes the first bytes, once `lengthIn` has a length for them that is not 0. */
  async #take(lengthIn: (bytes: Buffer) => number): Promise<Buffer> {
    for (;;) {
      const length = lengthIn(this.#received);
      if (length > 0) {
        const taken = this.#received.subarray(0, length);
        this.#received = this.#received.subarray(length);
        return taken;
      }
      if (this.#error) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async echoed(bytes: Buffer): Promise<void> {
    this.socket.write(bytes);
    const back = await this.#take((received) => (received.length >= bytes.length ? bytes.length : 0));
    if (!back.equals(bytes)) throw new Error('other bytes came back');
  }

  async head(): Promise<string> {
    const head = await this.#take((received) => {
      const end = received.indexOf('\r\n\r\n');
      return end === -1 ? 0 : end + 4;
    });
    return head.toString('latin1');
  }

  /** FIN, and everything until the other side's. */
  async end(): Promise<void> {
    this.socket.end();
    if (!this.socket.closed) await once(this.socket, 'close');
  }
}

const abortShare = 0.1;
const mostRounds = 12;
const longestMessage = 20_000;

/** Some messages, each back before the next; then an orderly end or an abrupt one. */
async function talk(conversation: Conversation): Promise<Outcome> {
  const rounds = Math.ceil(Math.random() * mostRounds);
  const abortAt = Math.random() < abortShare ? Math.floor(Math.random() * rounds) : -1;
  for (let round = 0; round < rounds; round++) {
    const bytes = knownBytes(1 + Math.floor(Math.random() * longestMessage));
    if (round === abortAt) {
      conversation.socket.write(bytes);
      conversation.socket.destroy();
      return 'aborted';
    }
    await conversation.echoed(bytes);
  }
  await conversation.end();
  return 'done';
}

export async function tcp(place: Place): Promise<Outcome> {
  return talk(new Conversation(open(place)));
}

export async function webSocket(place: Place): Promise<Outcome> {
  const conversation = new Conversation(open(place));
  const key = randomBytes(16).toString('base64');
  conversation.socket.write(
    `GET /ws HTTP/1.1\r\nHost: ${serverName}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const head = await conversation.head();
  if (!head.startsWith('HTTP/1.1 101 ')) {
    conversation.socket.destroy();
    throw new Error(`the upgrade was answered by ${head.split('\r\n')[0]}`);
  }
  if (!head.includes(acceptOf(key, createHash('sha1')))) throw new Error('the upgrade has another key');
  return talk(conversation);
}
