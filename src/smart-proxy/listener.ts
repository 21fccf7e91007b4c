import type net from 'node:net';
import { SmartProxyError } from '../base/errors.ts';
import type { Transport } from '../base/transport.ts';
import type { ListenerSpec } from '../routing/listener-plan.ts';
import type { TransportFactory } from '../transport/transport-factory.ts';
import type { Entrance } from './connection-handler.ts';

export interface ListenerServices {
  transports: TransportFactory;
  accept(transport: Transport, entrance: Entrance): void;
  /** The server failed after it was bound. */
  failed(listener: Listener, error: Error): void;
}

/** As HAProxy's default for a busy edge; the kernel caps it at net.core.somaxconn. */
const backlog = 4096;

/** One listening socket. It only accepts: a connection outlives the listener that it came through. */
export class Listener implements Entrance {
  readonly key: string;
  readonly spec: ListenerSpec;
  readonly #services: ListenerServices;
  readonly #server: net.Server;
  #port = 0;
  #address = '';

  constructor(spec: ListenerSpec, services: ListenerServices) {
    this.key = spec.key;
    this.spec = spec;
    this.#services = services;
    this.#server = services.transports.createServer((transport) => this.#services.accept(transport, this));
  }

  /** The real port. */
  get port(): number {
    return this.#port;
  }

  /** Where it is bound; every address is `::`, or `0.0.0.0` on a machine without IPv6. */
  get address(): string {
    return this.#address;
  }

  /** Sockets that were accepted here and are still open: counted by Node, not by us. */
  get openSockets(): number {
    return (this.#server as net.Server & { _connections?: number })._connections ?? 0;
  }

  /**
   * Binds, or takes over `fd` from the service manager. Rejects with `port-taken`,
   * `port-not-allowed` or `listen-failed`.
   */
  async bind(fd: number | null): Promise<void> {
    const { port, address } = this.spec;
    if (fd !== null) await this.#listen({ fd });
    else if (address !== null) await this.#listen({ port, host: address });
    else await this.#listenEverywhere(port);
    this.#server.on('error', (error) => this.#services.failed(this, error));
    const bound = this.#server.address() as net.AddressInfo;
    this.#port = bound.port;
    this.#address = bound.address;
  }

  /** Dual stack; a machine without IPv6 listens on IPv4 only. */
  async #listenEverywhere(port: number): Promise<void> {
    try {
      await this.#listen({ port, host: '::' });
    } catch (error) {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      if (cause?.code !== 'EAFNOSUPPORT' && cause?.code !== 'EADDRNOTAVAIL') throw error;
      await this.#listen({ port, host: '0.0.0.0' });
    }
  }

  #listen(options: net.ListenOptions | { fd: number }): Promise<void> {
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        server.off('error', settle);
        server.off('listening', settle);
        if (error === undefined) resolve();
        else reject(listenError(this.spec, error));
      };
      server.once('error', settle);
      server.once('listening', settle);
      server.listen({ ...options, backlog });
    });
  }

  /** Stops accepting at once. Connections that came through it live on. Idempotent. */
  close(): void {
    if (this.#server.listening) this.#server.close();
  }
}

function listenError(spec: ListenerSpec, cause: NodeJS.ErrnoException): SmartProxyError {
  const where = `${spec.address ?? 'every address'}, port ${spec.port}`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new SmartProxyError('port-taken', `cannot listen on ${where}: another process has the port`, {
        source: 'proxy',
        retryable: true,
        cause,
      });
    case 'EACCES':
    case 'EPERM':
      return new SmartProxyError(
        'port-not-allowed',
        `cannot listen on ${where}: not allowed (grant CAP_NET_BIND_SERVICE, or use a port from 1024)`,
        { source: 'proxy', cause },
      );
    case 'EADDRNOTAVAIL':
      return new SmartProxyError(
        'listen-failed',
        `cannot listen on ${where}: this machine has no such address (write one that it has, or leave match.address out)`,
        { source: 'proxy', retryable: true, cause },
      );
    default:
      return new SmartProxyError('listen-failed', `cannot listen on ${where}: ${cause.message}`, {
        source: 'proxy',
        cause,
      });
  }
}
