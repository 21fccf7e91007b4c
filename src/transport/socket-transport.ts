import type { Duplex } from 'node:stream';
import type { Loan, PeerAddress, Transport, TransportListener } from '../base/transport.ts';
import type { EndingPace, ReadEnding } from './ending-pace.ts';
import type { FairReader, FairShare } from './fair-share.ts';
import type { HandleWrites } from './handle-writes.ts';
import type { ReadBuffers } from './read-buffers.ts';
import { type StagedOwner, StagedWrites } from './staged-writes.ts';
import { WriteAccount } from './write-account.ts';
import type { WriteStaging } from './write-staging.ts';

/** What the transports of one SmartProxy share. */
export interface TransportResources {
  readonly readBuffers: ReadBuffers;
  readonly staging: WriteStaging;
  /** Null where only streams are written to. */
  readonly writes: HandleWrites | null;
  readonly fairShare: FairShare;
  readonly endingPace: EndingPace;
  /** See `hangUpLooksLikeEnd` in feature-detection.ts. */
  readonly hangUpLooksLikeEnd: boolean;
}

/** A stream that was given away counts for itself. */
export interface StreamCounters {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

const transportOf = Symbol('transport');
type OwnedStream = Duplex & { [transportOf]?: SocketTransport };

/**
 * What the native and the portable transport have in common: ownership, endings, and the account
 * of what was written. The listeners on the stream are shared by all transports and find theirs
 * through a property of the stream: five functions instead of five closures per socket. They stay
 * until the end, so that a late error never meets a bare socket.
 */
export abstract class SocketTransport implements Transport, FairReader, ReadEnding, StagedOwner {
  abstract readonly peer: PeerAddress;
  abstract readonly local: PeerAddress;
  readonly stream: Duplex;
  readEnded = false;
  writeEnded = false;
  writeFinished = false;
  closed = false;
  turn = 0;
  turnBytes = 0;

  protected listener: TransportListener | null = null;
  protected readonly account: WriteAccount;
  protected readonly resources: TransportResources;
  #paused = true;
  /** This turn's share of the loop is used up. */
  #yielded = false;
  #reading = false;
  /** FIN was read while nobody wanted to hear of it, or too many came with it. */
  #endHeld = false;
  #awaitsDrain = false;
  #read = 0;
  /** Who counts, once the stream was given away. */
  #handedOver: StreamCounters | null = null;
  /** Whose memory the write in flight uses. */
  #loan: Loan | null = null;
  #staged: StagedWrites | null = null;

