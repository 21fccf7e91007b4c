import net from 'node:net';
import { eventually } from '../support/eventually.ts';
import { onFin } from '../support/hang-up.ts';

/** One end of a TCP connection in a test: what it read, and how it ended. */
export class RawPeer {
  readonly socket: net.Socket;
  text = '';
  ended = false;
  closed = false;
  error: string | null = null;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
    });
    onFin(socket, () => {
      this.ended = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static connect(port: number): RawPeer {
    return new RawPeer(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until the text so far contains `part`, `times` times. */
  async reads(part: string, times = 1): Promise<string> {
    await eventually(
      () => `the peer reads ${JSON.stringify(part)} ${times}×; so far ${JSON.stringify(this.text)}`,
      () => this.text.split(part).length > times,
    );
    return this.text;
  }

  async closes(): Promise<void> {
    await eventually(
      () => `the connection closes; so far ${JSON.stringify(this.text)}`,
      () => this.closed || this.ended,
    );
    this.socket.end();
  }
}

/** A backend that does what a test says on each connection. */
export class RawBackend {
  readonly #server: net.Server;
  readonly peers: RawPeer[] = [];

  private constructor(onConnection: (peer: RawPeer, number: number) => void) {
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const peer = new RawPeer(socket);
      this.peers.push(peer);
      onConnection(peer, this.peers.length);
    });
  }

  static async open(onConnection: (peer: RawPeer, number: number) => void): Promise<RawBackend> {
    const backend = new RawBackend(onConnection);
    await new Promise<void>((resolve) => backend.#server.listen(0, '127.0.0.1', resolve));
    return backend;
  }

  /** Answers each request, told apart by its empty line, with what `answer` gives. */
  static answering(answer: (request: string, number: number) => string | null): Promise<RawBackend> {
    return RawBackend.open((peer) => {
      let number = 0;
      let seen = 0;
      peer.socket.on('data', () => {
        for (
          let end = peer.text.indexOf('\r\n\r\n', seen);
          end >= 0;
          end = peer.text.indexOf('\r\n\r\n', seen)
        ) {
          const request = peer.text.slice(seen, end + 4);
          seen = end + 4;
          const text = answer(request, ++number);
          if (text !== null) peer.send(text);
        }
      });
      peer.socket.on('end', () => peer.socket.end());
    });
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
