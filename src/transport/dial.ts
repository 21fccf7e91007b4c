import net from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Dial, DialFailure, DialHandlers, Dialing, Endpoint, Transport } from '../base/transport.ts';
import { dialFailure, dnsFailure, mostTelling, selfConnection } from './dial-failure.ts';
import type { Dns, DnsMode, DnsQuery } from './dns.ts';

/** Where one socket connects to. */
export type ConnectTarget = { ip: string; port: number } | { path: string };

/**
 * Makes a socket that begins to connect, and the paused transport around it, which keeps an error
 * handler on it for ever. `connect` and `error` are never emitted before the call has returned.
 */
export type ConnectSocket = (to: ConnectTarget) => { socket: net.Socket; transport: Transport };

export interface DialOptions {
  clock: Clock;
  dns: Dns;
  connectSocket: ConnectSocket;
}

/** How long an attempt has the field to itself before the next address is tried too (RFC 8305 §5). */
export const attemptDelayMs = 250;
/** Addresses of one name that are tried: a name with a thousand must not cost a thousand sockets. */
export const maxAttempts = 16;

/** Dials addresses and unix sockets directly, names by happy eyeballs (RFC 8305). */
export function createDial(options: DialOptions): Dial {
  return (endpoint: Endpoint, handlers: DialHandlers): Dialing => {
    if ('socket' in endpoint) return new DirectDial(options, { path: endpoint.socket }, handlers);
    const { host, port } = endpoint;
    if (net.isIP(host) !== 0) return new DirectDial(options, { ip: host, port }, handlers);
    return new NamedDial(options, host, port, endpoint.dns ?? 'system', handlers);
  };
}

/** Who started an attempt. Told once, unless the attempt is dropped first. */
interface AttemptOwner {
  attemptConnected(attempt: Attempt, transport: Transport): void;
  attemptFailed(attempt: Attempt, error: Error): void;
}

const attemptOf = Symbol('attempt');
type DialledSocket = net.Socket & { [attemptOf]?: Attempt | undefined };

/** One socket on its way. The listeners are shared by all, and find their attempt on the socket. */
class Attempt {
  readonly #owner: AttemptOwner;
  readonly #to: ConnectTarget;
  readonly #socket: DialledSocket;
  readonly #transport: Transport;

  /** Throws what `connectSocket` throws. */
  constructor(owner: AttemptOwner, to: ConnectTarget, connectSocket: ConnectSocket) {
    const { socket, transport } = connectSocket(to);
    this.#owner = owner;
    this.#to = to;
    this.#socket = socket;
    this.#transport = transport;
    this.#socket[attemptOf] = this;
    // In the same tick as the socket was made, so that no error can come before its handler (L2).
    socket.on('error', onError);
    socket.on('connect', onConnect);
    socket.on('close', onClose);
  }

  connected(): void {
    this.#detach();
    const to = this.#to;
    if ('ip' in to && isSelfConnection(to.ip, to.port, this.#socket)) {
      this.#transport.reset();
      this.#owner.attemptFailed(this, selfConnection(`${to.ip}:${to.port}`));
    } else {
      this.#owner.attemptConnected(this, this.#transport);
    }
  }

  failed(error: Error): void {
    this.#detach();
    this.#transport.destroy();
    this.#owner.attemptFailed(this, error);
  }

  /** The owner hears nothing more; a socket that connects nevertheless is already destroyed (L9). */
  drop(): void {
    this.#detach();
    this.#transport.destroy();
  }

  /** The transport's own error handler stays: an error that comes late must not end the process. */
  #detach(): void {
    const socket = this.#socket;
    socket[attemptOf] = undefined;
    socket.off('error', onError);
    socket.off('connect', onConnect);
    socket.off('close', onClose);
  }
}

function onConnect(this: DialledSocket): void {
  this[attemptOf]?.connected();
}

function onError(this: DialledSocket, error: Error): void {
  this[attemptOf]?.failed(error);
}

function onClose(this: DialledSocket): void {
  this[attemptOf]?.failed(new Error('the socket was closed while it was connecting'));
}

/**
 * A port of this machine's ephemeral range that nobody listens on can be dialled from itself:
 * TCP then connects the socket to its own end, and a dead backend looks like an echo service.
 */
function isSelfConnection(ip: string, port: number, socket: net.Socket): boolean {
  if (port < firstEphemeralPort || !isLoopback(ip)) return false;
  return socket.localPort === port && socket.localAddress === socket.remoteAddress;
}

/** The lowest that systems in use take for it; Linux begins at 32,768. */
const firstEphemeralPort = 1024;

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1';
}

/** One address or unix socket: one attempt, and no promise, timer or list. */
class DirectDial implements Dialing, AttemptOwner {
  readonly #handlers: DialHandlers;
  #attempt: Attempt | undefined;
  /** Tells a failure that struck before the dial function returned. */
  #telling: Timer | undefined;
  #done = false;

