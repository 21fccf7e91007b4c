import { BridgeProofs } from '../base/bridge-proof.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { AddressSet } from '../base/prefix-trie.ts';
import type { Dial } from '../base/transport.ts';
import type { CertificateFailed, CertificateIssued } from '../certificates/acme/acme-services.ts';
import type { ResolvedOptions, ResolvedRoute } from '../config/resolved.ts';
import { ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionRecord } from '../connection/connection-record.ts';
import { SelfAudit } from '../connection/self-audit.ts';
import { TimeoutManager } from '../connection/timeout-manager.ts';
import { handle } from '../forwarding/handler.ts';
import type { ForwarderChange } from '../nftables/forwarder.ts';
import { compileRoutes, type RouteIndex } from '../routing/route-index.ts';
import { SecurityManager } from '../security/security-manager.ts';
import { TargetSelectors } from '../targets/target-selectors.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { createDial } from '../transport/dial.ts';
import { createDns, type Dns } from '../transport/dns.ts';
import { TransportFactory } from '../transport/transport-factory.ts';
import { BridgeEntrance } from './bridge-entrance.ts';
import { ChallengeListener } from './challenge-listener.ts';
import { ConnectionHandler } from './connection-handler.ts';
import { ConnectionLog } from './connection-log.ts';
import { DescriptorBudget, openDescriptors } from './descriptor-budget.ts';
import { Drain } from './drain.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { KernelSide } from './kernel-side.ts';
import { ListenerSet } from './listener-set.ts';
import { Measurement, nothingMeasured } from './measurement.ts';
import { NetworkProxySide, type PreparedSide, type SideServices } from './network-proxy-side.ts';
import { RouteRemoval } from './route-removal.ts';
import type { Statistics } from './statistics.ts';

export interface AssemblyOptions {
  options: ResolvedOptions;
  log: Logger;
  clock?: Clock;
  descriptorLimit: number;
  inherited: InheritedSockets;
  listenerFailed(error: Error): void;
  certificateIssued?(event: CertificateIssued): void;
  certificateFailed?(event: CertificateFailed): void;
  /** Default: nobody follows connections and requests. */
  tracing?: Tracing | null;
  /** Set where this is a NetworkProxy by itself. */
  alone?: Alone | undefined;
}

/** What a NetworkProxy by itself has: with what the proofs of a bridge are made. */
export interface Alone {
  readonly bridgeSecret: Uint8Array | null;
}

/** The listener of a bridge: no route has it. */
export const bridgeListenerKey = 'bridge';

/**
 * All rooms joined: one running proxy. Nothing here outlives `close`. The configuration in force
 * is in `index`, `options` and `trustedSources`; a reload exchanges them together.
 */
export class Assembly {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly security: SecurityManager;
  readonly listeners: ListenerSet;
  readonly handler: ConnectionHandler;
  readonly audit: SelfAudit;
  readonly drain: Drain;
  readonly networkProxy: NetworkProxySide;
  readonly #removal: RouteRemoval;
  readonly kernel: KernelSide;
  /** Null where the configuration wants no metrics. */
  readonly measurement: Measurement | null;
  readonly #challenges: ChallengeListener;
  /** Milliseconds since the epoch; null until every listener is bound. */
  startedAt: number | null = null;
  readonly #timeouts: TimeoutManager;
  readonly #transports: TransportFactory;
  readonly #dns: Dns;
  readonly #connectionLog: ConnectionLog;
  readonly #tracing: Tracing | null;
  readonly #budget: DescriptorBudget;
  options: ResolvedOptions;
  index: RouteIndex;
  /** Of a configuration that comes into force as soon as the kernel has its rules; null: of none. */
  #coming: RouteIndex | null = null;
  #trustedSources: AddressSet;

