import type { Transport } from '../../base/transport.ts';
import type { ConnectionRecord } from '../../connection/connection-record.ts';
import type { ClientListener, OnRefused, OnRequest } from '../exchange.ts';
import type { HeadLimits } from './head-limits.ts';
import { ServerConnection, type ServerServices } from './server-connection.ts';

export interface Http1Entrance {
  /** The bytes came over TLS. */
  readonly tls: boolean;
  readonly limits: HeadLimits;
  /** Takes each request, and returns who hears of it. */
  readonly onRequest: OnRequest;
  readonly onRefused: OnRefused;
  /** What was read of the transport before; stays the caller's. */
  readonly firstBytes: Uint8Array;
}

/** Serves HTTP/1.1 on connections that others accepted. */
export class Http1Server {
  readonly #services: ServerServices;
  readonly #connections = new Set<ServerConnection>();
  #draining = false;

  constructor(services: ServerServices) {
    this.#services = services;
  }

  /** Connections that are served now. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Takes a connection over, in state `handed-over`, or `established` where TLS was terminated.
   * From here on the connection is its owner's until the record ends.
   *
   * @param transport the bytes of HTTP: `record.client` in clear text, what is inside TLS otherwise
   */
  serve(record: ConnectionRecord, transport: Transport, entrance: Http1Entrance): void {
    const { firstBytes, ...options } = entrance;
    const ended = (ended: ServerConnection): void => void this.#connections.delete(ended);
    const connection = new ServerConnection(this.#services, record, transport, { ...options, ended });
    this.#connections.add(connection);
    record.setOwner(connection);
    if (this.#draining) connection.drain();
    else connection.start(firstBytes);
  }

  /** Requests that are under way. */
  *exchanges(): Iterable<ClientListener> {
    for (const { exchange } of this.#connections) if (exchange !== null) yield exchange;
  }

  /** Idle connections end at once, others with the answer that is under way. */
  drain(): void {
    this.#draining = true;
    for (const connection of [...this.#connections]) connection.drain();
  }
}
