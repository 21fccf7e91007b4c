import type { Clock, Timer } from '../base/clock.ts';

/** How the network between two memory transports behaves. */
export interface MemoryNetwork {
  readonly clock: Clock;
  /** Milliseconds that one segment or acknowledgement takes; asked for each. Order is kept. Default 0. */
  readonly latency?: () => number;
  /** Bytes that the two kernels hold between a write and the peer's read, in each direction. Default 65,536. */
  readonly windowBytes?: number;
  /** Largest segment; writes are cut at random below it. 0: never cut. Default 0. */
  readonly segmentBytes?: number;
}

/** What a wire tells the two ends that it joins. */
export interface WireEnd {
  arrivedData(bytes: Uint8Array): void;
  arrivedFin(): void;
  arrivedReset(): void;
  /** The peer read something: there is room again. */
  windowOpened(): void;
}

interface Segment {
  readonly deliver: () => void;
  timer: Timer;
}

/** One direction of a connection in memory: segments arrive in order, later, within a window. */
export class MemoryWire {
  readonly #network: MemoryNetwork;
  readonly #windowBytes: number;
  #sender: WireEnd | null = null;
  #receiver: WireEnd | null = null;
  readonly #segments: Segment[] = [];
  #unread = 0;
  #lastArrival = 0;
  #acknowledged = 0;

  constructor(network: MemoryNetwork) {
    this.#network = network;
    this.#windowBytes = network.windowBytes ?? 65_536;
  }

  join(sender: WireEnd, receiver: WireEnd): void {
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** Bytes that can be sent now. */
  get room(): number {
    return this.#windowBytes - this.#unread;
  }

  /** Copies `bytes` and sends them, cut at random. There must be `room` for them. */
  send(bytes: Uint8Array): void {
    const { clock, segmentBytes = 0 } = this.#network;
    this.#unread += bytes.length;
    for (let from = 0; from < bytes.length; ) {
      const left = bytes.length - from;
      const size = segmentBytes === 0 ? left : Math.min(left, 1 + Math.floor(clock.random() * segmentBytes));
      // A copy also of a Buffer, whose own slice() gives a view.
      const segment = new Uint8Array(bytes.subarray(from, from + size));
      from += size;
      this.#enqueue(() => this.#receiver?.arrivedData(segment));
    }
  }

  sendFin(): void {
    this.#enqueue(() => this.#receiver?.arrivedFin());
  }

  /** `dropping`: a random part of what is still under way is lost, as with a purged send buffer. */
  sendReset(dropping: boolean): void {
    if (dropping) {
      const kept = Math.floor(this.#network.clock.random() * (this.#segments.length + 1));
      for (const segment of this.#segments.splice(kept)) segment.timer.cancel();
    }
    this.#enqueue(() => this.#receiver?.arrivedReset());
  }

  /** The receiver read `count` bytes. The sender learns of it a latency later. */
  acknowledge(count: number): void {
    this.#acknowledged += count;
    if (this.#acknowledged > count) return;
    this.#network.clock.setTimer(this.#network.latency?.() ?? 0, () => {
      this.#unread -= this.#acknowledged;
      this.#acknowledged = 0;
      this.#sender?.windowOpened();
    });
  }

  #enqueue(deliver: () => void): void {
    const { clock, latency } = this.#network;
    const now = clock.now();
    this.#lastArrival = Math.max(this.#lastArrival, now + (latency?.() ?? 0));
    const segment: Segment = {
      deliver,
      // Whichever timer of the same moment comes first: order is the queue's.
      timer: clock.setTimer(this.#lastArrival - now, () => this.#segments.shift()?.deliver()),
    };
    this.#segments.push(segment);
  }
}
