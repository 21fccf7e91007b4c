import type { Transport, TransportListener } from '../base/transport.ts';
import type { ClosingEffect } from './ending-policy.ts';

/** What a closer tells. `flushed` may come more than once; `closed` comes once. */
export interface CloserObserver {
  flushed(): void;
  closed(): void;
}

/**
 * The last owner of a socket. `finish`: pending bytes, FIN, and then it reads and drops what the
 * peer still sends, because a paused socket hears nothing and closing one with unread bytes turns
 * the FIN into a RST. `reset`: RST at once.
 */
export class SocketCloser implements TransportListener {
  readonly #transport: Transport;
  readonly #observer: CloserObserver;
  /** Everything was written and our FIN is out, or nothing can be written any more. */
  flushed = false;
  /** It did not end by FIN both ways. */
  forced = false;
  #closed = false;

  constructor(transport: Transport, effect: ClosingEffect, observer: CloserObserver) {
    this.#transport = transport;
    this.#observer = observer;
    if (transport.closed) {
      this.flushed = true;
      this.#closed = true;
      return;
    }
    transport.setListener(this);
    if (effect === 'finish') this.#finish();
    else this.#reset();
  }

  /** Told by the transport, or seen on it where no event was delivered (L12). */
  get closed(): boolean {
    return this.#closed || this.#transport.closed;
  }

  #finish(): void {
    const transport = this.#transport;
    transport.end();
    this.flushed = transport.writeFinished;
    if (!transport.readEnded) transport.resume();
  }

  #reset(): void {
    this.forced = true;
    this.flushed = true;
    this.#transport.reset();
  }

  /** The grace is over. What is cut off by it is not to look whole: a FIN is only sent behind everything else. */
  force(): void {
    if (this.closed) return;
    this.forced = true;
    this.flushed = true;
    if (this.#transport.writeFinished) this.#transport.destroy();
    else this.#transport.reset();
  }

  onData(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onFinish(): void {
    this.flushed = true;
    this.#observer.flushed();
  }

  onError(): void {
    this.forced = true;
  }

  onClose(): void {
    this.#closed = true;
    this.flushed = true;
    this.#observer.closed();
    this.#observer.flushed();
  }
}
