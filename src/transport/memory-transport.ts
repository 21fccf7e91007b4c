import type { Loan, PeerAddress, Transport, TransportListener } from '../base/transport.ts';
import { ReadMemory } from './memory-loan.ts';
import { type MemoryNetwork, MemoryWire, type WireEnd } from './memory-wire.ts';

/**
 * A Transport without sockets, for tests and the simulation: two ends in one process, joined by
 * two wires, moved by the injected clock alone. It keeps the habits of TCP on Linux that matter:
 *
 * - a paused end hears neither FIN nor RST, unless it has pending bytes, whose write then fails;
 * - bytes that arrived before a RST can still be read, then comes ECONNRESET (seen on Linux 6);
 *   with `resetDropsUnread` they are lost, as on other systems;
 * - closing with unread bytes sends RST instead of FIN; bytes that reach a closed end are answered
 *   with RST; a reset may lose bytes that are still under way;
 * - an end that has read a FIN and sent one closes by itself.
 */
export interface MemoryOptions extends MemoryNetwork {
  /** Most bytes shown in one `onData`. Default 65,536. */
  readonly readBytes?: number;
  /** `write` returns false from this many pending bytes on; at least 1. Default 1. */
  readonly highWaterBytes?: number;
  /** The share of reads that offer a loan, 0–1. Default 1. */
  readonly lendShare?: number;
  readonly resetDropsUnread?: boolean;
  /** The addresses of the first and of the second end. */
  readonly addresses?: readonly [PeerAddress, PeerAddress];
  /** Told what happens at which end, for traces. */
  readonly trace?: (end: MemoryTransport, what: string, count?: number) => void;
}

interface Pending {
  bytes: Uint8Array;
  readonly loan: Loan | null;
}

const nowhere: PeerAddress = { ip: '', port: 0 };

/** Two connected ends, both paused and without a listener. */
export function memoryPair(options: MemoryOptions): [MemoryTransport, MemoryTransport] {
  const there = new MemoryWire(options);
  const back = new MemoryWire(options);
  const [a, b] = options.addresses ?? [nowhere, nowhere];
  const first = new MemoryTransport(options, there, back, a, b);
  const second = new MemoryTransport(options, back, there, b, a);
  there.join(first, second);
  back.join(second, first);
  return [first, second];
}

export class MemoryTransport implements Transport, WireEnd {
  readonly peer: PeerAddress;
  readonly local: PeerAddress;
  bytesRead = 0;
  bytesWritten = 0;
  pendingBytes = 0;
  readEnded = false;
  writeEnded = false;
  writeFinished = false;
  closed = false;
  /** When `onData` was last called, by the clock; 0 before that. */
  lastReadAt = 0;
  /** The most that was ever pending. */
  peakPendingBytes = 0;

  readonly #options: MemoryOptions;
  readonly #outbound: MemoryWire;
  readonly #inbound: MemoryWire;
  #listener: TransportListener | null = null;
  #paused = true;
  #memory: ReadMemory | null = null;
  readonly #pending: Pending[] = [];
  #drainOwed = false;
  #finSent = false;
  readonly #arrived: Uint8Array[] = [];
  #finArrived = false;
  /** What the kernel will say at the next chance: a RST came, or it gave up. */
  #kernelError: string | null = null;
  #readScheduled = false;
  /** Nothing is read, written or told any more, but `onClose`. */
  #gone = false;
  #refusedData = false;

  constructor(
    options: MemoryOptions,
    outbound: MemoryWire,
    inbound: MemoryWire,
    local: PeerAddress,
    peer: PeerAddress,
  ) {
    this.#options = options;
    this.#outbound = outbound;
    this.#inbound = inbound;
    this.local = local;
    this.peer = peer;
  }

  /** Who hears of this end now: for leak checks. */
  get listener(): TransportListener | null {
    return this.#listener;
  }

  /** Hears nothing at present, whatever comes. */
  get paused(): boolean {
    return this.#paused;
  }

  /** A loan of this end's read memory is out. */
  get lent(): boolean {
    return this.#memory?.lent ?? false;
  }

  /** Closing or closed, whatever was told. */
  get gone(): boolean {
    return this.#gone;
  }

  setListener(listener: TransportListener | null): void {
    this.#listener = listener;
    this.#scheduleRead();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#scheduleRead();
  }

