import type { Clock } from '../../base/clock.ts';
import type { Loan, PeerAddress, Transport, TransportListener } from '../../base/transport.ts';
import type { BodyOwner, RequestBody } from './request-body.ts';

/** The stream below a tunnel. */
export interface TunnelStream {
  readonly pendingBytes: number;
  /** As `Transport.write`. */
  send(bytes: Uint8Array, loan?: Loan): boolean;
  /** END_STREAM. */
  sendEnd(): void;
  /** RST_STREAM: CANCEL. */
  cancel(): void;
}

export interface TunnelPlace {
  readonly clock: Clock;
  readonly peer: PeerAddress;
  readonly local: PeerAddress;
}

/** One stream as the bytes of a tunnel: END_STREAM is FIN, RST_STREAM is RST (RFC 8441 §5). */
export class TunnelTransport implements Transport, BodyOwner {
  readonly peer: PeerAddress;
  readonly local: PeerAddress;
  bytesRead = 0;
  readEnded = false;
  writeEnded = false;
  writeFinished = false;
  closed = false;
  readonly #stream: TunnelStream;
  readonly #body: RequestBody;
  readonly #clock: Clock;
  #listener: TransportListener | null = null;
  #paused = true;
  #written = 0;
  /** The end came before there was a tunnel. */
  #endHeld: boolean;

  /** Takes over what the body's owner had. */
  constructor(stream: TunnelStream, body: RequestBody, { clock, peer, local }: TunnelPlace) {
    this.#stream = stream;
    this.#body = body;
    this.#clock = clock;
    this.peer = peer;
    this.local = local;
    this.#endHeld = body.complete;
    body.pause();
    body.passTo(this);
  }

  get bytesWritten(): number {
    return this.#written - this.pendingBytes;
  }

  get pendingBytes(): number {
    return this.#stream.pendingBytes;
  }

  setListener(listener: TransportListener | null): void {
    this.#listener = listener;
    this.#readLater();
  }

  pause(): void {
    this.#paused = true;
    this.#body.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#readLater();
  }

  /** What is at hand is never shown within a call. */
  #readLater(): void {
    if (this.#listener === null || this.#paused) return this.#body.pause();
    this.#clock.setImmediate(() => {
      if (this.#listener !== null && !this.#paused && !this.closed) this.#read();
    });
  }

  #read(): void {
    this.#body.resume();
    if (!this.#endHeld) return;
    this.#endHeld = false;
    this.bodyEnded();
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (this.writeEnded || this.closed) return false;
    this.#written += bytes.length;
    return this.#stream.send(bytes, loan);
  }

  end(): void {
    if (this.writeEnded || this.closed) return;
    this.writeEnded = true;
    this.#stream.sendEnd();
  }

  reset(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.closed) return;
    this.writeEnded = true;
    this.#stream.cancel();
    this.over();
  }

  bodyRead(bytes: Uint8Array, loan?: Loan): void {
    this.bytesRead += bytes.length;
    this.#listener?.onData(bytes, loan);
  }

  bodyEnded(): void {
    this.readEnded = true;
    this.#listener?.onEnd();
  }

  /** @internal What was pending is taken. */
  drained(): void {
    this.#listener?.onDrain();
  }

  /** @internal END_STREAM is out. */
  finished(): void {
    this.writeFinished = true;
    this.#clock.setImmediate(() => this.#listener?.onFinish());
  }

  /** @internal Nothing comes any more, and nothing can be sent: both sides have ended, or one has reset it. */
  over(): void {
    if (this.closed) return;
    this.closed = true;
    this.#clock.setImmediate(() => {
      const listener = this.#listener;
      this.#listener = null;
      listener?.onClose();
    });
  }
}
