import net from 'node:net';
import type { Loan, PeerAddress } from '../base/transport.ts';
import { ownMemory } from './portable-transport.ts';
import { type BulkBuffer, type BulkReader, bulkReadBytes } from './read-buffers.ts';
import { reset } from './reset.ts';
import { localAddress } from './socket-address.ts';
import { SocketTransport, type TransportResources } from './socket-transport.ts';
import type { CountingHandle } from './write-account.ts';
import { copyOf } from './write-staging.ts';

/** The parts of Node's TCP and pipe handles that are used here; feature-detection.ts looks for them. */
export interface NativeHandle extends CountingHandle {
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/** A socket with the private properties that taking it over needs. */
export interface NativeSocket {
  _handle: NativeHandle | null;
  _server: unknown;
  server: unknown;
}

/**
 * A net.Socket that reads into reused buffers (`onread`) instead of 64 KiB of new memory for each
 * read. Reading is started and stopped on the handle: the stream stays paused for ever, so that
 * nothing in it starts a read on its own, and 'end' comes all the same.
 */
export class NativeTransport extends SocketTransport implements BulkReader {
  readonly socket: net.Socket;
  readonly peer: PeerAddress;
  #local: PeerAddress | null = null;
  #bulk: BulkBuffer | null = null;
  #inRead = false;

  constructor(socket: net.Socket, peer: PeerAddress, resources: TransportResources) {
    super(socket, resources);
    this.socket = socket;
    this.peer = peer;
    this.account.handle = nativeParts(socket)._handle;
  }

  /** Empty if it is first asked for once the descriptor is gone. */
  get local(): PeerAddress {
    this.#local ??= localAddress(this.socket);
    return this.#local;
  }

  /**
   * Gives the socket away, paused, with `bytes` (copied) in front of what it will read: for
   * `tlsServer.emit('connection', socket)`. It cannot emit 'data' itself: only what reads from the
   * handle, as TLS and HTTP/2 do, can use it. The transport goes on counting, tells `onClose`,
   * and can still reset or destroy.
   */
  handOver(bytes: Uint8Array): net.Socket {
    this.detachStream(new HandleCounters(this.socket));
    this.socket.pause();
    if (bytes.length > 0) this.socket.unshift(copyOf(bytes));
    return this.socket;
  }

  /** Begins to connect a socket of `openNativeSocket`. */
  connect(address: { host: string; port: number } | { path: string }): void {
    this.socket.connect(address);
    this.account.handle = nativeParts(this.socket)._handle;
  }

  /** @internal The socket's `onread.callback`: `length` bytes are in `memory`. False stops reading. */
  readInto(length: number, memory: Uint8Array): boolean {
    const { readBuffers } = this.resources;
    const bulk = this.#bulk;
    this.#inRead = true;
    if (bulk === null) this.deliver(readBuffers.shared.subarray(0, length));
    else this.deliver(bulk.memory.subarray(0, length), bulk);
    this.#inRead = false;
    if (bulk === null) {
      if (length === memory.length && !this.socket.destroyed) this.#bulk = readBuffers.acquire(this);
    } else if (length < bulkReadBytes && !bulk.lent) {
      this.#bulk = null;
      bulk.release();
    }
    // Such a libuv would take a hang-up after a short read for FIN, unless reading has stopped.
    if (this.resources.hangUpLooksLikeEnd && this.writeEnded && length < memory.length) this.yieldTurn();
    readBuffers.install(this.#bulk?.memory ?? readBuffers.shared);
    return this.readingGoesOn();
  }

  loanReturned(): void {
    this.updateReading();
  }

  protected override get wantsToRead(): boolean {
    return super.wantsToRead && this.#bulk?.lent !== true;
  }

  protected startReading(): void {
    if (this.#inRead) return;
    const { socket } = this;
    if (socket.connecting) {
      socket.once('connect', () => this.#startIfWanted());
      return;
    }
    const handle = nativeParts(socket)._handle;
    if (handle === null) return;
    handle.reading = true;
    if (handle.readStart() !== 0) socket.destroy(new Error('the socket cannot be read'));
  }

  protected stopReading(): void {
    const handle = nativeParts(this.socket)._handle;
    if (this.#inRead || handle === null || this.socket.connecting) return;
    handle.reading = false;
    handle.readStop();
  }

  #startIfWanted(): void {
    if (this.wantsToRead) this.startReading();
  }

  protected put(bytes: Uint8Array, loan: Loan | undefined): Loan | null {
    const { socket } = this;
    if (socket.connecting || socket.writableLength > 0) {
      socket.write(loan === ownMemory ? bytes : copyOf(bytes));
      return null;
    }
    if (loan !== undefined) {
      socket.write(bytes);
      if (socket.writableLength === 0) return null;
      loan.take();
      return loan;
    }
    const { staging } = this.resources;
    const staged = staging.stage(bytes);
    socket.write(staged);
    if (socket.writableLength > 0) staging.keep(staged);
    return null;
  }

  protected resetStream(): void {
    reset(this.socket);
  }

  protected released(): void {
    this.#bulk?.release();
    this.#bulk = null;
  }
}

/** What passes a handle, whoever reads and writes it. */
class HandleCounters {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get bytesWritten(): number {
    const queued = nativeParts(this.#socket)._handle?.writeQueueSize ?? 0;
    return this.#socket.bytesWritten - queued;
  }
}

export function nativeParts(socket: net.Socket): NativeSocket {
  return socket as unknown as NativeSocket;
}

/** Options of every socket, whichever side it is on. */
const commonOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // Any byte that the kernel does not take at once makes the writer wait.
  writableHighWaterMark: 1,
};

/** Makes a socket of its own that connects when it is told to. */
export function openNativeSocket(peer: PeerAddress, resources: TransportResources): NativeTransport {
  const transport = build(peer, resources, {});
  transport.socket.pause();
  return transport;
}

/**
 * Moves an accepted socket (`pauseOnConnect`, nothing read yet) to a new one on the same handle.
 * The server must be taken over with it, or its count of connections never goes down.
 */
export function takeOverAccepted(
  raw: net.Socket,
  peer: PeerAddress,
  resources: TransportResources,
): NativeTransport {
  const from = nativeParts(raw);
  const transport = build(peer, resources, { handle: from._handle, pauseOnCreate: true, manualStart: true });
  const to = nativeParts(transport.socket);
  to._server = from._server;
  to.server = from.server;
  from._server = null;
  from.server = null;
  from._handle = null;
  return transport;
}

function build(peer: PeerAddress, resources: TransportResources, options: object): NativeTransport {
  let transport: NativeTransport;
  const socket = new net.Socket({
    ...commonOptions,
    ...options,
    onread: {
      buffer: resources.readBuffers.nextBuffer,
      callback: (length: number, memory: Uint8Array) => transport.readInto(length, memory),
    },
  } as net.SocketConstructorOpts);
  transport = new NativeTransport(socket, peer, resources);
  return transport;
}
