import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Logger } from '../../src/base/logger.ts';
import type { TerminationReason } from '../../src/base/termination.ts';
import type { Route, SmartProxyOptions } from '../../src/config/schema.ts';
import type { RecordSummary } from '../../src/connection/record-summary.ts';
import type { SmartProxySurroundings } from '../../src/smart-proxy/proxy-server.ts';
import { SmartProxy } from '../../src/smart-proxy/smart-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdings, holdings, holdsNoMoreThan, nothingLeft } from '../support/nothing-left.ts';
import { Peer } from './peer.ts';

type Surroundings = Omit<SmartProxySurroundings, 'log'>;

/** One line of a proxy's log. */
export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  event: string;
  fields: Record<string, unknown>;
}

/** A running proxy with everything that it told. */
export class StagedProxy {
  readonly proxy: SmartProxy;
  readonly log: LogLine[] = [];
  /** In the order in which the connections ended. */
  readonly endings: RecordSummary[] = [];

  constructor(options: SmartProxyOptions, surroundings: Surroundings) {
    this.proxy = new SmartProxy(options, { ...surroundings, log: this.#logger() });
    this.proxy.on('connection-closed', (summary) => this.endings.push(summary));
  }

  #logger(): Logger {
    const at =
      (level: LogLine['level']) =>
      (event: string, fields: Record<string, unknown> = {}) => {
        this.log.push({ level, event, fields });
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  portOf(route: string): number {
    const listener = this.proxy.listeners().find(({ routes }) => routes.includes(route));
    assert.ok(listener, `no listener for ${route}`);
    return listener.port;
  }

  /** The port of a proxy that listens on one. */
  get port(): number {
    const ports = this.proxy.listeners().map(({ port }) => port);
    assert.equal(ports.length, 1);
    return ports[0] as number;
  }

  get live(): RecordSummary[] {
    return this.proxy.control.connections() as RecordSummary[];
  }

  get active(): number {
    return this.proxy.getStatistics().connections.active;
  }

  async settled(active: number): Promise<void> {
    await eventually(
      () => `${active} connections are live (there are ${this.active})`,
      () => this.active === active,
    );
  }

  /** Waits until a connection is in this state, and gives it. */
  async inState(state: string): Promise<RecordSummary> {
    const found = (): RecordSummary | undefined => this.live.find((record) => record.state === state);
    await eventually(`a connection is ${state}`, () => found() !== undefined);
    return found() as RecordSummary;
  }

  /** Waits for the endings so far to be this many; gives the newest. */
  async ended(count = 1): Promise<RecordSummary> {
    await eventually(
      () => `${count} connections have ended (${this.endings.length} have)`,
      () => this.endings.length >= count,
    );
    assert.equal(this.endings.length, count);
    return this.endings.at(-1) as RecordSummary;
  }

  /** Waits for the first ending and checks it against `reason` or `reason in phase`. */
  async endedAs(
    expected: `${TerminationReason}` | `${TerminationReason} in ${string}`,
  ): Promise<RecordSummary> {
    const ending = await this.ended();
    const { reason, phase } = ending.termination ?? {};
    assert.equal(expected.includes(' in ') ? `${reason} in ${phase}` : reason, expected);
    return ending;
  }

  /** How often each reason ended a connection. */
  reasons(): Record<string, number> {
    return { ...this.proxy.getStatistics().terminations };
  }
}

/** A server behind a proxy. */
export class Backend {
  readonly server: Server;
  readonly peers: Peer[] = [];
  #over = false;

  constructor(serve: (peer: Peer) => void) {
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const peer = new Peer(socket);
      this.peers.push(peer);
      if (this.#over) socket.destroy();
      else serve(peer);
    });
  }

  /** Closes every connection, also one that the kernel has accepted and Node has not yet. */
  destroyPeers(): void {
    this.#over = true;
    for (const { socket } of this.peers) socket.destroy();
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Waits for a connection, the first unless told otherwise. */
  async peer(index = 0): Promise<Peer> {
    await eventually(`the backend has connection ${index}`, () => this.peers[index] !== undefined);
    return this.peers[index] as Peer;
  }
}

/**
 * Everything that one test opens. `await using`: when the test is over its peers are closed, every
 * proxy is shown to hold nothing and is stopped, and the process holds no more than it did before.
 */
export class Stage implements AsyncDisposable {
  readonly #before: Holdings = holdings();
  readonly #proxies: StagedProxy[] = [];
  readonly #backends: Backend[] = [];
  readonly #clients: Peer[] = [];
  readonly #errorsInLog: ReadonlySet<string>;

  /** `errorsInLog` are the events that may be logged as errors: without them none may. */
  constructor({ errorsInLog = [] }: { errorsInLog?: readonly string[] } = {}) {
    this.#errorsInLog = new Set(errorsInLog);
  }

  /** Starts a proxy. */
  async proxy(
    routes: Route[],
    options: Omit<SmartProxyOptions, 'routes'> = {},
    surroundings: Surroundings = {},
  ): Promise<StagedProxy> {
    const staged = this.unstarted(routes, options, surroundings);
    await staged.proxy.start();
    return staged;
  }

  unstarted(
    routes: Route[],
    options: Omit<SmartProxyOptions, 'routes'> = {},
    surroundings: Surroundings = {},
  ): StagedProxy {
    const staged = new StagedProxy({ ...options, routes }, surroundings);
    this.#proxies.push(staged);
    return staged;
  }

  /** A server on a free port of the loopback. By default it keeps its connections and says nothing. */
  async backend(serve: (peer: Peer) => void = () => {}): Promise<Backend> {
    const backend = new Backend(serve);
    this.#backends.push(backend);
    backend.server.listen(0, '127.0.0.1');
    await once(backend.server, 'listening');
    return backend;
  }

  /** A server that sends back what it gets. */
  async echo(): Promise<Backend> {
    return this.backend(({ socket }) => socket.pipe(socket));
  }

  connect(port: number, options: Parameters<typeof Peer.connect>[1] = {}): Peer {
    const client = Peer.connect(port, options);
    this.#clients.push(client);
    return client;
  }

  /** Closes every client so far: a proxy that has sent its FIN waits for theirs. */
  endClients(): void {
    for (const client of this.#clients) client.socket.destroy();
  }

  /** A client that the test itself closes: for many, of which nothing is kept. */
  visit(port: number): Peer {
    return Peer.connect(port);
  }

  /** A port of the loopback where nobody listens. */
  async deadPort(): Promise<number> {
    return this.freeRange(1);
  }

  /** The first of so many neighbouring ports, none of which is in use or given out by the kernel. */
  async freeRange(length: number): Promise<number> {
    for (;;) {
      const from = 10_000 + Math.floor(Math.random() * 20_000);
      const servers = Array.from({ length }, () => createServer());
      const bound = await Promise.all(servers.map((server, offset) => binds(server, from + offset)));
      for (const server of servers) if (server.listening) await close(server);
      if (bound.every(Boolean)) return from;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    for (const backend of this.#backends) backend.destroyPeers();
    try {
      for (const { proxy } of this.#proxies) if (proxy.control.state !== 'stopped') await nothingLeft(proxy);
    } finally {
      for (const { proxy } of this.#proxies) await proxy.stop({ graceMs: 0 });
      for (const { server } of this.#backends) server.close();
    }
    for (const { proxy } of this.#proxies) assert.deepEqual(proxy.listeners(), []);
    await holdsNoMoreThan(this.#before);
    this.#checkTrails();
  }

  /** What a test may overlook: an ending that fits no state, and errors in the log. */
  #checkTrails(): void {
    for (const { endings, log } of this.#proxies) {
      for (const { termination, events, state } of endings) {
        assert.equal(state, 'closed');
        assert.ok(termination, 'an ended record tells why');
        assert.equal(events.at(0)?.what, 'accepted');
        assert.equal(events.filter(({ what }) => what === 'ending').length, 1);
      }
      const errors = log.filter(({ level, event }) => level === 'error' && !this.#errorsInLog.has(event));
      assert.deepEqual(errors, []);
    }
  }
}

function binds(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
  });
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
