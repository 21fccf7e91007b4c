import type { Clock, Timer } from '../base/clock.ts';
import { LineSplitter } from './flow-line.ts';

/** Of one turn of the event loop: everything else has its turns between. */
const turnMs = 4;

export interface LineQueueOptions {
  readonly clock: Pick<Clock, 'now' | 'setImmediate'>;
  onLine(line: string): void;
  /** So many characters wait no more. */
  onTaken(characters: number): void;
}

/** Something to understand, or somebody who waits for everything before it. */
type Entry = string | (() => void);

/** Text that is taken as it comes, and understood a little at a time. */
export class LineQueue {
  readonly #options: LineQueueOptions;
  readonly #lines: LineSplitter;
  #entries: Entry[] = [];
  /** The first of the entries that was not looked at yet. */
  #next = 0;
  #turn: Timer | null = null;

  constructor(options: LineQueueOptions) {
    this.#options = options;
    this.#lines = new LineSplitter((line) => options.onLine(line));
  }

  push(text: string): void {
    this.#add(text);
  }

  /** Resolves when all that has come before was understood, or was given up. */
  async caughtUp(): Promise<void> {
    if (this.#turn !== null) await new Promise<void>((resolve) => this.#add(resolve));
  }

  /** Nothing more is understood. */
  clear(): void {
    this.#turn?.cancel();
    this.#turn = null;
    for (let entry = this.#take(); entry !== undefined; entry = this.#take())
      if (typeof entry === 'function') entry();
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
    this.#turn ??= this.#options.clock.setImmediate(() => this.#work());
  }

  #work(): void {
    const { clock } = this.#options;
    const until = clock.now() + turnMs;
    for (let entry = this.#take(); entry !== undefined; entry = this.#take()) {
      if (typeof entry === 'string') this.#lines.push(entry);
      else entry();
      if (clock.now() >= until) break;
    }
    // Whoever was told of a line may have cleared the queue.
    this.#turn = this.#next < this.#entries.length ? clock.setImmediate(() => this.#work()) : null;
  }

  #take(): Entry | undefined {
    const entry = this.#entries[this.#next++];
    if (typeof entry === 'string') this.#options.onTaken(entry.length);
    if (entry === undefined) {
      this.#entries = [];
      this.#next = 0;
    }
    return entry;
  }
}