  constructor(options: DialOptions, to: ConnectTarget, handlers: DialHandlers) {
    this.#handlers = handlers;
    try {
      this.#attempt = new Attempt(this, to, options.connectSocket);
    } catch (error) {
      this.#telling = options.clock.setImmediate(() => this.#fail(error));
    }
  }

  abort(): void {
    if (this.#done) return;
    this.#done = true;
    this.#telling?.cancel();
    this.#attempt?.drop();
  }

  attemptConnected(_attempt: Attempt, transport: Transport): void {
    this.#done = true;
    this.#handlers.onConnected(transport);
  }

  attemptFailed(_attempt: Attempt, error: Error): void {
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#done = true;
    this.#handlers.onFailed(dialFailure(error));
  }
}

/**
 * A name: its addresses race, families alternating, 250 ms apart or as soon as one fails; the
 * first to connect wins. Addresses that DNS tells later join the race.
 */
class NamedDial implements Dialing, AttemptOwner {
  readonly #options: DialOptions;
  readonly #port: number;
  readonly #handlers: DialHandlers;
  #query: DnsQuery | undefined;
  #waiting: string[] = [];
  /** DNS may still tell more. */
  #resolving = true;
  readonly #running = new Set<Attempt>();
  #attempts = 0;
  #lastFamily = 0;
  #nextTimer: Timer | undefined;
  #telling: Timer | undefined;
  #failure: DialFailure | undefined;
  #done = false;

  constructor(options: DialOptions, host: string, port: number, mode: DnsMode, handlers: DialHandlers) {
    this.#options = options;
    this.#port = port;
    this.#handlers = handlers;
    this.#query = options.dns.resolve(host, mode, {
      onAddresses: (addresses, last) => this.#addressesFound(addresses, last),
      onFailed: (error) => this.#resolveFailed(error),
    });
  }

  abort(): void {
    if (this.#done) return;
    this.#finish();
  }

  attemptConnected(attempt: Attempt, transport: Transport): void {
    this.#running.delete(attempt);
    this.#finish();
    this.#handlers.onConnected(transport);
  }

  attemptFailed(attempt: Attempt, error: Error): void {
    this.#running.delete(attempt);
    this.#failure = mostTelling(this.#failure, dialFailure(error));
    this.#startNext();
  }

  #addressesFound(addresses: readonly string[], last: boolean): void {
    this.#waiting.push(...addresses);
    if (last) this.#resolving = false;
    // While one runs and its time is not up, the new ones wait for their turn.
    if (this.#nextTimer === undefined) this.#startNext();
  }

  #resolveFailed(error: Error): void {
    this.#resolving = false;
    this.#failure = mostTelling(this.#failure, dnsFailure(error));
    this.#startNext();
  }

  /** Starts the next attempt, or fails the dial when nothing is left that could still succeed. */
  #startNext(): void {
    this.#nextTimer?.cancel();
    this.#nextTimer = undefined;
    let started = false;
    while (!started && this.#untried) started = this.#startAttempt(this.#takeAddress());
    if (started && (this.#untried || this.#resolving)) {
      this.#nextTimer = this.#options.clock.setTimer(attemptDelayMs, () => {
        this.#nextTimer = undefined;
        this.#startNext();
      });
    } else if (this.#running.size === 0 && !this.#resolving) {
      // Never synchronously: this may be a cached answer, within the call that began the dial.
      this.#telling = this.#options.clock.setImmediate(() => this.#fail());
    }
  }

  get #untried(): boolean {
    return this.#waiting.length > 0 && this.#attempts < maxAttempts;
  }

  #startAttempt(ip: string): boolean {
    this.#attempts += 1;
    this.#lastFamily = net.isIP(ip);
    try {
      this.#running.add(new Attempt(this, { ip, port: this.#port }, this.#options.connectSocket));
      return true;
    } catch (error) {
      this.#failure = mostTelling(this.#failure, dialFailure(error));
      return false;
    }
  }

  /** The next address of the other family, where there is one (RFC 8305 §4). */
  #takeAddress(): string {
    const other = this.#waiting.findIndex((ip) => net.isIP(ip) !== this.#lastFamily);
    return this.#waiting.splice(Math.max(other, 0), 1)[0] as string;
  }

  #fail(): void {
    this.#finish();
    this.#handlers.onFailed(this.#failure ?? dnsFailure(new Error('the name has no address')));
  }

  #finish(): void {
    this.#done = true;
    this.#query?.cancel();
    this.#nextTimer?.cancel();
    this.#telling?.cancel();
    for (const attempt of this.#running) attempt.drop();
    this.#running.clear();
  }
}
