import type { Duplex } from 'node:stream';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import type { ResolvedRoute, RouteContext } from '../config/resolved.ts';
import type { ConnectionOwner, ConnectionRecord } from '../connection/connection-record.ts';
import { reasonOfFailure } from '../connection/ending-policy.ts';
import { type DuplexOwner, toDuplex } from '../transport/duplex.ts';
import { ConnectionContext } from './route-context.ts';
import type { ForwardingServices } from './services.ts';

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

class HandlerPhase implements ConnectionOwner, DuplexOwner {
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
    this.#stream = toDuplex(record.client, firstBytes, this);
  }

  run(handler: Handle): void {
    if (this.#record.clientEnded) this.#services.manager.transition(this.#record, 'half-closed');
    let result: void | PromiseLike<void>;
    try {
      result = handler(this.#stream, this.#context);
    } catch (error) {
      return this.#fail(error);
    }
    Promise.resolve(result).then(
      () => this.#handlerReturned(),
      (error) => this.#fail(error),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#context.abort();
    if (!this.#holdsUnread) this.#stream.destroy(whyStopped(this.#record));
    this.#record.client.setListener(null);
  }

  #handlerReturned(): void {
    this.#returned = true;
    this.#endIfDone();
  }

  #fail(error: unknown): void {
    this.#services.manager.initiateCleanupOnce(this.#record, { reason: 'handler-failed', error });
  }

  activity(): void {
    this.#record.lastActivityAt = this.#services.clock.now();
  }

  peerEnded(): void {
    this.#services.manager.sideEnded(this.#record, 'client');
    this.#endIfDone();
  }

  /** The handler ended its side, and everything that it wrote is out. */
  finished(): void {
    this.#services.manager.sideEnded(this.#record, 'target');
    this.#endIfDone();
  }

  failed(error: Error | undefined): void {
    const reason = reasonOfFailure('client', error);
    this.#services.manager.initiateCleanupOnce(
      this.#record,
      error === undefined ? { reason } : { reason, error },
    );
  }

  /** A handler may drop its connection: with an error it failed, without one it is done. */
  destroyed(error: Error | null, cut: boolean): void {
    if (this.#stopped) return;
    if (error !== null) return this.#fail(error);
    this.#end(cut ? 'reset' : 'finish');
  }

  /** A listener of the stream threw: into our stack, so it is ours to keep from ending the process. */
  threw(error: unknown): void {
    this.#record.note(this.#services.clock.now(), 'handler-threw', { message: errorMessage(error) });
    this.#fail(error);
  }

  /**
   * A handler that ended its side may go on reading what the client still sends. It is over when
   * the client ended too, or when the function has returned and nobody reads.
   */
  #endIfDone(): void {
    const { targetEnded, clientEnded } = this.#record;
    if (targetEnded && (clientEnded || (this.#returned && !this.#isRead))) this.#end('finish');
  }

  /** A pipe that waits for its sink, or an iterator for its loop, is not flowing, but reads. */
  get #isRead(): boolean {
    const stream = this.#stream;
    if (stream.readableFlowing === true) return true;
    return stream.listenerCount('data') > 0 || stream.listenerCount('readable') > 0;
  }

  /** Both sides ended, and the stream has everything: it outlives the connection until it was read. */
  get #holdsUnread(): boolean {
    const { targetEnded, clientEnded } = this.#record;
    return targetEnded && clientEnded && this.#isRead && !this.#stream.readableEnded;
  }

  #end(effect: 'finish' | 'reset'): void {
    const reason = this.#record.firstEnded === 'client' ? 'client-closed' : 'handler-ended';
    this.#services.manager.initiateCleanupOnce(this.#record, { reason, effect });
  }
}

/** What the handler's stream says when the connection ended otherwise than by agreement. */
function whyStopped({ termination }: ConnectionRecord): SmartProxyError | undefined {
  if (termination === null) return undefined;
  const { reason } = termination;
  if (reason === 'client-closed' || reason === 'handler-ended') return undefined;
  return new SmartProxyError(reason, `the connection ended: ${reason}`, { source: 'proxy' });
}
