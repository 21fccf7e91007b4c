import { Duplex } from 'node:stream';
import { SmartProxyError } from '../base/errors.ts';
import type { Loan, Transport, TransportListener } from '../base/transport.ts';
import { ownMemory } from './portable-transport.ts';
import { copyOf } from './write-staging.ts';

type Done = (error?: Error | null) => void;

/**
 * Who owns the connection under the stream. With an owner the stream never closes the transport
 * itself: it tells, and the owner's clean-up does it.
 */
export interface DuplexOwner {
  /** Bytes came or were written. */
  activity(): void;
  /** The peer's FIN was read. */
  peerEnded(): void;
  /** `end()` was called, and our FIN is out. */
  finished(): void;
  /** The transport failed, or closed before both FINs. */
  failed(error: Error | undefined): void;
  /** The user destroyed the stream. `cut`: written bytes are lost by it. */
  destroyed(error: Error | null, cut: boolean): void;
  /** A listener of the user's threw. */
  threw(error: unknown): void;
}

/**
 * A transport as a Node stream, for users' code. It takes the transport over; whoever wants it
 * back sets another listener, at 'close' for example.
 *
 * - `end()` sends FIN after everything written, and 'end' is the peer's FIN: each is half a close.
 * - `destroy(error)` sends RST, so that a truncation never looks like success. So does `destroy()`
 *   where written bytes have not reached the transport yet. Otherwise `destroy()` lets what was
 *   written go out, sends FIN and closes.
 * - A failing connection is 'error' and 'close' as in any stream. There is always one listener for
 *   'error', so that a handler that does not care ends only its own connection.
 *
 * @param firstBytes What was read already: comes first, as a copy.
 */
export function toDuplex(transport: Transport, firstBytes?: Uint8Array, owner?: DuplexOwner): Duplex {
  return new TransportDuplex(transport, firstBytes, owner);
}

class TransportDuplex extends Duplex implements TransportListener {
  readonly #transport: Transport;
  /** The write, or the end, that waits for the transport. */
  #waiting: Done | null = null;

  readonly #owner: DuplexOwner | undefined;
  /** The transport failed: `failed` was told, and the destruction that follows is not the user's. */
  #broken = false;

  constructor(transport: Transport, firstBytes: Uint8Array | undefined, owner: DuplexOwner | undefined) {
    super({ allowHalfOpen: true });
    this.#transport = transport;
    this.#owner = owner;
    this.on('error', () => {});
    if (firstBytes !== undefined && firstBytes.length > 0) this.push(copyOf(firstBytes));
    if (transport.readEnded) this.push(null);
    transport.setListener(this);
  }

  /** Events come from within reads and writes of the transport, whose stack a listener must not unwind (L24). */
  override emit(...event: Parameters<Duplex['emit']>): boolean {
    if (this.#owner === undefined) return super.emit(...event);
    try {
      return super.emit(...event);
    } catch (error) {
      this.#owner.threw(error);
      return true;
    }
  }

  override _read(): void {
    this.#transport.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const transport = this.#transport;
    this.#owner?.activity();
    if (transport.closed || transport.writeEnded) done(closedEarly());
    else if (transport.write(chunk)) done();
    else this.#waiting = done;
  }

  override _final(done: Done): void {
    const transport = this.#transport;
    transport.end();
    if (transport.writeFinished) this.#finished(done);
    else if (transport.closed) done(closedEarly());
    else this.#waiting = done;
  }

  #finished(done: Done): void {
    done();
    this.#owner?.finished();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const cut = error !== null || this.writableLength > 0;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#owner !== undefined) {
      if (!this.#broken) this.#owner.destroyed(error, cut);
    } else if (!this.#transport.closed) {
      if (cut) this.#transport.reset();
      else this.#finish();
    }
    waiting?.(error ?? closedEarly());
    done(error);
  }

  /** Flushes, sends FIN, and closes. Meanwhile it reads and drops: unread bytes would make a RST of it. */
  #finish(): void {
    const transport = this.#transport;
    transport.end();
    if (transport.writeFinished) transport.destroy();
    else if (!transport.readEnded) transport.resume();
  }

  onData(bytes: Uint8Array, loan?: Loan): void {
    if (this.destroyed) return;
    this.#owner?.activity();
    if (!this.push(loan === ownMemory ? bytes : copyOf(bytes))) this.#transport.pause();
  }

  onEnd(): void {
    if (this.destroyed) return;
    this.push(null);
    this.#owner?.peerEnded();
  }

  onDrain(): void {
    this.#goOn();
  }

  onFinish(): void {
    if (this.destroyed) return this.#transport.destroy();
    this.#goOn();
    this.#owner?.finished();
  }

  onError(error: Error): void {
    this.#fail(error);
  }

  #fail(error: Error, cause: Error | undefined = error): void {
    if (this.destroyed) return;
    this.#broken = true;
    this.destroy(error);
    this.#owner?.failed(cause);
  }

  onClose(): void {
    const { readEnded, writeFinished } = this.#transport;
    if (!(readEnded && writeFinished)) this.#fail(closedEarly(), undefined);
    else this.#goOn();
  }

  #goOn(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }
}

function closedEarly(): SmartProxyError {
  return new SmartProxyError('connection-closed', 'the connection was closed', { source: 'proxy' });
}
