import type { Loan } from '../base/transport.ts';

/** The buffer that all sockets read into which have no buffer of their own. */
const sharedBufferBytes = 64 * 1024;
/** The buffer of one bulk transfer in one direction. */
export const bulkBufferBytes = 256 * 1024;
/** A read that leaves this much of a bulk buffer unused ends the bulk transfer. */
export const bulkReadBytes = 16 * 1024;
/** Unused bulk buffers that are kept for the next transfer; more are left to the collector. */
const maxSpareBuffers = 8;

/** Who reads into a bulk buffer. */
export interface BulkReader {
  /** The loan is back: the memory may be read into again. */
  loanReturned(): void;
}

/**
 * Memory that belongs to one direction of one connection from `acquire` to `release`, and to a
 * write in flight while it is lent, even if the reader is gone by then.
 */
export class BulkBuffer implements Loan {
  readonly memory: Buffer = Buffer.allocUnsafeSlow(bulkBufferBytes);
  readonly #pool: ReadBuffers;
  #reader: BulkReader | null = null;
  #lent = false;

  constructor(pool: ReadBuffers) {
    this.#pool = pool;
  }

  /** A write in flight owns the bytes. */
  get lent(): boolean {
    return this.#lent;
  }

  assign(reader: BulkReader): void {
    this.#reader = reader;
  }

  take(): void {
    this.#lent = true;
  }

  giveBack(): void {
    if (!this.#lent) return;
    this.#lent = false;
    if (this.#reader === null) this.#pool.recycle(this);
    else this.#reader.loanReturned();
  }

  /**
   * The reader lets go. It may do so only inside its own read callback, when `nextBuffer` installs
   * another buffer right after, or once its handle is closed: until then the native handle keeps
   * the pointer and would read into what is somebody else's by now.
   */
  release(): void {
    this.#reader = null;
    if (!this.#lent) this.#pool.recycle(this);
  }
}

/**
 * The memory that native sockets read into: one shared buffer, and bulk buffers within a budget.
 * One instance per SmartProxy; reads happen one after another, so one shared buffer is enough.
 */
export class ReadBuffers {
  readonly shared: Buffer = Buffer.allocUnsafeSlow(sharedBufferBytes);
  #budgetBytes: number;
  #bulkCount = 0;
  readonly #spare: BulkBuffer[] = [];
  #next: Uint8Array | undefined = this.shared;

  /** `budgetBytes` bounds all bulk buffers together; 0 means no limit. */
  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /**
   * What Node asks for when a socket begins to read and right after each read callback. A read
   * callback says with `install` what its own socket reads into next; otherwise it is the shared
   * one. Undefined: the same as before, which spares the handle a change.
   */
  readonly nextBuffer = (): Uint8Array | undefined => {
    const next = this.#next;
    this.#next = this.shared;
    return next;
  };

  /** Only as the last act of a read callback: the very next `nextBuffer` is for the same socket. */
  install(memory: Uint8Array, former: Uint8Array): void {
    this.#next = memory === former ? undefined : memory;
  }

  /** A buffer for a bulk transfer, or null where the budget is spent: then the shared one has to do. */
  acquire(reader: BulkReader): BulkBuffer | null {
    const spare = this.#spare.pop();
    if (spare === undefined && this.#exceeds(this.#bulkCount + 1)) return null;
    if (spare === undefined) this.#bulkCount++;
    const buffer = spare ?? new BulkBuffer(this);
    buffer.assign(reader);
    return buffer;
  }

  /** Called by the buffer itself, once neither a reader nor a write has it. */
  recycle(buffer: BulkBuffer): void {
    if (this.#spare.length < maxSpareBuffers && !this.#exceeds(this.#bulkCount)) this.#spare.push(buffer);
    else this.#bulkCount--;
  }

  /** A smaller budget takes effect as buffers come back. */
  setBudget(budgetBytes: number): void {
    this.#budgetBytes = budgetBytes;
    while (this.#spare.length > 0 && this.#exceeds(this.#bulkCount)) {
      this.#spare.pop();
      this.#bulkCount--;
    }
  }

  /** Bulk buffers that a reader or a write has now. */
  get buffersInUse(): number {
    return this.#bulkCount - this.#spare.length;
  }

  #exceeds(count: number): boolean {
    return this.#budgetBytes > 0 && count * bulkBufferBytes > this.#budgetBytes;
  }
}