  constructor({
    options,
    log,
    clock = systemClock,
    descriptorLimit,
    inherited,
    listenerFailed,
    tracing = null,
    alone,
    ...told
  }: AssemblyOptions) {
    this.clock = clock;
    this.options = options;
    this.index = compileRoutes(options.routes);
    this.#trustedSources = new AddressSet(options.trustedSources);
    this.#timeouts = new TimeoutManager(clock);
    this.security = new SecurityManager({ clock, limits: options.limits, log });
    this.#connectionLog = new ConnectionLog(clock, log, options.log.connections);
    const observers = [this.security, this.#connectionLog];
    this.manager = new ConnectionManager({ clock, timeouts: this.#timeouts, log, observers });
    this.kernel = new KernelSide({ clock, log, manager: this.manager, security: this.security });
    this.drain = new Drain(clock, this.manager);
    this.manager.observe(this.drain);
    this.#tracing = tracing;
    if (tracing !== null) this.manager.observe(tracing);
    this.#transports = new TransportFactory({ clock, relayBufferBytes: options.limits.relayBufferBytes });
    this.#dns = createDns({ clock });
    const budget = new DescriptorBudget(descriptorLimit);
    this.#budget = budget;
    this.measurement = options.metrics ? this.#createMeasurement() : null;
    const dial = this.#createDial();
    const selectors = new TargetSelectors();
    this.#challenges = this.#createChallengeListener(log);
    const ordering = {
      port: this.#challenges,
      issued: (event: CertificateIssued) => told.certificateIssued?.(event),
      failed: (event: CertificateFailed) => told.certificateFailed?.(event),
    };
    this.networkProxy = this.#createNetworkProxy({ dial, selectors, log, ordering }, alone !== undefined);
    this.#removal = new RouteRemoval({
      ...{ clock, manager: this.manager, requests: this.networkProxy },
      routes: () => this.index,
    });
    this.handler = this.#createHandler(dial, selectors, budget);
    const secret = alone?.bridgeSecret ?? null;
    const bridge = secret === null ? null : this.#createBridgeEntrance(secret);
    this.listeners = new ListenerSet(
      {
        transports: this.#transports,
        accept: (transport, entrance) => {
          if (bridge !== null && entrance.key === bridgeListenerKey) bridge.accept(transport, entrance.port);
          else this.handler.accept(transport, entrance);
        },
        failed: (_listener, error) => listenerFailed(error),
      },
      inherited,
    );
    this.audit = this.#createAudit(budget, log);
  }

  #createMeasurement(): Measurement {
    const measurement = new Measurement(this.clock, this.manager, {
      auditDifference: () => this.audit.lastingDifference,
      networkProxy: () => this.networkProxy.statistics(),
      certificates: () => this.networkProxy.certificates(),
    });
    measurement.useRoutes(this.options.routes);
    return measurement;
  }

  #createDial(): Dial {
    const { connectSocket } = this.#transports;
    const dial = createDial({ clock: this.clock, dns: this.#dns, connectSocket });
    return this.measurement?.timed(dial) ?? dial;
  }

  #createChallengeListener(log: Logger): ChallengeListener {
    return new ChallengeListener({
      ...{ clock: this.clock, log },
      listeners: () => this.listeners,
      routesAt: (port) => this.#routesAt(port),
      settings: () => this.options,
    });
  }

