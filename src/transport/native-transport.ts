import net from 'node:net';
import type { Loan, PeerAddress } from '../base/transport.ts';
import { type WritableHandle, type WriteOwner, writeError } from './handle-writes.ts';
import { ownMemory } from './portable-transport.ts';
import { type BulkBuffer, type BulkReader, bulkReadBytes } from './read-buffers.ts';
import { reset } from './reset.ts';
import { handlePeerAddress, localAddress } from './socket-address.ts';
import { SocketTransport, type TransportResources } from './socket-transport.ts';
import type { CountingHandle } from './write-account.ts';
import { copyOf } from './write-staging.ts';

/** The parts of Node's TCP and pipe handles that are used here; feature-detection.ts looks for them. */
export interface NativeHandle extends CountingHandle, WritableHandle {
  reading: boolean;
  readStart(): number;
  readStop(): number;
}

/** A listening handle: Node sets what it calls for each connection. */
export interface ListeningHandle {
  onconnection?: (status: number, client: NativeHandle | undefined) => void;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, delaySeconds: number): number;
}

/** A server with the private properties that accepting on its handle needs. */
interface NativeServer {
  _handle: ListeningHandle | null;
  _connections: number;
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
export class NativeTransport extends SocketTransport implements BulkReader, WriteOwner {
  readonly socket: net.Socket;
  readonly peer: PeerAddress;
  #local: PeerAddress | null = null;
  #bulk: BulkBuffer | null = null;
  #inRead = false;
  /** The kernel has not taken everything that the handle was given past the socket. */
  #writing = false;
  /** FIN follows it. */
  #endOwed = false;

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
    readBuffers.install(this.#bulk?.memory ?? readBuffers.shared, memory);
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

  protected get gone(): boolean {
    return nativeParts(this.socket)._handle === null;
  }

  /** Past the socket, unless something waits in it, and copied unless somebody lends the memory. */
  protected put(bytes: Uint8Array, loan: Loan | undefined): boolean {
    const { socket } = this;
    const { staging, writes } = this.resources;
    if (writes === null || this.#writing || socket.connecting || socket.writableLength > 0) {
      socket.write(loan === ownMemory ? bytes : copyOf(bytes));
      return socket.writableLength === 0 && !this.#writing && socket.errored === null;
    }
    const written = loan === undefined ? staging.stage(bytes) : bytes;
    const handle = nativeParts(socket)._handle as NativeHandle;
    const status = writes.write(handle, written, this);
    if (status === 0) return true;
    if (status < 0) socket.destroy(writeError(status));
    else {
      this.#writing = true;
      if (loan !== undefined) this.borrow(loan);
      else staging.keep(written as Buffer);
    }
    return false;
  }

  protected override get needsDrain(): boolean {
    return this.#writing || super.needsDrain;
  }

  /** @internal What the handle was given past the socket is taken; what was given later may wait. */
  wrote(status: number): void {
    this.#writing = false;
    const { socket } = this;
    if (socket.destroyed) return;
    if (status < 0) return void socket.destroy(writeError(status));
    if (socket.writableLength === 0) this.streamDrained();
    if (this.#endOwed) this.endStream();
  }

  /** libuv would begin to shut down while the write is under way, and no reset could come after it (L25). */
  protected override endStream(): void {
    this.#endOwed = this.#writing;
    if (!this.#writing) super.endStream();
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
 * Accepts on the listening handle itself. Node would make a socket of its own for each connection,
 * which could only be thrown away: it cannot be told to read into our buffers. The server goes on
 * counting, and Node's own function goes on with what is not a connection to be taken. False
 * where the handle is not as expected: then the server emits 'connection', as always.
 */
export function acceptOnHandle(
  server: net.Server,
  resources: TransportResources,
  onAccepted: (transport: NativeTransport) => void,
): boolean {
  const { _handle: listening } = server as unknown as NativeServer;
  const nodes = listening?.onconnection;
  if (!listening || typeof nodes !== 'function') return false;
  listening.onconnection = (status, client) => {
    if (status !== 0 || client === undefined || isFull(server)) nodes.call(listening, status, client);
    else onAccepted(openAccepted(server, client, resources));
  };
  return true;
}

function isFull(server: net.Server): boolean {
  const { maxConnections } = server;
  return (
    typeof maxConnections === 'number' && (server as unknown as NativeServer)._connections >= maxConnections
  );
}

/** The socket of an accepted handle. It counts itself off at its server when it is destroyed. */
function openAccepted(
  server: net.Server,
  handle: NativeHandle,
  resources: TransportResources,
): NativeTransport {
  const options = { handle, pauseOnCreate: true, manualStart: true };
  const transport = build(handlePeerAddress(handle), resources, options);
  const socket = nativeParts(transport.socket);
  socket._server = server;
  socket.server = server;
  (server as unknown as NativeServer)._connections++;
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
