import type { Duplex } from 'node:stream';
import type { ResolvedRoute, RouteContext } from '../config/resolved.ts';
import type { ConnectionOwner, ConnectionRecord } from '../connection/connection-record.ts';
import { reasonOfFailure } from '../connection/ending-policy.ts';
import { toDuplex } from '../transport/duplex.ts';
import type { ForwardingServices } from './passthrough.ts';
import { ConnectionContext } from './route-context.ts';

export type Handle = (stream: Duplex, context: RouteContext) => void | Promise<void>;

/**
 * Gives a connection to a user's function as a Duplex. Whatever the function does, only its own
 * connection is touched (L24); what the client sent so far is the first thing that it reads.
 */
export function handle(
  services: Pick<ForwardingServices, 'clock' | 'manager'>,
  record: ConnectionRecord,
  route: ResolvedRoute,
  handler: Handle,
  firstBytes: Uint8Array,
): void {
  if (!services.manager.transition(record, 'established')) return;
  record.joined = true;
  const phase = new HandlerPhase(services, record, route, firstBytes);
  record.setOwner(phase);
  phase.run(handler);
}

class HandlerPhase implements ConnectionOwner {
  readonly #services: Pick<ForwardingServices, 'clock' | 'manager'>;
  readonly #record: ConnectionRecord;
  readonly #context: ConnectionContext;
  readonly #stream: Duplex;
  #returned = false;
  #stopped = false;

  constructor(
    services: Pick<ForwardingServices, 'clock' | 'manager'>,
    record: ConnectionRecord,
    route: ResolvedRoute,
    firstBytes: Uint8Array,
  ) {
    this.#services = services;
    this.#record = record;
    this.#context = new ConnectionContext(record, route);
    this.#stream = toDuplex(record.client, firstBytes, {
      activity: this.#onActivity,
      clientEnded: this.#onClientEnded,
      finished: this.#onFinished,
      destroyed: this.#onDestroyed,
      failed: this.#onFailed,
    });
  }

  run(handler: Handle): void {
    let result: void | Promise<void>;
    try {
      result = handler(this.#stream, this.#context);
    } catch (error) {
      return this.#onHandlerFailed(error);
    }
    if (!(result instanceof Promise)) return this.#onReturned();
    result.then(this.#onReturned, this.#onHandlerFailed);
  }

  stop(): void {
    this.#stopped = true;
    this.#context.abort();
    this.#stream.destroy();
  }

  readonly #onReturned = (): void => {
    this.#returned = true;
    this.#endIfDone();
  };

  readonly #onHandlerFailed = (error: unknown): void => {
    this.#services.manager.initiateCleanupOnce(this.#record, { reason: 'handler-failed', error });
  };

  readonly #onActivity = (): void => {
    this.#record.lastActivityAt = this.#services.clock.now();
  };

  readonly #onClientEnded = (): void => {
    this.#services.manager.sideEnded(this.#record, 'client');
    this.#endIfDone();
  };

  /** The handler ended its side, and everything that it wrote is out. */
  readonly #onFinished = (): void => {
    this.#services.manager.sideEnded(this.#record, 'target');
    this.#endIfDone();
  };

  readonly #onDestroyed = (error: Error | null): void => {
    if (this.#stopped) return;
    if (error !== null) return this.#onHandlerFailed(error);
    this.#end();
  };

  readonly #onFailed = (error: Error | undefined): void => {
    const reason = reasonOfFailure('client', error);
    this.#services.manager.initiateCleanupOnce(this.#record, error === undefined ? { reason } : { reason, error });
  };

  /**
   * A handler that ended its side may go on reading what the client still sends. It is over when
   * the client ended too, or when nobody reads any more.
   */
  #endIfDone(): void {
    if (!this.#record.targetEnded) return;
    const reads = this.#stream.readableFlowing === true || !this.#returned;
    if (this.#record.clientEnded || !reads) this.#end();
  }

  #end(): void {
    const reason = this.#record.firstEnded === 'client' ? 'client-closed' : 'handler-ended';
    this.#services.manager.initiateCleanupOnce(this.#record, { reason });
  }
}
