import assert from 'node:assert/strict';
import type net from 'node:net';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { DeadlineQueue } from '../../src/base/deadline-queue.ts';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { AddressSet } from '../../src/base/prefix-trie.ts';
import type { TerminationReason } from '../../src/base/termination.ts';
import type { Dial, Transport } from '../../src/base/transport.ts';
import type { ChallengeAnswers } from '../../src/certificates/acme/challenges/challenge-answers.ts';
import type {
  HeaderEdits,
  ResolvedAction,
  ResolvedForward,
  ResolvedHttp,
  ResolvedRoute,
  ResolvedTarget,
  Timeouts,
} from '../../src/config/resolved.ts';
import { ConnectionManager } from '../../src/connection/connection-manager.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import { TimeoutManager } from '../../src/connection/timeout-manager.ts';
import type { Meter, RequestEntry } from '../../src/network-proxy/access-log.ts';
import { Forwarder } from '../../src/network-proxy/forwarder.ts';
import { Http1Server } from '../../src/network-proxy/http1/http1-server.ts';
import type { ConnectServices, SecureClient } from '../../src/network-proxy/pool/connecting.ts';
import type { PoolSettings } from '../../src/network-proxy/pool/http1-pool.ts';
import { Pools, type PoolsOptions } from '../../src/network-proxy/pool/pools.ts';
import type { MatchRequest } from '../../src/network-proxy/request-planner.ts';
import { TargetSelectors } from '../../src/targets/target-selectors.ts';
import { createDial } from '../../src/transport/dial.ts';
import { createDns } from '../../src/transport/dns.ts';
import {
  type MemoryOptions,
  type MemoryTransport,
  memoryPair,
} from '../../src/transport/memory-transport.ts';
import { TransportFactory } from '../../src/transport/transport-factory.ts';
import { routesOf } from '../routing/routes.ts';
import { eventually } from '../support/eventually.ts';
import type { VirtualClock } from '../support/virtual-clock.ts';

export const noEdits: HeaderEdits = { remove: [], set: [], add: [] };

const plainHttp: ResolvedHttp = {
  headers: { request: noEdits, response: noEdits },
  hostHeader: 'preserve',
  stripPrefix: null,
};

export function target(port: number, changes: Partial<ResolvedTarget> = {}): ResolvedTarget {
  return {
    host: '127.0.0.1',
    port,
    socket: null,
    weight: 1,
    dns: 'system',
    protocol: 'http1',
    tls: null,
    ...changes,
  };
}

export function forward(
  targets: readonly ResolvedTarget[],
  http: Partial<ResolvedHttp> = {},
  changes: Partial<ResolvedForward> = {},
): ResolvedForward {
  return {
    type: 'forward',
    targets,
    tls: 'none',
    engine: 'node',
    nftables: null,
    sendProxyProtocol: 0,
    http: { ...plainHttp, ...http },
    ...changes,
  };
}

export function routeTo(
  action: ResolvedAction,
  timeouts: Partial<Timeouts> = {},
  name = 'site',
): ResolvedRoute {
  const [route] = routesOf({ name, action, protocol: 'http' });
  return { ...route!, timeouts: { ...route!.timeouts, ...timeouts } };
}

export interface CoreOptions {
  route?: ResolvedRoute;
  match?: MatchRequest;
  trusted?: readonly string[];
  challenges?: ChallengeAnswers;
  headerBytes?: number;
  pool?: Partial<PoolSettings>;
  secure?: SecureClient;
  /** Pools for more than HTTP/1. */
  createPool?: (services: ConnectServices) => NonNullable<PoolsOptions['create']>;
  admit?: (route: ResolvedRoute) => TerminationReason | null;
  log?: Logger;
  meter?: Meter;
  /** Access log off. */
  quiet?: boolean;
}

const noTls: SecureClient = () => {
  throw new Error('no TLS in this test');
};

/** Everything behind an accepted connection, whatever the clock and the network are. */
export class Core {
  readonly manager: ConnectionManager;
  readonly timeouts: TimeoutManager;
  readonly deadlines: DeadlineQueue;
  readonly pools: Pools;
  readonly server: Http1Server;
  readonly forwarder: Forwarder;
  readonly entries: RequestEntry[] = [];
  readonly #limits: { headerBytes: number };
  inFlight = 0;

