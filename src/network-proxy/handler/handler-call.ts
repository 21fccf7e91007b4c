import type { Duplex } from 'node:stream';
import { errorMessage, SmartProxyError } from '../../base/errors.ts';
import type { PeerAddress } from '../../base/transport.ts';
import type { ResolvedAction, ResolvedRoute, Timeouts } from '../../config/resolved.ts';
import { type DuplexOwner, toDuplex } from '../../transport/duplex.ts';
import { type LocalEnd, localPair } from '../../transport/local-pair.ts';
import type { ClientStream, RequestChanges, StreamWaiter } from '../exchange.ts';
import { BackendConnection, type BackendKeeper } from '../http1/backend-connection.ts';
import { RequestContext } from '../request-context.ts';
import type { RequestPlanner } from '../request-planner.ts';
import type { RequestTrace } from '../request-trace.ts';
import type { StreamSource } from '../stream-source.ts';

export type HandlerRoute = ResolvedRoute & {
  readonly action: Extract<ResolvedAction, { readonly type: 'handler' }>;
};

const nowhere: PeerAddress = { ip: '', port: 0 };

/**
 * One call of a user's function, for one request. The function is what a backend of HTTP/1.1 is:
 * its stream brings the request and takes the answer, and whatever the client speaks is translated.
 *
 *     client ── exchange ── BackendConnection ── near ═ far ── Duplex ── function
 *
 * Whatever the function does, only its own request is touched (L24).
 */
export class HandlerCall implements StreamSource, DuplexOwner, BackendKeeper {
  readonly changes: RequestChanges;
  readonly now: number;
  readonly timeouts: Timeouts;
  readonly #planner: RequestPlanner;
  readonly #client: ClientStream;
  readonly #route: HandlerRoute;
  readonly #context: RequestContext;
  readonly #far: LocalEnd;
  readonly #connection: BackendConnection;
  readonly #stream: Duplex;
  /** The answer came to its end, and the stream could have carried another. */
  #answered = false;
  #failed = false;
  #over = false;

  constructor(
    planner: RequestPlanner,
    client: ClientStream,
    route: HandlerRoute,
    trace: RequestTrace | null,
  ) {
    const { record, request } = client;
    this.#planner = planner;
    this.#client = client;
    this.#route = route;
    this.timeouts = route.timeouts;
    this.now = record.lastActivityAt;
    this.changes = planner.changesFor(planner.planOf(route), client, { socket: '' }, trace);
    this.#context = new RequestContext(record, request, route.name).keep();
    const [near, far] = localPair(nowhere, record.clientAddress);
    this.#far = far;
    const { clock, headLimits } = planner.services;
    this.#connection = new BackendConnection(near, this, headLimits(), clock);
    this.#stream = toDuplex(far, undefined, this);
  }

  /** Tells the stream within the call, and calls the function after it. */
  start(waiter: StreamWaiter): void {
    this.#connection.attach(waiter);
    waiter.onStream(this.#connection, 0);
    const { handle } = this.#route.action;
    Promise.resolve()
      .then(() => (this.#over ? undefined : handle(this.#stream, this.#context)))
      .catch((error) => this.#fail(error));
  }

  found(): void {}

  /** The request is over. Idempotent. */
  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#context.abort();
    // Who has answered, or is done, may see its last bytes out; to the others it is an error.
    if (this.#answered || this.#stream.writableEnded) {
      this.#planner.services.clock.setImmediate(() => this.#stream.destroy());
    } else this.#stream.destroy(requestOver());
  }

  becameIdle(connection: BackendConnection): void {
    this.#answered = true;
    connection.retire();
  }

  becameUseless(): void {}

  // ── what the function and its stream do ──────────────────────────────────────────────────────

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    const { record } = this.#client;
    const message = errorMessage(error);
    record.note(this.#planner.services.clock.now(), 'handler-failed', { route: this.#route.name, message });
    if (this.#over) return;
    this.#far.breakOff(new SmartProxyError('handler-failed', message, { source: 'proxy', cause: error }));
    this.#stream.destroy();
  }

  threw(error: unknown): void {
    this.#fail(error);
  }

  destroyed(error: Error | null, cut: boolean): void {
    if (this.#over) return this.#far.destroy();
    if (error !== null) return this.#fail(error);
    if (!cut) {
      this.#far.end();
      return this.#far.resume();
    }
    const message = 'the handler destroyed its stream before everything was out';
    this.#far.breakOff(new SmartProxyError('handler-ended', message, { source: 'proxy' }));
  }

  activity(): void {}

  peerEnded(): void {}

  finished(): void {}

  failed(): void {}
}

function requestOver(): SmartProxyError {
  return new SmartProxyError('connection-closed', 'the request is over: nobody waits for its answer', {
    source: 'client',
  });
}