  #routesAt(port: number): readonly ResolvedRoute[] | null {
    const keys = new Set(
      this.listeners
        .all()
        .filter((listener) => listener.port === port)
        .map(({ key }) => key),
    );
    const there = this.index.listeners.filter(({ key }) => keys.has(key));
    return there.length === 0 ? null : there.flatMap(({ routes }) => routes);
  }

  #createNetworkProxy(
    given: Pick<SideServices, 'dial' | 'selectors' | 'log' | 'ordering'>,
    alone: boolean,
  ): NetworkProxySide {
    const { clock, manager, security } = this;
    const services = {
      ...{ ...given, clock, manager, security },
      timeouts: this.#timeouts,
      meter: this.measurement?.metrics ?? null,
      tracer: this.#tracing,
      resources: this.#transports.resources,
      whole: (record: ConnectionRecord) => handleDecrypted({ clock, manager }, record),
    };
    return new NetworkProxySide(services, alone);
  }

  #createBridgeEntrance(secret: Uint8Array): BridgeEntrance {
    const { clock, manager, security, handler } = this;
    return new BridgeEntrance({
      ...{ clock, manager, security, handler },
      timeouts: this.#timeouts,
      settings: () => this.options,
      proofs: new BridgeProofs(secret),
    });
  }

  #createHandler(dial: Dial, selectors: TargetSelectors, budget: DescriptorBudget): ConnectionHandler {
    return new ConnectionHandler({
      clock: this.clock,
      manager: this.manager,
      timeouts: this.#timeouts,
      security: this.security,
      selectors,
      dial,
      table: (listener, localAddress) =>
        this.index.table(listener, localAddress) ??
        this.#coming?.table(listener, localAddress) ??
        this.#challenges.table(listener),
      challenges: () => this.networkProxy.challenges,
      descriptorsLeft: () => budget.admits(this.#withSockets),
      trustedSources: () => this.#trustedSources,
      processTimeouts: () => this.options.timeouts,
      bridge: () => this.networkProxy.bridge,
    });
  }

  #createAudit(budget: DescriptorBudget, log: Logger): SelfAudit {
    return new SelfAudit({
      clock: this.clock,
      manager: this.manager,
      timeouts: this.#timeouts,
      log,
      witnesses: {
        sockets: () => this.listeners.openSockets,
        flows: () => this.kernel.openFlows,
        addresses: () => this.security.addressCount,
        descriptors: openDescriptors,
      },
      swept: () => budget.observe(this.#withSockets),
    });
  }

  /** Connections that have descriptors: those of the kernel have none. */
  get #withSockets(): number {
    return this.manager.size - this.kernel.flows;
  }

  /**
   * Brings the kernel's rules into force, as the last step of a change that can fail. A port that the
   * kernel gives back is listened on already: whoever comes there meanwhile finds its new routes.
   */
  async useKernel(change: ForwarderChange | null, index: RouteIndex): Promise<void> {
    this.#coming = index;
    try {
      await change?.apply();
    } catch (error) {
      this.#coming = null;
      throw error;
    }
  }

  /** From here on new connections see these routes and limits. The listeners follow by `commit`. */
  use(options: ResolvedOptions, index: RouteIndex, networkProxy: PreparedSide | null): void {
    const before = this.options.routes;
    this.options = options;
    this.index = index;
    this.#coming = null;
    this.networkProxy.use(networkProxy);
    this.#trustedSources = new AddressSet(options.trustedSources);
    this.security.setLimits(options.limits);
    this.measurement?.useRoutes(options.routes);
    this.#connectionLog.enabled = options.log.connections;
    this.#transports.readBuffers.setBudget(options.limits.relayBufferBytes);
    this.#budget.observe(this.#withSockets); // new listeners are bound by now
    this.#removal.drainRemoved(before, options.routes);
  }

  /** Every listener is bound. */
  start(): void {
    this.startedAt = this.clock.wallTime();
    this.audit.start();
    this.measurement?.start();
  }

  /** The listeners of the configuration in force are bound, and no others. */
  bound(): void {
    this.networkProxy.started();
    void this.#challenges.reloaded();
  }

  /** No connection is accepted any more: nothing can be ordered either. */
  stopAccepting(): void {
    this.handler.drain();
    this.#challenges.close();
    this.listeners.close();
    this.networkProxy.drain();
  }

  statistics(): Statistics {
    return {
      ...this.manager.statistics(),
      ...(this.measurement?.statistics() ?? nothingMeasured),
      networkProxy: this.networkProxy.statistics(),
      nftables: this.kernel.statistics(),
      audit: this.audit.snapshot(),
    };
  }

  /** After the last connection has ended. */
  close(): void {
    this.listeners.close();
    this.audit.stop();
    this.#removal.stop();
    this.measurement?.stop();
    this.networkProxy.close();
    this.security.stop();
    this.#connectionLog.stop();
    this.#dns.close();
    this.#timeouts.stop();
  }
}

/** A route that takes whole connections, where TLS has ended already. */
function handleDecrypted(services: Parameters<typeof handle>[0], record: ConnectionRecord): void {
  const { route } = record;
  if (route?.action.type === 'handler') handle(services, record, route, route.action.handle, noBytes);
  else services.manager.initiateCleanupOnce(record, { reason: 'internal-error' });
}

const noBytes = new Uint8Array(0);
