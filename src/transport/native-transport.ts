import type net from 'node:net';
import type { Composition, Loan, PeerAddress } from '../base/transport.ts';
import { type HandleWrites, type WritableHandle, type WriteOwner, writeError } from './handle-writes.ts';
import { ownMemory } from './portable-transport.ts';
import { type BulkBuffer, type BulkReader, bulkReadBytes } from './read-buffers.ts';
import { reset } from './reset.ts';
import { localAddress } from './socket-address.ts';
import { SocketTransport, type TransportResources } from './socket-transport.ts';
import { maxStagedBytes, type StagedWrites } from './staged-writes.ts';
import type { CountingHandle } from './write-account.ts';
import { copyOf } from './write-staging.ts';

/** The parts of Node's TCP and pipe handles that are used here; feature-detection.ts looks for them. */
export interface NativeHandle extends CountingHandle, WritableHandle {
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

  get composition(): Composition | undefined {
    return this.resources.writes === null ? undefined : this.staged;
  }

  /** What is written now would overtake something. */
  get #mustFollow(): boolean {
    return this.#writing || this.socket.connecting || this.socket.writableLength > 0;
  }

  /** Past the socket, unless something waits in it: a little at the end of the turn, much at once. */
  protected put(bytes: Uint8Array, loan: Loan | undefined): boolean {
    if (this.resources.writes === null || this.#mustFollow) return this.#putBehind(bytes, loan);
    const { staged } = this;
    if (bytes.length <= maxStagedBytes) {
      staged.append(bytes);
      staged.accept();
      return false;
    }
    if (loan === undefined) return this.#putNow(bytes);
    staged.flush();
    if (this.gone || this.#mustFollow) return this.#putBehind(bytes, loan);
    if (this.#writePast(bytes)) return true;
    if (this.#writing) this.borrow(loan);
    return false;
  }

  /** Copied to where nothing has to be allocated for it. */
  #putNow(bytes: Uint8Array): boolean {
    const { staged } = this;
    staged.append(bytes);
    staged.accept();
    staged.flush();
    return !this.#writing && !this.gone;
  }

  #putBehind(bytes: Uint8Array, loan: Loan | undefined): boolean {
    const { socket } = this;
    socket.write(loan === ownMemory ? bytes : copyOf(bytes));
    return socket.writableLength === 0 && !this.#writing && socket.errored === null;
  }

  protected override putStaged(staged: StagedWrites): boolean {
    if (this.#mustFollow) return this.#putBehind(staged.take(), undefined);
    staged.accept();
    return false;
  }

  /** @internal */
  writeStaged(bytes: Buffer): boolean {
    if (this.gone) return true;
    if (this.#writePast(bytes)) this.account.tookAll();
    return !this.#writing;
  }

  /** True: the kernel has everything. */
  #writePast(bytes: Uint8Array): boolean {
    const { socket } = this;
    const { writes } = this.resources;
    const handle = nativeParts(socket)._handle as NativeHandle;
    const status = (writes as HandleWrites).write(handle, bytes, this);
    if (status < 0) socket.destroy(writeError(status));
    this.#writing = status > 0;
    return status === 0;
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
