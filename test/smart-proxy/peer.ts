import assert from 'node:assert/strict';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { onFin } from '../support/hang-up.ts';

/** How a connection looks at its end, from outside. */
export type SeenEnding = 'fin' | 'reset';

/** One end of a connection that is no part of the proxy: a client, or a server behind it. It reads unless told not to. */
export class Peer {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  /** Called with what is read, in place of keeping it. */
  onBytes: ((bytes: Buffer) => void) | null = null;
  receivedBytes = 0;
  finished = false;
  error: NodeJS.ErrnoException | null = null;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.receivedBytes += bytes.length;
      if (this.onBytes === null) this.#chunks.push(bytes);
      else this.onBytes(bytes);
    });
    onFin(socket, () => {
      this.finished = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static connect(port: number, options: Partial<TcpNetConnectOpts> = {}): Peer {
    return new Peer(connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true, ...options }));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  async connected(): Promise<this> {
    await eventually('the connection is there', () => !this.socket.connecting || this.closed);
    return this;
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  end(bytes?: string | Uint8Array): this {
    if (bytes === undefined) this.socket.end();
    else this.socket.end(bytes);
    return this;
  }

  reset(): this {
    this.socket.resetAndDestroy();
    return this;
  }

  /** Waits until exactly this, from the beginning, has come; fails at the first byte that differs. */
  async gets(expected: string | Uint8Array): Promise<void> {
    const wanted = Buffer.from(expected as Uint8Array);
    await eventually(
      () =>
        `${wanted.length} bytes come (there are ${this.receivedBytes}, ${this.error?.code ?? 'no error'})`,
      () => this.receivedBytes >= wanted.length || this.closed,
    );
    assert.ok(this.received.equals(wanted), `received ${JSON.stringify(this.text.slice(0, 300))}`);
  }

  /** Waits until the other side has ended it; tells how. */
  async ending(): Promise<SeenEnding> {
    await eventually('the other side ends it', () => this.finished || this.error !== null || this.closed);
    assert.ok(this.finished || this.error?.code === 'ECONNRESET', `ended by ${this.error?.code ?? 'nobody'}`);
    return this.error === null ? 'fin' : 'reset';
  }

  /** Waits until the descriptor is gone. */
  async gone(): Promise<void> {
    await eventually('the socket is closed', () => this.closed);
  }
}
