import { constants, createWriteStream, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Clock, Timer } from './clock.ts';

export interface LogOutputOptions {
  clock: Clock;
  /** The descriptor that lines go to. */
  fd: number;
  /** What may wait for a slow reader, in bytes; later lines are dropped. */
  maxWaitingBytes: number;
  /** There is room again after `count` lines were dropped. */
  onDropped(count: number): void;
}

/**
 * Writes lines without ever stopping the event loop: those of one turn together, and no more kept
 * than a bound while the reader is slow.
 */
export class LogOutput {
  readonly #clock: Clock;
  readonly #stream: Writable;
  readonly #maxWaitingBytes: number;
  readonly #onDropped: (count: number) => void;
  #turn: Timer | undefined;
  #gone = false;
  #dropsTold = 0;
  /** Lines dropped since the start. */
  dropped = 0;

  constructor(options: LogOutputOptions) {
    this.#clock = options.clock;
    this.#maxWaitingBytes = options.maxWaitingBytes;
    this.#onDropped = options.onDropped;
    this.#stream = openStream(options.fd);
    // The reader is gone (EPIPE), or the disk is full. A proxy goes on without its log.
    this.#stream.on('error', () => {
      this.#gone = true;
    });
  }

  write(line: string): void {
    if (this.#gone || this.#stream.writableLength + line.length > this.#maxWaitingBytes) {
      this.#drop();
      return;
    }
    if (this.#turn === undefined) {
      this.#stream.cork();
      this.#turn = this.#clock.setImmediate(() => this.#endTurn());
    }
    this.#stream.write(line);
  }

  /** True once everything so far is written; false after `timeoutMs`, or where the reader is gone. */
  flush(timeoutMs: number): Promise<boolean> {
    this.#endTurn();
    if (this.#gone) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(timeoutMs, () => resolve(false));
      // An empty write is done when everything before it is.
      this.#stream.write('', (error) => {
        timer.cancel();
        resolve(error === null || error === undefined);
      });
    });
  }

  /** Writes what it can within `timeoutMs` and gives up the rest. Lines that come later are dropped. */
  async close(timeoutMs: number): Promise<boolean> {
    const complete = await this.flush(timeoutMs);
    this.#gone = true;
    this.#stream.destroy();
    return complete;
  }

  #endTurn(): void {
    if (this.#turn === undefined) return;
    this.#turn.cancel();
    this.#turn = undefined;
    this.#stream.uncork();
  }

  #drop(): void {
    const first = this.dropped === this.#dropsTold;
    this.dropped += 1;
    if (first && !this.#gone) this.#stream.write('', () => this.#tellDrops());
  }

  #tellDrops(): void {
    if (this.#gone) return;
    const count = this.dropped - this.#dropsTold;
    this.#dropsTold = this.dropped;
    this.#onDropped(count);
  }
}

/**
 * Pipes and sockets are written by the event loop, without blocking. (A thread that is stuck in a
 * `write` to a full pipe would keep the process from ending: `process.exit` waits for the pool.)
 * Terminals and files are written by a thread.
 */
function openStream(fd: number): Writable {
  const stat = fstatSync(fd);
  if (stat.isFIFO()) {
    return new Socket({ fd: reopen(fd, constants.O_NONBLOCK), readable: false, writable: true });
  }
  if (stat.isSocket()) return new Socket({ fd, readable: false, writable: true });
  return createWriteStream('', { fd, autoClose: fd > 2 });
}

/** A descriptor of our own for the same pipe: not to block is a matter of ours, not of others who hold it. */
function reopen(fd: number, flags: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | flags);
  } catch {
    return fd;
  }
}
