import type { PeerAddress, Transport, TransportListener } from '../base/transport.ts';
import { ownMemory } from './portable-transport.ts';
import { copyOf } from './write-staging.ts';

/** So much may wait for its reader before `write` asks to wait. */
const highWaterBytes = 65_536;

/**
 * Two transports within this process, each the other's peer. What one writes is copied, and read
 * by the other in a tick of its own: nobody is called from within a call of theirs.
 */
export function localPair(first: PeerAddress, second: PeerAddress): [LocalEnd, LocalEnd] {
  const near = new LocalEnd(first, second);
  const far = new LocalEnd(second, first);
  near.join(far);
  far.join(near);
  return [near, far];
}

export class LocalEnd implements Transport {
  readonly local: PeerAddress;
  readonly peer: PeerAddress;
  bytesRead = 0;
  bytesWritten = 0;
  readEnded = false;
  writeEnded = false;
  writeFinished = false;
  closed = false;
  #other: LocalEnd | null = null;
  #listener: TransportListener | null = null;
  #paused = true;
  readonly #arrived: Uint8Array[] = [];
  #unread = 0;
  #finArrived = false;
  #failure: Error | null = null;
  #awaitsDrain = false;
  /** Nothing is read or written any more; `onClose` follows. */
  #gone = false;
  #scheduled = false;

  constructor(local: PeerAddress, peer: PeerAddress) {
    this.local = local;
    this.peer = peer;
  }

  /** @internal */
  join(other: LocalEnd): void {
    this.#other = other;
  }

  get pendingBytes(): number {
    return this.#gone || this.#other === null ? 0 : this.#other.#unread;
  }

  setListener(listener: TransportListener | null): void {
    this.#listener = listener;
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  write(bytes: Uint8Array): boolean {
    const other = this.#other;
    if (this.writeEnded || other === null) return false;
    if (other.#gone) {
      this.#fail(connectionReset());
      return false;
    }
    if (bytes.length > 0) other.#arrive(copyOf(bytes));
    if (other.#unread >= highWaterBytes) this.#awaitsDrain = true;
    return !this.#awaitsDrain;
  }

  #arrive(bytes: Uint8Array): void {
    this.#arrived.push(bytes);
    this.#unread += bytes.length;
    this.#schedule();
  }

  end(): void {
    if (this.writeEnded) return;
    this.writeEnded = true;
    const other = this.#other;
    if (other === null) return;
    other.#finArrived = true;
    other.#schedule();
    // A FIN needs no reader.
    if (other.#gone) process.nextTick(finished, this);
  }

  /** What is under way arrives, then FIN. */
  destroy(): void {
    if (this.#gone) return;
    this.end();
    this.#leave();
  }

  reset(): void {
    this.breakOff(connectionReset());
  }

  /** As a reset, of which the other end hears this error. Nothing that is under way arrives. */
  breakOff(error: Error): void {
    if (this.#gone) return;
    this.#leave();
    if (this.#other !== null) this.#other.#fail(error);
  }

  #fail(error: Error): void {
    if (this.#gone || this.#failure !== null) return;
    this.#failure = error;
    this.#schedule();
  }

  #leave(): void {
    this.#gone = true;
    if (this.#finArrived && !this.readEnded && this.#other !== null) process.nextTick(finished, this.#other);
    this.writeEnded = true;
    this.#arrived.length = 0;
    this.#unread = 0;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.closed) return;
    this.#scheduled = true;
    process.nextTick(turn, this);
  }

  /** @internal */
  turn(): void {
    this.#scheduled = false;
    if (this.closed) return;
    if (this.#failure !== null && !this.#gone) {
      this.#leave();
      this.#listener?.onError(this.#failure);
    }
    while (this.#reads && this.#arrived.length > 0) this.#readNext();
    if (this.#reads && this.#finArrived && !this.readEnded) this.#readEnd();
    if (this.#gone || (this.readEnded && this.writeFinished)) this.#close();
  }

  get #reads(): boolean {
    return !this.#paused && !this.#gone && this.#listener !== null;
  }

  #readNext(): void {
    const bytes = this.#arrived.shift() as Uint8Array;
    this.#unread -= bytes.length;
    this.bytesRead += bytes.length;
    this.#listener?.onData(bytes, ownMemory);
    if (this.#other !== null) this.#other.#wereTaken(bytes.length);
  }

  #wereTaken(count: number): void {
    this.bytesWritten += count;
    if (!this.#awaitsDrain || this.pendingBytes > 0) return;
    this.#awaitsDrain = false;
    if (!this.#gone) this.#listener?.onDrain();
  }

  #readEnd(): void {
    this.readEnded = true;
    this.#listener?.onEnd();
    if (this.#other !== null) this.#other.wasEnded();
  }

  /** @internal Our FIN was read, or nobody is left to read it. */
  wasEnded(): void {
    if (this.#gone || this.writeFinished) return;
    this.writeFinished = true;
    this.#listener?.onFinish();
    this.#schedule();
  }

  #close(): void {
    this.#gone = true;
    this.closed = true;
    const listener = this.#listener;
    this.#listener = null;
    listener?.onClose();
  }
}

function turn(end: LocalEnd): void {
  end.turn();
}

function finished(end: LocalEnd): void {
  end.wasEnded();
}

function connectionReset(): Error {
  return Object.assign(new Error('the other end was closed'), { code: 'ECONNRESET' });
}
