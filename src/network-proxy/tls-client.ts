import net from 'node:net';
import tls, { type SecureContext, type TLSSocket } from 'node:tls';
import type { Dialing, Transport } from '../base/transport.ts';
import { BoundedCache } from '../certificates/bounded-cache.ts';
import type { ResolvedTargetTls } from '../config/resolved.ts';
import type { TransportResources } from '../transport/socket-transport.ts';
import type { SocketBackedTransport } from '../transport/transport-factory.ts';
import { type BackendSpec, keyOf, serverNameOf } from './pool/backend-spec.ts';
import type { SecureClient } from './pool/connecting.ts';
import { DecryptedTransport } from './tls-transport.ts';

export interface SecureClientOptions {
  readonly resources: TransportResources;
  /** Authorities and client certificate of a target; undefined where they are not loaded. */
  readonly contextFor: (tls: ResolvedTargetTls) => SecureContext | undefined;
  /** What is offered by ALPN. */
  readonly protocols: (spec: BackendSpec) => readonly string[];
}

type Handlers = Parameters<SecureClient>[2];

/** Sessions that are kept to be resumed, one for each kind of connection. */
const maxSessions = 1000;

/** TLS towards backends: their certificates are verified unless it is turned off; sessions are resumed. */
export function createSecureClient(options: SecureClientOptions): SecureClient {
  const sessions = new BoundedCache<string, Buffer>(maxSessions);
  return (transport, spec, handlers) => {
    const handshake = new ClientHandshake(options, sessions, transport as SocketBackedTransport, handlers);
    handshake.start(spec);
    return handshake;
  };
}

class ClientHandshake implements Dialing {
  readonly #options: SecureClientOptions;
  readonly #sessions: BoundedCache<string, Buffer>;
  readonly #below: SocketBackedTransport;
  readonly #handlers: Handlers;
  #socket: TLSSocket | null = null;
  #done = false;

  constructor(
    options: SecureClientOptions,
    sessions: BoundedCache<string, Buffer>,
    below: SocketBackedTransport,
    handlers: Handlers,
  ) {
    this.#options = options;
    this.#sessions = sessions;
    this.#below = below;
    this.#handlers = handlers;
  }

  start(spec: BackendSpec): void {
    const context = spec.tls === null ? undefined : this.#options.contextFor(spec.tls);
    const key = keyOf(spec);
    const name = serverNameOf(spec);
    const session = this.#sessions.get(key);
    const socket = tls.connect({
      socket: this.#below.handOver(noBytes),
      host: name,
      rejectUnauthorized: spec.tls?.verify !== false,
      ALPNProtocols: [...this.#options.protocols(spec)],
      ...(context !== undefined && { secureContext: context }),
      ...(name !== '' && net.isIP(name) === 0 && { servername: name }),
      ...(session !== undefined && { session }),
    });
    this.#socket = socket;
    socket.on('session', (ticket) => this.#sessions.set(key, ticket));
    socket.on('secureConnect', this.#onSecured);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  abort(): void {
    if (this.#done) return;
    this.#finish();
    this.#below.destroy();
  }

  readonly #onSecured = (): void => {
    const socket = this.#socket as TLSSocket;
    socket.allowHalfOpen = true;
    const inside: Transport = new DecryptedTransport(socket, this.#below, this.#options.resources);
    this.#finish();
    this.#handlers.onSecured(inside, socket.alpnProtocol || null);
  };

  readonly #onError = (error: Error): void => {
    this.#fail(error);
  };

  readonly #onClose = (): void => {
    this.#fail(new Error('the backend closed the connection during the handshake'));
  };

  #fail(error: Error): void {
    if (this.#done) return;
    this.#finish();
    this.#below.destroy();
    this.#handlers.onFailed(error);
  }

  /** A late error never meets a bare socket. */
  #finish(): void {
    this.#done = true;
    const socket = this.#socket as TLSSocket;
    socket.off('secureConnect', this.#onSecured);
    socket.off('close', this.#onClose);
  }
}

const noBytes = new Uint8Array(0);
