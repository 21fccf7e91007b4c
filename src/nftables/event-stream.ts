import { extname } from 'node:path';
import { kill } from 'node:process';
import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../base/clock.ts';
import type { ReaderMessage, ReaderTask } from './event-reader.ts';
import { LineSplitter } from './flow-line.ts';
import { LineQueue } from './line-queue.ts';
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
/** What is kept of its complaints. */
const maxComplaint = 2_000;

/** `event-reader.ts`, or what it was compiled to. */
const readerFile = new URL(`./event-reader${extname(import.meta.filename)}`, import.meta.url);

/** A `conntrack` that runs, and the thread that reads it. */
interface Reader {
  readonly thread: Worker;
  /** Null before it has begun. */
  pid: number | null;
}

/**
 * Follows the flows of one owner as `conntrack -E` tells of them. Its socket overruns when it does not
 * get to read, or to write: so it goes before other programs, where that is allowed, and so does the
 * thread that reads what it writes. What it has told is understood when there is time.
 */
export class EventStream {
  readonly #clock: Clock;
  readonly #listener: EventStreamListener;
  readonly #queue: LineQueue;
  readonly #waiting = new Int32Array(new SharedArrayBuffer(4));
  #reader: Reader | null = null;
  #complaint = '';

  constructor(clock: Clock, listener: EventStreamListener) {
    this.#clock = clock;
    this.#listener = listener;
    this.#queue = new LineQueue({
      clock,
      onLine: (line) => listener.onLine(line),
      onTaken: (characters) => Atomics.sub(this.#waiting, 0, characters),
    });
  }

  /** Resolves when no event is missed any more. Rejects where it cannot be started. */
  async start(owner: number): Promise<void> {
    const filter = ['-m', ownerFilter(owner), '-o', 'timestamp,id', '-b', String(bufferBytes)];
    const task: ReaderTask = {
      program: findProgram('conntrack'),
      args: ['-E', ...filter],
      env: programEnvironment,
      waiting: this.#waiting,
    };
    const reader: Reader = { thread: new Worker(readerFile, { workerData: task }), pid: null };
    this.#reader = reader;
    try {
      await this.#listening(reader);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** It tells the size of its buffer once its sockets are there. */
  async #listening(reader: Reader): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let timer: Timer | null = this.#clock.setTimer(startMs, () => settle(resolve));
      const settle = (done: () => void): void => {
        timer?.cancel();
        timer = null;
        done();
      };
      const complaints = new LineSplitter((line) => {
        this.#hear(line);
        if (/socket buffer size has been set/.test(line)) settle(resolve);
      });
      const onEnd = (why: string): void => {
        if (timer === null) this.#end(reader, why);
        else settle(() => reject(new Error(why)));
      };
      reader.thread.on('message', (message: ReaderMessage) => {
        if (message.kind === 'started') reader.pid = message.pid;
        else if (message.kind === 'events') this.#take(reader, message.text);
        else if (message.kind === 'complaint') complaints.push(message.text);
        else onEnd(message.kind === 'failed' ? message.error.message : this.#why());
      });
      reader.thread.on('error', (error) => {
        if (reader.pid !== null) end(reader.pid);
        onEnd(error.message);
      });
    });
  }

  #take(reader: Reader, text: string): void {
    if (this.#reader === reader) this.#queue.push(text);
    else Atomics.sub(this.#waiting, 0, text.length);
  }

  /** Resolves when the events that have come before were told. */
  caughtUp(): Promise<void> {
    return this.#queue.caughtUp();
  }

  #hear(line: string): void {
    if (/ENOBUFS/.test(line)) return this.#listener.onOverrun();
    if (this.#complaint.length < maxComplaint) this.#complaint += `${line}\n`;
  }

  #end(reader: Reader, why: string): void {
    if (this.#reader !== reader) return;
    this.#reader = null;
    void reader.thread.terminate();
    this.#queue.push('\n'); // half a line may be the last
    this.#listener.onEnd(why);
  }

  #why(): string {
    return this.#complaint.trim().split('\n').at(-1) || 'conntrack ended';
  }

  /** Nothing is told from here on. Idempotent. */
  stop(): void {
    const reader = this.#reader;
    this.#reader = null;
    this.#queue.clear();
    if (reader === null) return;
    const { thread, pid } = reader;
    if (pid !== null) end(pid);
    thread.unref();
    void thread.terminate();
  }
}

function end(pid: number): void {
  try {
    kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
