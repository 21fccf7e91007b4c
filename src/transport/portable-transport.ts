import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Loan, PeerAddress } from '../base/transport.ts';
import { reset } from './reset.ts';
import { localAddress, peerAddress } from './socket-address.ts';
import { SocketTransport, type TransportResources } from './socket-transport.ts';
import type { CountingHandle } from './write-account.ts';
import { copyOf } from './write-staging.ts';

/** Goes with bytes in memory of their own, which nobody will read into again: keep them freely. */
export const ownMemory: Loan = Object.freeze({ take() {}, giveBack() {} });

/**
 * Any stream by `data`, `write` and `drain`: TLS sockets, users' streams, and every socket where
 * Node lacks what the native transport needs. Each read is in memory of its own; what is written
 * is copied unless it is.
 */
export class PortableTransport extends SocketTransport {
  readonly peer: PeerAddress;
  #local: PeerAddress | null = null;
  readonly #onData = (chunk: Buffer): void => this.deliver(chunk, ownMemory);

  /** `peer` defaults to what the socket says. The stream is paused until `resume`. */
  constructor(stream: Duplex, resources: TransportResources, peer?: PeerAddress) {
    super(stream, resources);
    this.peer = peer ?? (stream instanceof net.Socket ? peerAddress(stream) : { ip: '', port: 0 });
    this.account.handle = trustedCounters(stream);
    stream.pause();
    stream.on('data', this.#onData);
  }

  /** Empty if it is first asked for once the descriptor is gone. */
  get local(): PeerAddress {
    this.#local ??= this.stream instanceof net.Socket ? localAddress(this.stream) : { ip: '', port: 0 };
    return this.#local;
  }

  /**
   * Gives the stream away, paused, with `bytes` (copied) in front of what it will read. The
   * transport goes on counting, tells `onClose`, and can still reset or destroy.
   */
  handOver<Stream extends Duplex = net.Socket>(bytes: Uint8Array): Stream {
    const { stream } = this;
    const counters =
      stream instanceof net.Socket ? stream : { bytesRead: this.bytesRead, bytesWritten: this.bytesWritten };
    this.detachStream(counters);
    stream.off('data', this.#onData);
    stream.pause();
    if (bytes.length > 0) stream.unshift(copyOf(bytes));
    return stream as Stream;
  }

  protected startReading(): void {
    this.stream.resume();
  }

  protected stopReading(): void {
    this.stream.pause();
  }

  protected get gone(): boolean {
    return this.stream.destroyed;
  }

  protected put(bytes: Uint8Array, loan: Loan | undefined): boolean {
    const { stream } = this;
    stream.write(loan === ownMemory ? bytes : copyOf(bytes));
    return stream.writableLength === 0 && stream.errored === null;
  }

  /** Nothing waits here. */
  writeStaged(bytes: Buffer): boolean {
    this.stream.write(copyOf(bytes));
    return true;
  }

  protected resetStream(): void {
    if (this.stream instanceof net.Socket) reset(this.stream);
    else this.stream.destroy();
  }

  protected released(): void {}
}

/** The handle of a plain socket. A TLS handle says 0 for what it queues. */
function trustedCounters(stream: Duplex): CountingHandle | null {
  if (!(stream instanceof net.Socket) || 'encrypted' in stream) return null;
  const handle = (stream as unknown as { _handle: Partial<CountingHandle> | null })._handle;
  const counts = typeof handle?.bytesWritten === 'number' && typeof handle.writeQueueSize === 'number';
  return counts ? (handle as CountingHandle) : null;
}
