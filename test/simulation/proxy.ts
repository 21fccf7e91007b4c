import type { BridgeProofs } from '../../src/base/bridge-proof.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/logger.ts';
import { AddressSet } from '../../src/base/prefix-trie.ts';
import type { Dial, Transport } from '../../src/base/transport.ts';
import type { Limits, ResolvedRoute, Timeouts } from '../../src/config/resolved.ts';
import { ConnectionManager } from '../../src/connection/connection-manager.ts';
import type { ConnectionObserver } from '../../src/connection/connection-observer.ts';
import type { ConnectionRecord } from '../../src/connection/connection-record.ts';
import { SelfAudit } from '../../src/connection/self-audit.ts';
import { TimeoutManager } from '../../src/connection/timeout-manager.ts';
import type { BackendLimits } from '../../src/network-proxy/engine.ts';
import { compileRoutes, type RouteIndex } from '../../src/routing/route-index.ts';
import { SecurityManager } from '../../src/security/security-manager.ts';
import { BridgeEntrance } from '../../src/smart-proxy/bridge-entrance.ts';
import { ConnectionHandler } from '../../src/smart-proxy/connection-handler.ts';
import { Drain } from '../../src/smart-proxy/drain.ts';
import { NetworkProxySide } from '../../src/smart-proxy/network-proxy-side.ts';
import { RouteRemoval } from '../../src/smart-proxy/route-removal.ts';
import { TargetSelectors } from '../../src/targets/target-selectors.ts';
import { type BridgeMode, noOrdering, prepareSide, simulatedResources } from './side.ts';

/** Peers in here must send a PROXY header. */
const trustedSource = '10.9.0.0/16';

/** How one proxy of a world is configured. */
export interface ProxyPlan {
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  routes(): readonly ResolvedRoute[];
  /** What a reload makes of them. */
  reloadedRoutes(): readonly ResolvedRoute[];
  /** Where connections are read that are not passed on; null: no route asks for it. */
  readonly bridge: BridgeMode | null;
  /** Set where it is the other end of a loopback bridge. */
  readonly proofs: BridgeProofs | null;
  /** Users' streams and promises take part. */
  readonly needsEventLoop: boolean;
  /**
   * How long it waits, with no connection left, until what it keeps for later has gone by itself.
   * Null: it closes that at once.
   */
  readonly settleMs: number | null;
  /** For its pools; default: those of the engine. */
  readonly backendLimits?: BackendLimits;
}

export interface ProxyParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly dial: Dial;
  readonly sockets: () => number;
  readonly observer: ConnectionObserver;
  /** Everything is at rest, and about to be closed. */
  readonly settled: () => void;
}

/** The real proxy, composed as SmartProxy composes it, but on a simulated network. */
export class SimulatedProxy {
  readonly manager: ConnectionManager;
  readonly timeouts: TimeoutManager;
  readonly security: SecurityManager;
  readonly audit: SelfAudit;
  readonly side: NetworkProxySide;
  readonly #clock: Clock;
  readonly #plan: ProxyPlan;
  readonly #handler: ConnectionHandler;
  readonly #entrance: BridgeEntrance | null;
  readonly #drain: Drain;
  readonly #removal: RouteRemoval;
  readonly #settled: () => void;
  #index: RouteIndex;
  stopping = false;
  stopped = false;

