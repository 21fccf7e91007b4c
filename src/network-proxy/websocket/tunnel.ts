import type { TerminationReason } from '../../base/termination.ts';
import { reasonOfFailure } from '../../connection/ending-policy.ts';
import { type Relay, type RelayObserver, relay, type Side } from '../../transport/relay.ts';
import type { TunnelEnd } from '../exchange.ts';

export interface TunnelObserver {
  activity(): void;
  sideEnded(side: Side): void;
  /** Once: how it ended. Nothing is told after it. */
  ended(reason: TerminationReason, error: Error | undefined): void;
}

/**
 * Bytes in both directions once HTTP is over (RFC 9110 §7.8). Nothing in them is read, and nothing
 * is put between them. It owns the backend's side; the client's is ended by whoever listens here.
 */
export class Tunnel implements RelayObserver {
  readonly #client: TunnelEnd;
  readonly #backend: TunnelEnd;
  readonly #observer: TunnelObserver;
  #relay: Relay | null = null;
  readonly #readBefore: number;
  #firstEnded: Side | null = null;
  #over = false;

  constructor(client: TunnelEnd, backend: TunnelEnd, observer: TunnelObserver) {
    this.#client = client;
    this.#backend = backend;
    this.#observer = observer;
    this.#readBefore = backend.transport.bytesRead;
  }

  start(): void {
    if (this.#client.firstBytes.length > 0) this.#backend.transport.write(this.#client.firstBytes);
    if (this.#backend.firstBytes.length > 0) this.#client.transport.write(this.#backend.firstBytes);
    if (this.#client.transport.readEnded) this.#firstEnded = 'client';
    this.#relay = relay(this.#client.transport, this.#backend.transport, this);
  }

  /** Bytes of the backend's for the client since HTTP was over. */
  get bytesToClient(): number {
    return this.#backend.transport.bytesRead - this.#readBefore + this.#backend.firstBytes.length;
  }

  /** The client's side ends for another cause: the backend learns of it by a reset. Idempotent. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#relay?.stop();
    this.#backend.transport.reset();
  }

  activity(): void {
    this.#observer.activity();
  }

  sideEnded(side: Side): void {
    this.#firstEnded ??= side;
    this.#observer.sideEnded(side);
  }

  sideFailed(side: Side, error: Error | undefined): void {
    this.stop();
    this.#observer.ended(reasonOfFailure(side, error), error);
  }

  finished(): void {
    if (this.#over) return;
    this.#over = true;
    this.#relay?.stop();
    this.#backend.transport.destroy();
    this.#observer.ended(this.#firstEnded === 'target' ? 'target-closed' : 'client-closed', undefined);
  }
}