  constructor(clock: Clock, dial: Dial, options: CoreOptions) {
    this.timeouts = new TimeoutManager(clock);
    this.manager = new ConnectionManager({
      clock,
      timeouts: this.timeouts,
      log: options.log ?? silentLogger,
    });
    this.deadlines = new DeadlineQueue(clock);
    this.#limits = { headerBytes: options.headerBytes ?? 65_536 };
    const services = { clock, deadlines: this.deadlines, dial, secure: options.secure ?? noTls };
    const create = options.createPool?.(services);
    this.pools = new Pools({
      services,
      ...(create !== undefined && { create }),
      settings: { maxConnections: 100, maxWaiting: 100, limits: this.#limits, ...options.pool },
    });
    this.server = new Http1Server({ clock, manager: this.manager, deadlines: this.deadlines });
    const trusted = new AddressSet(options.trusted ?? []);
    const match = options.match ?? (() => options.route ?? 'no-route');
    this.forwarder = new Forwarder(
      {
        clock,
        deadlines: this.deadlines,
        pools: this.pools,
        selectors: new TargetSelectors(),
        trustForwarded: () => trusted,
        challenges: () => options.challenges ?? null,
        headLimits: () => this.#limits,
        admit: (route) => {
          const refusal = options.admit?.(route) ?? null;
          if (refusal === null) this.inFlight++;
          return refusal;
        },
        release: () => {
          this.inFlight--;
        },
        meter: options.meter ?? null,
        tracer: null,
        observer: options.quiet ? null : { requestEnded: (entry) => this.entries.push(entry) },
      },
      match,
    );
  }

  accept(client: Transport, timeouts: Timeouts, firstBytes = ''): ConnectionRecord {
    const record = this.manager.createConnection(client, { localPort: 80, timeouts });
    this.manager.transition(record, 'routing');
    this.manager.transition(record, 'handed-over');
    this.server.serve(record, client, {
      tls: false,
      limits: this.#limits,
      onRequest: this.forwarder.take,
      onRefused: this.forwarder.refused,
      firstBytes: Buffer.from(firstBytes),
    });
    return record;
  }

  assertNothingLeft(): void {
    assert.equal(this.manager.size, 0, 'records');
    assert.equal(this.timeouts.size, 0, 'deadlines of connections');
    assert.equal(this.server.size, 0, 'served connections');
    assert.equal(this.inFlight, 0, 'admitted requests');
    for (const { busy } of this.pools.statistics) assert.equal(busy, 0, 'busy connections to backends');
  }
}

/** The engine on real sockets of this machine. */
export class Stage {
  readonly core: Core;
  readonly #server: net.Server;
  readonly #dns = createDns({ clock: systemClock });
  readonly #route: ResolvedRoute;

  private constructor(options: CoreOptions & { route: ResolvedRoute }) {
    const transports = new TransportFactory({ clock: systemClock, relayBufferBytes: 1 << 26 });
    const { connectSocket } = transports;
    this.#route = options.route;
    this.core = new Core(
      systemClock,
      createDial({ clock: systemClock, dns: this.#dns, connectSocket }),
      options,
    );
    this.#server = transports.createServer((transport) => {
      this.core.accept(transport, this.#route.timeouts);
    });
  }

  static async open(options: CoreOptions & { route: ResolvedRoute }): Promise<Stage> {
    const stage = new Stage(options);
    await new Promise<void>((resolve) => stage.#server.listen(0, '127.0.0.1', resolve));
    return stage;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Proves that every connection has ended and nothing is left, and closes. */
  async close(): Promise<void> {
    await eventually(
      () => `every connection ends; ${JSON.stringify(this.core.manager.live().map((r) => r.trail))}`,
      () => this.core.manager.size === 0,
    );
    await eventually('no request is under way', () => this.core.inFlight === 0);
    this.core.assertNothingLeft();
    this.core.pools.close();
    this.core.deadlines.clear();
    this.core.timeouts.stop();
    this.#dns.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The engine in memory, on a virtual clock. Backends are what the test does with `dialled`. */
export class MemoryStage {
  readonly core: Core;
  readonly clock: VirtualClock;
  /** The backend's ends of the connections that were opened. */
  readonly dialled: MemoryTransport[] = [];
  readonly #route: ResolvedRoute;
  readonly #wire: Partial<MemoryOptions>;

  /** @param options `dialMs`: how long it takes to reach a backend; `wire`: what the ways are like */
  constructor(
    clock: VirtualClock,
    options: CoreOptions & { route: ResolvedRoute; dialMs?: number; wire?: Partial<MemoryOptions> },
  ) {
    this.clock = clock;
    this.#route = options.route;
    this.#wire = options.wire ?? {};
    const dial: Dial = (_endpoint, handlers) => {
      const timer = clock.setTimer(options.dialMs ?? 0, () => {
        const [near, far] = memoryPair({ ...this.#wire, clock });
        this.dialled.push(far);
        handlers.onConnected(near);
      });
      return { abort: () => timer.cancel() };
    };
    this.core = new Core(clock, dial, options);
  }

  connect(windowBytes = 65_536): { client: MemoryTransport; record: ConnectionRecord } {
    const [client, near] = memoryPair({
      ...this.#wire,
      clock: this.clock,
      windowBytes,
      addresses: [
        { ip: '192.0.2.7', port: 40_000 },
        { ip: '192.0.2.1', port: 80 },
      ],
    });
    return { client, record: this.core.accept(near, this.#route.timeouts) };
  }
}