  constructor(stream: Duplex, resources: TransportResources) {
    this.stream = stream;
    this.account = new WriteAccount(stream);
    this.resources = resources;
    (stream as OwnedStream)[transportOf] = this;
    stream.on('end', onEnd);
    stream.on('drain', onDrain);
    stream.on('finish', onFinish);
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  /** Lets the stream read. Data comes later, never within the call. */
  protected abstract startReading(): void;
  protected abstract stopReading(): void;
  /** Gives the bytes to the stream, copied where they must be. True: nothing that was given waits any more. */
  protected abstract put(bytes: Uint8Array, loan: Loan | undefined): boolean;
  /** The stream is destroyed: nothing can be written any more. */
  protected abstract get gone(): boolean;
  /** RST on the socket below. */
  protected abstract resetStream(): void;
  /** 'close' was emitted: no native handle points at our memory any more. */
  protected abstract released(): void;

  get bytesRead(): number {
    return this.#handedOver?.bytesRead ?? this.#read;
  }

  get bytesWritten(): number {
    return this.#handedOver?.bytesWritten ?? this.account.taken;
  }

  /** 0 once the transport failed, closed or was given away: what was pending then is dropped. */
  get pendingBytes(): number {
    return this.account.pending;
  }

  setListener(listener: TransportListener | null): void {
    this.listener = listener;
    if (this.#endHeld) this.#tellHeldEndLater();
    this.updateReading();
  }

  pause(): void {
    this.#paused = true;
    this.updateReading();
  }

  resume(): void {
    this.#paused = false;
    if (this.#endHeld) this.#tellHeldEndLater();
    this.updateReading();
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (this.writeEnded || this.gone) return false;
    if (bytes.length === 0) return !this.#awaitsDrain;
    this.account.give(bytes.length);
    return this.#goesOn(this.put(bytes, loan));
  }

  #goesOn(allTaken: boolean): boolean {
    if (allTaken) {
      this.account.tookAll();
      return true;
    }
    if (this.needsDrain) this.#awaitsDrain = true;
    return !this.#awaitsDrain;
  }

  /** Small writes wait here for the end of the turn. */
  protected get staged(): StagedWrites {
    if (this.#staged === null) {
      this.#staged = new StagedWrites(this.resources.staging, this);
      this.account.staged = this.#staged;
    }
    return this.#staged;
  }

  /** Before whatever cannot wait. */
  protected flushStaged(): void {
    this.#staged?.flush();
  }

  /** @internal */
  committed(length: number): boolean {
    const { staged } = this;
    if (this.writeEnded || this.gone) {
      staged.discard();
      return false;
    }
    this.account.give(length);
    return this.#goesOn(this.putStaged(staged));
  }

  /** As `put`, of what was committed to `staged` last. */
  protected putStaged(staged: StagedWrites): boolean {
    return this.put(staged.take(), undefined);
  }

  /** @internal */
  abstract writeStaged(bytes: Buffer): boolean;

  /** The writer should wait for what waits already. */
  protected get needsDrain(): boolean {
    return this.stream.writableNeedDrain;
  }

  /** A write that is under way uses the loan's memory until everything is written. */
  protected borrow(loan: Loan): void {
    loan.take();
    this.#loan = loan;
  }

  end(): void {
    if (this.writeEnded) return;
    this.writeEnded = true;
    this.flushStaged();
    this.endStream();
  }

  protected endStream(): void {
    this.stream.end();
  }

  reset(): void {
    this.flushStaged();
    this.#drop();
    this.resetStream();
  }

  destroy(): void {
    this.flushStaged();
    this.#drop();
    this.stream.destroy();
  }

  turnBegan(): void {
    this.#yielded = false;
    this.updateReading();
  }

  /** Counts and delivers a read. `bytes` need only live as long as the call. */
  protected deliver(bytes: Buffer, loan?: Loan): void {
    this.#read += bytes.length;
    if (this.resources.fairShare.spend(this, bytes.length)) this.#yielded = true;
    this.listener?.onData(bytes, loan);
  }

  /** Reads nothing more before the next turn of the loop. */
  protected yieldTurn(): void {
    if (this.#yielded) return;
    this.#yielded = true;
    this.resources.fairShare.yieldTurn(this);
  }

  /** Whether a read may happen now. */
  protected get wantsToRead(): boolean {
    return !this.#paused && !this.#yielded && this.listener !== null && !this.readEnded;
  }

  protected updateReading(): void {
    const wanted = this.wantsToRead;
    if (wanted === this.#reading) return;
    this.#reading = wanted;
    if (wanted) this.startReading();
    else this.stopReading();
  }

  /** A read callback is over, and reading goes on or stops by what it returns. */
  protected readingGoesOn(): boolean {
    this.#reading = this.wantsToRead;
    return this.#reading;
  }

  /**
   * Gives the stream away. We keep listening for errors, so that a late one never meets a bare
   * socket, and for 'close'; from now on `counters` say what was read and written.
   */
  protected detachStream(counters: StreamCounters): void {
    const stream = this.stream;
    this.flushStaged();
    stream.off('end', onEnd);
    stream.off('drain', onDrain);
    stream.off('finish', onFinish);
    this.listener = null;
    this.updateReading();
    this.account.settle();
    this.#handedOver = counters;
    this.writeEnded = true;
    this.readEnded = true;
  }

  /** Reading and writing stop here; what is pending will not be written. */
  #drop(): void {
    if (this.stream.destroyed) return;
    this.account.settle();
    this.writeEnded = true;
    this.pause();
  }

  /** Before our own FIN, a socket that read FIN has a peer still; one that was reset has none. */
  #wasReset(): boolean {
    if (!this.resources.hangUpLooksLikeEnd || this.writeEnded) return false;
    const { handle } = this.account;
    return handle?.getpeername !== undefined && handle.getpeername({}) !== 0;
  }

  #returnLoan(): void {
    const loan = this.#loan;
    this.#loan = null;
    loan?.giveBack();
  }

  #written(): void {
    this.account.tookAll();
    this.#returnLoan();
    if (!this.#awaitsDrain) return;
    this.#awaitsDrain = false;
    this.listener?.onDrain();
  }

  #tellEnd(): void {
    this.#endHeld = false;
    this.readEnded = true;
    this.#reading = false;
    this.listener?.onEnd();
  }

  #tellHeldEndLater(): void {
    process.nextTick(tellHeldEnd, this);
  }

  endingIsDue(): void {
    if (this.#endHeld && !this.#paused && this.listener !== null && !this.closed) this.#tellEnd();
  }

  /** @internal The peer's FIN was read. */
  streamEnded(): void {
    if (this.#wasReset()) this.stream.destroy(connectionReset());
    else if (this.#paused || this.listener === null) this.#endHeld = true;
    else if (this.resources.endingPace.admits(this)) this.#tellEnd();
    else this.#endHeld = true;
  }

  /** @internal Everything that was written is with the kernel. */
  streamDrained(): void {
    this.#written();
  }

  /** @internal Our FIN is out. */
  streamFinished(): void {
    this.writeFinished = true;
    this.#written();
    this.listener?.onFinish();
  }

  /** @internal */
  streamFailed(error: Error): void {
    this.account.fail(error);
    this.listener?.onError(error);
  }

  /** @internal */
  streamClosed(): void {
    if (this.closed) return;
    this.#returnLoan();
    this.#staged?.clear();
    this.released();
    if (this.#endHeld && this.listener !== null && !this.account.settled) this.#tellEnd();
    this.closed = true;
    this.account.settle();
    this.account.handle = null;
    const listener = this.listener;
    this.listener = null;
    listener?.onClose();
  }
}

function connectionReset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}

function tellHeldEnd(transport: SocketTransport): void {
  transport.endingIsDue();
}

function onEnd(this: OwnedStream): void {
  this[transportOf]?.streamEnded();
}

function onDrain(this: OwnedStream): void {
  this[transportOf]?.streamDrained();
}

function onFinish(this: OwnedStream): void {
  this[transportOf]?.streamFinished();
}

function onError(this: OwnedStream, error: Error): void {
  this[transportOf]?.streamFailed(error);
}

function onClose(this: OwnedStream): void {
  this[transportOf]?.streamClosed();
}
