/** A SmartProxy in the test's own process, with every ending that it told. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { TerminationReason } from '../../src/base/termination.ts';
import type { Route, SmartProxyOptions } from '../../src/config/schema.ts';
import type { RecordSummary } from '../../src/connection/record-summary.ts';
import type { SmartProxySurroundings } from '../../src/smart-proxy/proxy-server.ts';
import { SmartProxy } from '../../src/smart-proxy/smart-proxy.ts';
import { RecordingLog } from './recording-log.ts';
import { type Workspace, waitUntil } from './workspace.ts';

/** With its workspace it ends: it proves that nothing is left, and stops. */
export class ProxyFixture {
  readonly proxy: SmartProxy;
  /** In the order in which they came. */
  readonly endings: RecordSummary[] = [];
  readonly log = new RecordingLog();

  private constructor(options: SmartProxyOptions, surroundings: SmartProxySurroundings) {
    this.proxy = new SmartProxy(options, { log: this.log, ...surroundings });
    this.proxy.on('connection-closed', (summary) => this.endings.push(summary));
  }

  static async start(
    workspace: Workspace,
    routes: Route[],
    options: Omit<SmartProxyOptions, 'routes'> = {},
    surroundings: SmartProxySurroundings = {},
  ): Promise<ProxyFixture> {
    const fixture = new ProxyFixture({ ...options, routes }, surroundings);
    await fixture.proxy.start();
    workspace.onEnd(() => fixture.#end());
    return fixture;
  }

  /** The port where a route takes connections. */
  portOf(route: string): number {
    const listener = this.proxy.listeners().find(({ routes }) => routes.includes(route));
    assert.ok(listener, `no listener for ${route}`);
    return listener.port;
  }

  /** The ending of the only connection so far; waits for it. */
  async ending(): Promise<RecordSummary> {
    await this.nothingLeft();
    assert.equal(this.endings.length, 1, `${this.endings.length} connections ended`);
    return this.endings[0] as RecordSummary;
  }

  /** The reasons of all connections so far, sorted; waits until none is left. */
  async reasons(): Promise<(TerminationReason | undefined)[]> {
    await this.nothingLeft();
    return this.endings.map(({ termination }) => termination?.reason).sort();
  }

  /** Waits until no connection is live, and checks that the books agree. */
  async nothingLeft(): Promise<void> {
    await waitUntil('every connection to end', () => {
      return this.proxy.getStatistics().connections.active === 0 || undefined;
    });
    const { connections, audit, networkProxy } = this.proxy.getStatistics();
    assert.deepEqual([networkProxy.connectedClients, networkProxy.portProxyConnections], [0, 0]);
    assert.equal(connections.opened, connections.terminated);
    assert.equal(connections.terminated, this.endings.length);
    assert.deepEqual(
      {
        records: audit.records,
        sockets: audit.sockets,
        addresses: audit.addresses,
        consistent: audit.consistent,
      },
      { records: 0, sockets: 0, addresses: 0, consistent: true },
    );
  }

  async #end(): Promise<void> {
    try {
      await this.nothingLeft();
    } finally {
      await this.proxy.stop({ graceMs: 0 });
    }
  }
}

/** A plain TCP route on a free port of 127.0.0.1. */
export function tcpRoute(name: string, port: number): Route {
  return {
    name,
    match: { ports: 0, address: '127.0.0.1' },
    action: { type: 'forward', target: { host: '127.0.0.1', port } },
  };
}

/** A route for TLS by name, on the free port that all of them share. */
export function passthroughRoute(name: string, port: number): Route {
  return {
    name,
    match: { ports: 0, address: '127.0.0.1', domains: name },
    action: { type: 'forward', target: { host: '127.0.0.1', port }, tls: { mode: 'passthrough' } },
  };
}

/** Stands between a client and a proxy and counts what crosses: a witness of its own for byte counts. */
export class CountingTap {
  fromClient = 0;
  toClient = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client, target));
  }

  static async start(workspace: Workspace, target: number): Promise<CountingTap> {
    const tap = new CountingTap(target);
    tap.#server.listen(0, '127.0.0.1');
    await once(tap.#server, 'listening');
    workspace.onEnd(() => tap.#end());
    return tap;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #join(client: Socket, target: number): void {
    const proxy = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    for (const [socket, other] of [
      [client, proxy],
      [proxy, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy()).once('close', () => this.#sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      this.fromClient += bytes.length;
    });
    proxy.on('data', (bytes) => {
      this.toClient += bytes.length;
    });
    client.pipe(proxy);
    proxy.pipe(client);
  }

  async #end(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
