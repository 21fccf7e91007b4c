import { createHash } from 'node:crypto';
import type net from 'node:net';
import tls, { type SecureContext, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Certificate } from '../certificates/certificate.ts';
import type { ResolvedTls } from '../config/resolved.ts';
import { sessionSeconds, type TicketKeys } from './ticket-keys.ts';

/** One client's handshake, as the server that does it sees it. */
export interface ServerHandshake {
  /** What was chosen by the client's name; null: it gave none. */
  readonly context: SecureContext | null;
  /** In order of preference. Empty: the client's offer is not answered. */
  readonly alpn: readonly string[];
  /** Whether this is the name that the certificate was chosen by. Node tells what the client wrote. */
  isFor(serverName: string): boolean;
  secured(socket: TLSSocket): void;
  failed(error: Error, socket: TLSSocket): void;
}

/** What clients without a name are shown. */
export interface NamelessTerms {
  readonly certificate: Certificate;
  /** PEM of those whose client certificates are accepted; null where nobody is asked. */
  readonly authorities: string | null;
}

/** Servers of one domain: few addresses of a machine get clients without a name. */
const maxServers = 64;
/** Ours is `tlsHandshakeMs`; Node's must not be earlier. */
const neverMs = 2 ** 31 - 1;

/**
 * One way of asking for client certificates: a session made under it can be resumed under it and
 * nowhere else (T8), because tickets are sealed with its own keys and name its own context.
 *
 * All clients that give a name share a `tls.Server`, which asks for the context of each. Node
 * asks nobody about clients without a name, so these have one for each certificate. Both kinds
 * come without ALPN too: where nothing is offered an offer must not be refused.
 */
export class TrustDomain {
  readonly #key: string;
  readonly #tls: Pick<ResolvedTls, 'clientAuth' | 'minVersion'>;
  readonly #tickets: TicketKeys;
  readonly #handshakes = new WeakMap<net.Socket, ServerHandshake>();
  readonly #servers = new Map<string, tls.Server>();
  #generation: number;

  /** @param key differs from that of every domain whose sessions must not be resumed here */
  constructor(key: string, tls: Pick<ResolvedTls, 'clientAuth' | 'minVersion'>, tickets: TicketKeys) {
    this.#key = key;
    this.#tls = tls;
    this.#tickets = tickets;
    this.#generation = tickets.generation;
  }

  /**
   * Begins a handshake on a socket that was handed over; exactly one of `secured` and `failed` is
   * called, later, unless the socket is destroyed.
   */
  accept(socket: net.Socket, handshake: ServerHandshake, nameless: NamelessTerms | null): void {
    this.#rotate();
    this.#handshakes.set(socket, handshake);
    this.#serverFor(handshake.alpn.length > 0, nameless).emit('connection', socket);
  }

  #rotate(): void {
    const { generation } = this.#tickets;
    if (generation === this.#generation) return;
    this.#generation = generation;
    for (const server of this.#servers.values()) server.setTicketKeys(this.#tickets.of(this.#key));
  }

  #serverFor(answersAlpn: boolean, nameless: NamelessTerms | null): tls.Server {
    const key = `${answersAlpn} ${nameless?.certificate.identity ?? ''}`;
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const server = this.#createServer(answersAlpn, nameless);
    if (this.#servers.size >= maxServers) this.#dropOldest();
    this.#servers.set(key, server);
    return server;
  }

  #dropOldest(): void {
    for (const key of this.#servers.keys()) {
      if (key.endsWith(' ')) continue;
      this.#servers.delete(key);
      return;
    }
  }

  #createServer(answersAlpn: boolean, nameless: NamelessTerms | null): tls.Server {
    const { clientAuth, minVersion } = this.#tls;
    const handshakes = this.#handshakes;
    const options: TlsOptions = {
      minVersion,
      requestCert: clientAuth !== null,
      rejectUnauthorized: clientAuth?.required === true,
      ticketKeys: this.#tickets.of(this.#key),
      sessionIdContext: createHash('sha256').update(this.#key).digest('hex').slice(0, 32),
      sessionTimeout: sessionSeconds,
      handshakeTimeout: neverMs,
      ...(nameless === null ? { SNICallback: showContext(handshakes) } : certificateOptions(nameless)),
      ...(answersAlpn && { ALPNCallback: chooseProtocol(handshakes) }),
    };
    const server = tls.createServer(options);
    server.on('secureConnection', (socket) => takeHandshake(handshakes, socket)?.secured(socket));
    server.on('tlsClientError', (error, socket) => takeHandshake(handshakes, socket)?.failed(error, socket));
    return server;
  }
}

function certificateOptions({ certificate, authorities }: NamelessTerms): TlsOptions {
  const { cert, key } = certificate;
  return { cert, key, ...(authorities !== null && { ca: authorities }) };
}

type Handshakes = WeakMap<net.Socket, ServerHandshake>;

/** By the socket below, which Node keeps in a property that it does not document. */
function handshakeOf(handshakes: Handshakes, socket: TLSSocket): ServerHandshake | undefined {
  const below = socketBelow(socket);
  return below === undefined ? undefined : handshakes.get(below);
}

function socketBelow(socket: TLSSocket): net.Socket | undefined {
  return (socket as TLSSocket & { _parent?: net.Socket })._parent;
}

/** For its last word: an open connection keeps nothing of its handshake. */
function takeHandshake(handshakes: Handshakes, socket: TLSSocket): ServerHandshake | undefined {
  const handshake = handshakeOf(handshakes, socket);
  if (handshake !== undefined) handshakes.delete(socketBelow(socket) as net.Socket);
  return handshake;
}

/** The context was fetched before the handshake began, so that nothing here can fail or wait. */
function showContext(handshakes: Handshakes): NonNullable<TlsOptions['SNICallback']> {
  return function (this: TLSSocket, serverName, callback) {
    const handshake = handshakeOf(handshakes, this);
    if (handshake !== undefined && handshake.context !== null && handshake.isFor(serverName)) {
      callback(null, handshake.context);
    } else {
      callback(new Error('the name is not the one that the route was chosen by'));
    }
  };
}

/** Undefined refuses with the alert `no_application_protocol` (RFC 7301 §3.2). */
function chooseProtocol(handshakes: Handshakes): NonNullable<TlsOptions['ALPNCallback']> {
  return function (this: TLSSocket, { protocols }) {
    return handshakeOf(handshakes, this)?.alpn.find((protocol) => protocols.includes(protocol));
  } as NonNullable<TlsOptions['ALPNCallback']>;
}
