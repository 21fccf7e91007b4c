import type { Transport } from '../base/transport.ts';
import type { ConnectionOwner, ConnectionRecord } from '../connection/connection-record.ts';
import { reasonOfFailure } from '../connection/ending-policy.ts';
import { type Relay, type RelayObserver, relay, type Side } from '../transport/relay.ts';
import type { ForwardingServices } from './services.ts';

/** The established phase: tells the record what the relay sees, and the manager how it ended. */
export class JoinedPair implements RelayObserver, ConnectionOwner {
  readonly #services: Pick<ForwardingServices, 'clock' | 'manager'>;
  readonly #record: ConnectionRecord;
  readonly #target: Transport;
  #relay: Relay | null = null;

  constructor(
    services: Pick<ForwardingServices, 'clock' | 'manager'>,
    record: ConnectionRecord,
    target: Transport,
  ) {
    this.#services = services;
    this.#record = record;
    this.#target = target;
  }

  start(): void {
    if (this.#record.clientEnded) this.#services.manager.transition(this.#record, 'half-closed');
    this.#relay = relay(this.#record.client, this.#target, this);
  }

  stop(): void {
    this.#relay?.stop();
  }

  activity(): void {
    this.#record.lastActivityAt = this.#services.clock.now();
  }

  sideEnded(side: Side): void {
    this.#services.manager.sideEnded(this.#record, side);
  }

  sideFailed(side: Side, error: Error | undefined): void {
    const reason = reasonOfFailure(side, error);
    this.#services.manager.initiateCleanupOnce(
      this.#record,
      error === undefined ? { reason } : { reason, error },
    );
  }

  finished(): void {
    const reason = this.#record.firstEnded === 'target' ? 'target-closed' : 'client-closed';
    this.#services.manager.initiateCleanupOnce(this.#record, { reason });
  }
}
