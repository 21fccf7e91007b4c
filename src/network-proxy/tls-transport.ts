import type { TLSSocket } from 'node:tls';
import type { Composition, Loan, PeerAddress, Transport, TransportListener } from '../base/transport.ts';
import { ownMemory, PortableTransport } from '../transport/portable-transport.ts';
import type { TransportResources } from '../transport/socket-transport.ts';
import { maxStagedBytes, type StagedWrites } from '../transport/staged-writes.ts';
import type { SocketBackedTransport } from '../transport/transport-factory.ts';
import { copyOf } from '../transport/write-staging.ts';

/**
 * What is inside a TLS connection: its bytes and its account are those of the application. `end`
 * sends close_notify and FIN.
 */
export class DecryptedTransport extends PortableTransport {
  readonly #tls: TLSSocket;
  readonly #below: Transport;

  constructor(tls: TLSSocket, below: Transport, resources: TransportResources) {
    super(tls, resources, below.peer);
    this.#tls = tls;
    this.#below = below;
  }

  override get local(): PeerAddress {
    return this.#below.local;
  }

  get composition(): Composition {
    return this.staged;
  }

  /** What is written within a turn becomes one record, if it fits: each has its own overhead. */
  protected override put(bytes: Uint8Array, loan: Loan | undefined): boolean {
    if (bytes.length > maxStagedBytes) {
      this.flushStaged();
      this.#encrypt(bytes, loan);
      return this.#tls.writableLength === 0 && this.#tls.errored === null;
    }
    this.staged.append(bytes);
    return this.putStaged(this.staged);
  }

  protected override putStaged(staged: StagedWrites): boolean {
    staged.accept();
    return false;
  }

  /** @internal */
  override writeStaged(bytes: Buffer): boolean {
    if (!this.gone) this.#encrypt(bytes, undefined);
    return true;
  }

  /** OpenSSL copies as it encrypts, unless the stream makes the bytes wait. */
  #encrypt(bytes: Uint8Array, loan: Loan | undefined): void {
    const waits = this.#tls.writableLength > 0;
    this.#tls.write(waits && loan !== ownMemory ? copyOf(bytes) : bytes);
  }

  /**
   * RST on the socket below: a TLSSocket cannot. The shutdown that follows close_notify is one of
   * the descriptor below, of which its own socket knows nothing: while it is in flight the reset
   * waits, or the descriptor would be lost (L25).
   */
  protected override resetStream(): void {
    const tls = this.#tls;
    const shuttingDown = tls.writableEnded && !tls.writableFinished && tls.writableLength === 0;
    if (!shuttingDown || tls.destroyed) return this.#below.reset();
    const resetOnce = (): void => this.#below.reset();
    tls.once('finish', resetOnce);
    tls.once('close', resetOnce);
  }
}

/**
 * The client of a record whose socket was given away to TLS. It counts what is on the
 * wire (M1); the protocol inside has a transport of its own, which counts what it reads. Both are
 * one connection: they share the listener, and `end`, `reset` and `destroy` are those of the inside.
 */
export class HandedOverTransport implements Transport {
  readonly peer: PeerAddress;
  /** Counts what is on the wire. */
  readonly below: SocketBackedTransport;
  /** Null until a handshake is done: as long there is nothing to say, and every ending is a close. */
  #inside: Transport | null = null;
  #given = false;

  /** @param below handed over already */
  constructor(below: SocketBackedTransport) {
    this.peer = below.peer;
    this.below = below;
  }

  /** The handshake is done. Whoever listens from now on listens to what is inside. */
  opened(inside: Transport): void {
    this.below.setListener(null);
    this.#inside = inside;
  }

  get local(): PeerAddress {
    return this.below.local;
  }

  get bytesRead(): number {
    return this.below.bytesRead;
  }

  get bytesWritten(): number {
    return this.below.bytesWritten;
  }

  get pendingBytes(): number {
    return this.#inside?.pendingBytes ?? 0;
  }

  get readEnded(): boolean {
    return this.#inside?.readEnded ?? false;
  }

  get writeEnded(): boolean {
    return this.#inside?.writeEnded ?? this.#given;
  }

  get writeFinished(): boolean {
    return this.#inside?.writeFinished ?? this.#given;
  }

  /** The descriptor is gone. */
  get closed(): boolean {
    return this.below.closed;
  }

  setListener(listener: TransportListener | null): void {
    (this.#inside ?? this.below).setListener(listener);
  }

  pause(): void {
    this.#inside?.pause();
  }

  resume(): void {
    this.#inside?.resume();
  }

  write(bytes: Uint8Array): boolean {
    return this.#inside?.write(bytes) ?? false;
  }

  end(): void {
    if (this.#inside !== null) return this.#inside.end();
    this.destroy();
  }

  reset(): void {
    this.#given = true;
    (this.#inside ?? this.below).reset();
  }

  destroy(): void {
    this.#given = true;
    (this.#inside ?? this.below).destroy();
  }
}
