import type { Transport } from '../../base/transport.ts';
import type { ConnectionRecord } from '../../connection/connection-record.ts';
import type { ClientListener, OnRefused, OnRequest } from '../exchange.ts';
import type { HeadLimits } from '../http1/head-limits.ts';
import { LazyDeadline } from '../http1/lazy-deadline.ts';
import { type Http2Services, ServerSession } from './server-session.ts';

export interface Http2Entrance {
  /** The bytes came over TLS. */
  readonly tls: boolean;
  readonly limits: HeadLimits;
  /** Takes each request, and returns who hears of it. */
  readonly onRequest: OnRequest;
  readonly onRefused: OnRefused;
  /** What was read of the transport before; stays the caller's. */
  readonly firstBytes: Uint8Array;
}

/** How often a session is looked at, and how many of them at once. */
const inspectEveryMs = 1000;
const inspectAtOnce = 256;

/** Serves HTTP/2 on connections that others accepted. */
export class Http2Server {
  readonly #services: Http2Services;
  readonly #sessions = new Set<ServerSession>();
  readonly #inspection: LazyDeadline;
  /** Those that this round has still to look at. */
  #round: Iterator<ServerSession> | null = null;
  #draining = false;

  constructor(services: Http2Services) {
    this.#services = services;
    this.#inspection = new LazyDeadline(services.deadlines, () => this.#inspect());
  }

  /** Sessions that are served now. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Takes a connection over, in state `handed-over`, or `established` where TLS was terminated.
   *
   * @param transport the bytes of HTTP: `record.client` in clear text, what is inside TLS otherwise
   */
  serve(record: ConnectionRecord, transport: Transport, entrance: Http2Entrance): void {
    const { firstBytes, ...options } = entrance;
    const ended = (ended: ServerSession): void => this.#ended(ended);
    const session = new ServerSession(this.#services, record, transport, { ...options, ended });
    this.#sessions.add(session);
    record.setOwner(session);
    if (this.#sessions.size === 1) this.#inspectLater(inspectEveryMs);
    session.start(firstBytes);
    if (this.#draining) session.drain();
  }

  /** Requests that are under way. */
  *exchanges(): Iterable<ClientListener> {
    for (const session of this.#sessions) yield* session.exchanges();
  }

  /** Idle sessions end at once, others with the last request that is under way. */
  drain(): void {
    this.#draining = true;
    for (const session of [...this.#sessions]) session.drain();
  }

  #ended(session: ServerSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#inspection.stop();
  }

  #inspectLater(milliseconds: number): void {
    this.#inspection.ask(this.#services.clock.now() + milliseconds);
  }

  /** A round of all sessions takes about a second, whatever their number: some of them each time. */
  #inspect(): void {
    this.#round ??= this.#sessions.values();
    for (let left = inspectAtOnce; left > 0; left--) {
      const { value, done } = this.#round.next();
      if (done === true) {
        this.#round = null;
        break;
      }
      value.inspect();
    }
    if (this.#sessions.size === 0) return;
    const steps = Math.ceil(this.#sessions.size / inspectAtOnce);
    this.#inspectLater(inspectEveryMs / steps);
  }
}
