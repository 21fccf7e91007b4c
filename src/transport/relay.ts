import type { Loan, Transport, TransportListener } from '../base/transport.ts';

export type Side = 'client' | 'target';

/** What a relay tells its owner. Nothing is told within `relay()` or after `stop`. */
export interface RelayObserver {
  /** Bytes came, from either side. */
  activity(): void;
  /** A side sent FIN. It goes on to the other after everything before it. */
  sideEnded(side: Side): void;
  /**
   * A side failed, or closed before both FINs were exchanged and everything was delivered. A side
   * that sent FIN and then closed without an error is told of only once the other has taken all
   * that was pending for it. At most once for each side.
   */
  sideFailed(side: Side, error: Error | undefined): void;
  /** Both FINs were read, and passed on after everything before them. */
  finished(): void;
}

export interface Relay {
  /** Lets go of both transports: they are left without a listener. Idempotent. */
  stop(): void;
}

/**
 * Joins two open transports, which it takes over. A side that sent FIN earlier has it mirrored
 * now; the owner knows of that already, so it is not told. What was read before is written by the
 * caller before.
 */
export function relay(client: Transport, target: Transport, observer: RelayObserver): Relay {
  const pair = new Pair(client, target, observer);
  pair.start();
  return pair;
}

class Pair implements Relay {
  readonly #client: RelaySide;
  readonly #target: RelaySide;
  /** Null once stopped. */
  observer: RelayObserver | null;
  #finished = false;

  constructor(client: Transport, target: Transport, observer: RelayObserver) {
    this.observer = observer;
    this.#client = new RelaySide('client', client, target, this);
    this.#target = new RelaySide('target', target, client, this);
  }

  start(): void {
    this.#client.start();
    this.#target.start();
  }

  stop(): void {
    if (this.observer === null) return;
    this.observer = null;
    this.#client.transport.setListener(null);
    this.#target.transport.setListener(null);
  }

  /** Something ended: perhaps it was the last thing, or what a clean close waited for. */
  settle(): void {
    if (this.#finished) return;
    if (this.#client.done && this.#target.done) {
      this.#finished = true;
      this.observer?.finished();
      return;
    }
    this.#client.tellClean(this.#target);
    this.#target.tellClean(this.#client);
  }
}

/** Listens to one side: what it reads goes to the other, and what it can take lets the other read. */
class RelaySide implements TransportListener {
  readonly side: Side;
  readonly transport: Transport;
  readonly #other: Transport;
  readonly #pair: Pair;
  #told = false;

  constructor(side: Side, transport: Transport, other: Transport, pair: Pair) {
    this.side = side;
    this.transport = transport;
    this.#other = other;
    this.#pair = pair;
  }

  start(): void {
    this.transport.setListener(this);
    if (this.transport.readEnded) this.#other.end();
    else this.transport.resume();
  }

  /** Its FIN was read and ours is out. */
  get done(): boolean {
    return this.transport.readEnded && this.transport.writeFinished;
  }

  /** A close without an error, before our FIN was out: told as soon as `other` needs nothing more. */
  tellClean(other: RelaySide): void {
    if (!this.transport.closed || this.done) return;
    if (!this.transport.readEnded || other.transport.closed || other.transport.writeFinished)
      this.#fail(undefined);
  }

  onData(bytes: Uint8Array, loan?: Loan): void {
    this.#pair.observer?.activity();
    if (!this.#other.write(bytes, loan)) this.transport.pause();
  }

  onEnd(): void {
    this.#other.end();
    this.#pair.observer?.sideEnded(this.side);
    this.#pair.settle();
  }

  onDrain(): void {
    this.#other.resume();
  }

  onFinish(): void {
    this.#pair.settle();
  }

  onError(error: Error): void {
    this.#fail(error);
  }

  onClose(): void {
    this.#pair.settle();
  }

  #fail(error: Error | undefined): void {
    if (this.#told) return;
    this.#told = true;
    this.#pair.observer?.sideFailed(this.side, error);
  }
}
