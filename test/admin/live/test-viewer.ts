import { Writable } from 'node:stream';
import { EventParser } from '../../../src/admin/dashboard/admin-api/event-parser.ts';
import type { Snapshot, Tick } from '../../../src/admin/live/messages.ts';

export type Heard = { event: 'snapshot' | 'tick' | 'bye'; data: Snapshot & Tick };

/** Somebody who watches, and takes what is written only when told to. */
export class TestViewer {
  readonly heard: Heard[] = [];
  readonly output: Writable;
  readonly #parser = new EventParser();
  #taking = true;
  #take: (() => void) | null = null;

  constructor() {
    this.output = new Writable({
      highWaterMark: 1,
      write: (bytes, _encoding, taken) => {
        const take = (): void => {
          for (const { event, data } of this.#parser.push(bytes.toString()))
            this.heard.push({ event: event as Heard['event'], data: JSON.parse(data) });
          taken();
        };
        if (this.#taking) take();
        else this.#take = take;
      },
    });
  }

  /** The names of the events so far. */
  get events(): string[] {
    return this.heard.map(({ event }) => event);
  }

  stall(): void {
    this.#taking = false;
  }

  goOn(): void {
    this.#taking = true;
    this.#take?.();
    this.#take = null;
  }
}
