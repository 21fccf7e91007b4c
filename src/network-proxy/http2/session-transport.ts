import type { Http2Session } from 'node:http2';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerAddress, Transport, TransportListener } from '../../base/transport.ts';
import { nativeParts } from '../../transport/native-transport.ts';
import type { SocketBackedTransport } from '../../transport/transport-factory.ts';
import { errorCodes } from './limits.ts';

/**
 * A session as the clean-up sees it: how it is closed, by GOAWAY and FIN or by RST, and when its
 * descriptor is gone. Nobody reads or writes bytes here.
 */
export class SessionTransport implements Transport, TransportListener {
  readonly #session: Http2Session;
  /** What the session was given: the TLSSocket, or the socket below itself. */
  readonly #socket: Duplex;
  readonly #below: SocketBackedTransport;
  #listener: TransportListener | null = null;
  #endCode: number = errorCodes.none;
  #given = false;
  writeEnded = false;

  constructor(session: Http2Session, socket: Duplex, below: SocketBackedTransport) {
    this.#session = session;
    this.#socket = socket;
    this.#below = below;
    socket.on('finish', () => this.#listener?.onFinish());
  }

  get peer(): PeerAddress {
    return this.#below.peer;
  }

  get local(): PeerAddress {
    return this.#below.local;
  }

  get bytesRead(): number {
    return this.#below.bytesRead;
  }

  get bytesWritten(): number {
    return this.#below.bytesWritten;
  }

  /** What waits in the descriptor below: the session writes past its socket. */
  get pendingBytes(): number {
    return nativeParts(this.#below.stream as net.Socket)._handle?.writeQueueSize ?? 0;
  }

  /** There is no half of a session. */
  get readEnded(): boolean {
    return this.#socket.readableEnded;
  }

  get writeFinished(): boolean {
    return this.#given || this.#socket.writableFinished || this.closed;
  }

  get closed(): boolean {
    return this.#below.closed;
  }

  setListener(listener: TransportListener | null): void {
    this.#listener = listener;
    this.#below.setListener(listener === null ? null : this);
  }

  pause(): void {}

  resume(): void {}

  write(): boolean {
    return false;
  }

  /** `end` will tell the peer that it was wrong, and does not wait until it has read that. */
  endsWith(code: number): void {
    this.#endCode = code;
  }

  /** GOAWAY, then FIN: no stream is left. */
  end(): void {
    if (this.writeEnded) return;
    this.writeEnded = true;
    if (this.#endCode === errorCodes.none) return this.#session.close();
    this.#given = true;
    this.#session.destroy(new Error('the session was ended for what its peer does'), this.#endCode);
  }

  /**
   * RST on the socket below. The FIN that follows close_notify is one of the descriptor: while it
   * is in flight the reset waits (L25).
   */
  reset(): void {
    this.#given = true;
    const socket = this.#socket;
    const shuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
    if (!shuttingDown || socket.destroyed || socket === this.#below.stream) return this.#below.reset();
    const resetOnce = (): void => this.#below.reset();
    socket.once('finish', resetOnce);
    socket.once('close', resetOnce);
  }

  destroy(): void {
    this.#given = true;
    this.#below.destroy();
  }

  onData(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onFinish(): void {}

  onError(error: Error): void {
    this.#listener?.onError(error);
  }

  onClose(): void {
    this.#listener?.onClose();
  }
}
