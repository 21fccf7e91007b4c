import { EventEmitter } from 'node:events';
import type { Clock } from '../../../src/base/clock.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import type { EndObserver, Network } from '../network.ts';

/** A transport in memory with what NetworkProxy's own count of clients listens to. */
type CountedTransport = MemoryTransport & {
  readonly stream?: EventEmitter & { readonly destroyed: boolean };
};

/** What happened at the proxy's end of a client's connection, written down as it happens. */
export class EndLog implements EndObserver {
  readonly end: MemoryTransport;
  readonly #clock: Clock;
  readonly #stream = Object.assign(new EventEmitter(), { destroyed: false });
  /** How much was read in all, and when it came to that. */
  readonly #reads: { readonly at: number; readonly total: number }[] = [];
  /** When the FIN was read; 0 before that. */
  endedAt = 0;
  /** When something was written while nothing was pending. */
  pendingSince = 0;
  /** When somebody wanted to read. */
  readonly #resumed: number[] = [0];

  constructor(end: MemoryTransport, network: Network, clock: Clock) {
    this.end = end;
    this.#clock = clock;
    Object.assign(end, { stream: this.#stream } satisfies Pick<CountedTransport, 'stream'>);
    network.watch(end, this);
    const resume = end.resume.bind(end);
    end.resume = () => {
      this.#resumed.push(clock.now());
      resume();
    };
    const write = end.write.bind(end);
    end.write = (bytes, loan) => {
      if (end.pendingBytes === 0) this.pendingSince = clock.now();
      return write(bytes, loan);
    };
  }

  read(): void {
    this.#reads.push({ at: this.#clock.now(), total: this.end.bytesRead });
  }

  ended(): void {
    this.endedAt = this.#clock.now();
  }

  closed(): void {
    this.#stream.destroyed = true;
    this.#stream.emit('close');
  }

  /** Its socket has told that it is closed. */
  get told(): boolean {
    return this.#stream.destroyed;
  }

  /** When the byte at this place was read; undefined: it was not. */
  readAt(place: number): number | undefined {
    return this.#reads.find(({ total }) => total > place)?.at;
  }

  /** When somebody last wanted to read, before this moment. */
  resumedAt(before = Number.POSITIVE_INFINITY): number {
    return this.#resumed.findLast((at) => at < before) ?? 0;
  }

  /** When something was last read, before this moment. */
  lastReadAt(before = Number.POSITIVE_INFINITY): number {
    return this.#reads.findLast(({ at }) => at < before)?.at ?? 0;
  }
}
