import type net from 'node:net';
import type { Transport } from '../base/transport.ts';
import { selfConnection } from './dial-failure.ts';

/** Where one socket connects to. */
export type ConnectTarget = { ip: string; port: number } | { path: string };

/**
 * Makes a socket that begins to connect, and the paused transport around it, which keeps an error
 * handler on it for ever. `connect` and `error` are never emitted before the call has returned.
 */
export type ConnectSocket = (to: ConnectTarget) => { socket: net.Socket; transport: Transport };

/** Who started an attempt. Told once, unless the attempt is dropped first. */
export interface AttemptOwner {
  attemptConnected(attempt: Attempt, transport: Transport): void;
  attemptFailed(attempt: Attempt, error: Error): void;
}

const attemptOf = Symbol('attempt');
type DialledSocket = net.Socket & { [attemptOf]?: Attempt | undefined };

/** One socket on its way. The listeners are shared by all, and find their attempt on the socket. */
export class Attempt {
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
