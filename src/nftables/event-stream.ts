import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Clock, Timer } from '../base/clock.ts';
import { LineSplitter } from './flow-line.ts';
import { ownerFilter } from './marks.ts';
import { findProgram, programEnvironment } from './run-program.ts';

export interface EventStreamListener {
  /** A line of an event. */
  onLine(line: string): void;
  /** The kernel had more events than room for them: some are lost. */
  onOverrun(): void;
  /** It ended without having been stopped; the last thing that is told. */
  onEnd(why: string): void;
}

/** Of events that wait in the kernel to be read. */
const bufferBytes = 8 * 1024 * 1024;
/** Until `conntrack` listens. It says so; one that says nothing is taken at its word. */
const startMs = 5_000;
const highestPriority = -20;
/** What is kept of its complaints. */
const maxComplaint = 2_000;

/**
 * Follows the flows of one owner as `conntrack -E` tells of them. Its socket overruns when it does not
 * get to read, so it goes before other programs, where that is allowed.
 */
export class EventStream {
  readonly #clock: Clock;
  readonly #listener: EventStreamListener;
  #child: ChildProcess | null = null;
  #complaint = '';

  constructor(clock: Clock, listener: EventStreamListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** Resolves when no event is missed any more. Rejects where it cannot be started. */
  async start(owner: number): Promise<void> {
    const filter = ['-m', ownerFilter(owner), '-o', 'timestamp,id', '-b', String(bufferBytes)];
    const child = spawn(findProgram('conntrack'), ['-E', ...filter], {
      env: programEnvironment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const lines = new LineSplitter((line) => this.#listener.onLine(line));
    child.stdout.setEncoding('latin1').on('data', (text: string) => lines.push(text));
    const complaints = new LineSplitter((line) => this.#hear(line));
    child.stderr.setEncoding('latin1').on('data', (text: string) => complaints.push(text));
    try {
      await this.#listening(child);
    } catch (error) {
      this.stop();
      throw error;
    }
    child.once('close', () => this.#end(child));
    goFirst(child);
  }

  /** It tells the size of its buffer once its sockets are there. */
  async #listening(child: ChildProcess): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let timer: Timer | null = this.#clock.setTimer(startMs, () => settle(resolve));
      const settle = (done: () => void): void => {
        timer?.cancel();
        timer = null;
        child.stderr?.off('data', onNotice);
        child.off('error', onError).off('close', onClose);
        done();
      };
      const onNotice = (): void => {
        if (/socket buffer size has been set/.test(this.#complaint)) settle(resolve);
      };
      const onError = (error: Error): void => settle(() => reject(error));
      const onClose = (): void => settle(() => reject(new Error(this.#why())));
      child.stderr?.on('data', onNotice);
      child.once('error', onError).once('close', onClose);
    });
  }

  #hear(line: string): void {
    if (/ENOBUFS/.test(line)) return this.#listener.onOverrun();
    if (this.#complaint.length < maxComplaint) this.#complaint += `${line}\n`;
  }

  #end(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#listener.onEnd(this.#why());
  }

  #why(): string {
    return this.#complaint.trim().split('\n').at(-1) || 'conntrack ended';
  }

  /** Nothing is told from here on. Idempotent. */
  stop(): void {
    const child = this.#child;
    this.#child = null;
    if (child === null) return;
    child.stdout?.removeAllListeners('data').destroy();
    child.stderr?.destroy();
    child.on('error', () => {});
    child.kill('SIGKILL');
  }
}

/** Whoever may not do so has events lost a little sooner. */
function goFirst({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, highestPriority);
  } catch {
    // Not allowed.
  }
}