  write(bytes: Uint8Array, loan?: Loan): boolean {
    if (this.#gone || this.writeEnded) return false;
    const taken = this.#pending.length === 0 && this.#kernelError === null ? this.#sendSome(bytes) : 0;
    if (taken < bytes.length) this.#keep(bytes.subarray(taken), loan);
    if (this.#kernelError !== null) this.#soon(() => this.#fail());
    const proceed = this.pendingBytes < Math.max(1, this.#options.highWaterBytes ?? 1);
    if (!proceed) this.#drainOwed = true;
    return proceed;
  }

  end(): void {
    if (this.#gone || this.writeEnded) return;
    this.writeEnded = true;
    if (this.#kernelError !== null) this.#soon(() => this.#fail());
    else this.#finishIfSent();
  }

  reset(): void {
    if (this.#gone) return;
    this.#trace('reset');
    this.#outbound.sendReset(true);
    this.#leave();
    this.#soon(() => this.#close());
  }

  destroy(): void {
    if (this.#gone) return;
    this.#trace('destroyed');
    if (this.#arrived.length > 0) this.#outbound.sendReset(false);
    else if (!this.#finSent) this.#outbound.sendFin();
    this.#leave();
    this.#soon(() => this.#close());
  }

  /** The kernel gives up on this connection (ETIMEDOUT, EHOSTUNREACH): heard like a RST. */
  fail(code: string): void {
    if (this.#gone) return;
    this.#kernelError ??= code;
    this.#hearError();
  }

  /** The descriptor goes away and nobody is told: what the audit has to find (L12). */
  vanish(): void {
    if (this.#gone) return;
    this.#outbound.sendReset(false);
    this.#leave();
    this.#listener = null;
    this.closed = true;
  }

  arrivedData(bytes: Uint8Array): void {
    if (!this.#gone && this.#kernelError === null) {
      this.#arrived.push(bytes);
      this.#scheduleRead();
    } else if (!this.#refusedData) {
      this.#refusedData = true;
      this.#outbound.sendReset(false);
    }
  }

  arrivedFin(): void {
    this.#finArrived = true;
    this.#scheduleRead();
  }

  arrivedReset(): void {
    if (this.#options.resetDropsUnread) this.#arrived.length = 0;
    this.fail('ECONNRESET');
  }

  windowOpened(): void {
    if (this.#gone || this.#kernelError !== null || this.#pending.length === 0) return;
    while (this.#pending.length > 0) {
      const next = this.#pending[0] as Pending;
      const taken = this.#sendSome(next.bytes);
      this.pendingBytes -= taken;
      if (taken < next.bytes.length) {
        next.bytes = next.bytes.subarray(taken);
        return;
      }
      this.#pending.shift();
      next.loan?.giveBack();
    }
    this.#finishIfSent();
    if (this.#drainOwed && !this.writeEnded) {
      this.#drainOwed = false;
      this.#listener?.onDrain();
    }
  }

  #sendSome(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#outbound.room);
    if (count === 0) return 0;
    this.#outbound.send(bytes.subarray(0, count));
    this.bytesWritten += count;
    return count;
  }

  #keep(bytes: Uint8Array, loan: Loan | undefined): void {
    this.pendingBytes += bytes.length;
    this.peakPendingBytes = Math.max(this.peakPendingBytes, this.pendingBytes);
    loan?.take();
    this.#pending.push({ bytes: loan === undefined ? new Uint8Array(bytes) : bytes, loan: loan ?? null });
  }

  #finishIfSent(): void {
    if (!this.writeEnded || this.#finSent || this.#pending.length > 0) return;
    this.#finSent = true;
    this.#trace('fin sent');
    this.#outbound.sendFin();
    this.#soon(() => {
      if (this.#gone) return;
      this.writeFinished = true;
      this.#listener?.onFinish();
      this.#closeIfBothEnded();
    });
  }

  #scheduleRead(): void {
    if (this.#readScheduled || !this.#readable) return;
    this.#readScheduled = true;
    this.#soon(() => {
      this.#readScheduled = false;
      if (this.#readable) this.#read();
      this.#scheduleRead();
    });
  }

  get #readable(): boolean {
    if (this.#gone || this.#paused || this.#listener === null || this.lent) return false;
    return this.#arrived.length > 0 || this.#kernelError !== null || (this.#finArrived && !this.readEnded);
  }

  #read(): void {
    if (this.#arrived.length > 0) this.#readData();
    else if (this.#kernelError !== null) this.#fail();
    else this.#readEnd();
  }

  #readEnd(): void {
    this.readEnded = true;
    this.#trace('fin read');
    this.#listener?.onEnd();
    this.#closeIfBothEnded();
  }

  #readData(): void {
    const { readBytes = 65_536, lendShare = 1, clock } = this.#options;
    this.#memory ??= new ReadMemory(readBytes, () => this.#scheduleRead());
    const chunk = this.#nextChunk(readBytes);
    this.bytesRead += chunk.length;
    this.lastReadAt = clock.now();
    this.#inbound.acknowledge(chunk.length);
    const lend = lendShare > 0 && clock.random() < lendShare;
    this.#trace('read', chunk.length);
    this.#memory.show(chunk, lend, (bytes, loan) => this.#listener?.onData(bytes, loan));
  }

  #nextChunk(limit: number): Uint8Array {
    const first = this.#arrived.shift() as Uint8Array;
    if (first.length <= limit) return first;
    this.#arrived.unshift(first.subarray(limit));
    return first.subarray(0, limit);
  }

  /** Without a reader and without a write, nobody notices: the kernel keeps the error. */
  #hearError(): void {
    if (this.#pending.length > 0) this.#soon(() => this.#fail());
    else this.#scheduleRead();
  }

  #fail(): void {
    if (this.#gone) return;
    const code = this.#kernelError ?? 'EPIPE';
    this.#trace(code);
    this.#leave();
    this.#listener?.onError(Object.assign(new Error(`memory transport: ${code}`), { code }));
    this.#soon(() => this.#close());
  }

  #closeIfBothEnded(): void {
    if (this.#gone || !this.readEnded || !this.writeFinished) return;
    this.#leave();
    this.#soon(() => this.#close());
  }

  #leave(): void {
    this.#gone = true;
    this.pendingBytes = 0;
    for (const { loan } of this.#pending.splice(0)) loan?.giveBack();
    this.#arrived.length = 0;
  }

  #close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#trace('closed');
    this.#listener?.onClose();
  }

  #soon(callback: () => void): void {
    this.#options.clock.setImmediate(callback);
  }

  #trace(what: string, count?: number): void {
    this.#options.trace?.(this, what, count);
  }
}