  constructor(plan: ProxyPlan, parts: ProxyParts) {
    const { clock, log, dial } = parts;
    this.#clock = clock;
    this.#plan = plan;
    this.#settled = parts.settled;
    this.timeouts = new TimeoutManager(clock);
    this.security = new SecurityManager({ clock, limits: plan.limits, log });
    const observers = [this.security, parts.observer];
    this.manager = new ConnectionManager({ clock, timeouts: this.timeouts, log, observers });
    this.audit = this.#createAudit(log, parts.sockets);
    this.#drain = new Drain(clock, this.manager);
    this.manager.observe(this.#drain);
    this.#index = compileRoutes(plan.routes());
    const selectors = new TargetSelectors();
    this.side = this.#createSide(dial, selectors, log);
    this.#removal = new RouteRemoval({
      ...{ clock, manager: this.manager, requests: this.side },
      routes: () => this.#index,
    });
    this.#handler = this.#createHandler(dial, selectors);
    this.#entrance = plan.proofs === null ? null : this.#createEntrance(plan.proofs);
    this.#use(this.#index);
    this.audit.start();
  }

  #createAudit(log: Logger, sockets: () => number): SelfAudit {
    return new SelfAudit({
      clock: this.#clock,
      manager: this.manager,
      timeouts: this.timeouts,
      log,
      witnesses: {
        sockets,
        flows: () => 0,
        addresses: () => this.security.addressCount,
        descriptors: () => null,
      },
    });
  }

  #createSide(dial: Dial, selectors: TargetSelectors, log: Logger): NetworkProxySide {
    const { manager, timeouts, security } = this;
    const services = { clock: this.#clock, manager, timeouts, security, selectors, dial, log };
    const whole = (record: ConnectionRecord): void =>
      void manager.initiateCleanupOnce(record, { reason: 'internal-error' });
    const { proofs, backendLimits } = this.#plan;
    const absent = { meter: null, tracer: null, ordering: noOrdering };
    const all = { ...services, ...absent, resources: simulatedResources, whole };
    return new NetworkProxySide(
      { ...all, ...(backendLimits !== undefined && { backendLimits }) },
      proofs !== null,
    );
  }

  #createHandler(dial: Dial, selectors: TargetSelectors): ConnectionHandler {
    const { manager, timeouts, security } = this;
    const trusted = new AddressSet([trustedSource]);
    return new ConnectionHandler({
      ...{ clock: this.#clock, manager, timeouts, security, selectors, dial },
      table: (listener, localAddress) => this.#index.table(listener, localAddress),
      challenges: () => null,
      descriptorsLeft: () => true,
      trustedSources: () => trusted,
      processTimeouts: () => this.#plan.timeouts,
      bridge: () => this.side.bridge,
    });
  }

  #createEntrance(proofs: BridgeProofs): BridgeEntrance {
    const { manager, timeouts, security } = this;
    return new BridgeEntrance({
      ...{ clock: this.#clock, manager, timeouts, security, proofs },
      handler: this.#handler,
      settings: () => this.#plan,
    });
  }

  #use(index: RouteIndex): void {
    this.#index = index;
    const { bridge } = this.#plan;
    if (bridge !== null) this.side.use(prepareSide(bridge, index, this.#plan));
  }

  accept(client: Transport, port: number): void {
    this.#handler.accept(client, { key: `*:${port}`, port });
  }

  /** Where the connections of another proxy's bridge come in. */
  acceptBridged(client: Transport, port: number): void {
    if (this.#entrance === null) throw new Error('this proxy is no end of a bridge');
    this.#entrance.accept(client, port);
  }

  /** Some routes are gone; their connections drain. */
  reload(): void {
    const before = this.#index.routes;
    const routes = this.#plan.reloadedRoutes();
    this.#use(compileRoutes(routes));
    this.#removal.drainRemoved(before, routes);
  }

  terminateOne(): void {
    const live = this.manager.live();
    const record = live[Math.floor(this.#clock.random() * live.length)];
    if (record !== undefined) this.manager.initiateCleanupOnce(record, { reason: 'operator' });
  }

  /** Where promises settle, the real drain runs; elsewhere the same steps without promises. */
  stop(): void {
    if (this.stopping) return;
    this.stopping = true;
    this.#handler.drain();
    this.side.drain();
    const { shutdownGraceMs, cleanupGraceMs } = this.#plan.timeouts;
    if (this.#plan.needsEventLoop) {
      this.#drain.run(shutdownGraceMs, cleanupGraceMs).then(() => this.#settle());
      return;
    }
    this.#clock.setTimer(shutdownGraceMs, () => {
      this.manager.forceClosing();
      for (const record of this.manager.live()) {
        this.manager.initiateCleanupOnce(record, { reason: 'shutdown' });
      }
      this.#clock.setTimer(cleanupGraceMs, () => {
        this.manager.forceClosing();
        this.#clock.setTimer(1, () => this.#settle());
      });
    });
  }

  #settle(): void {
    this.audit.stop();
    this.timeouts.stop();
    this.security.stop();
    this.#removal.stop();
    const { settleMs } = this.#plan;
    if (settleMs === null) this.#close();
    else this.#clock.setTimer(settleMs, () => this.#close());
  }

  #close(): void {
    if (this.#plan.settleMs !== null) this.#settled();
    this.side.close();
    this.stopped = true;
  }
}
