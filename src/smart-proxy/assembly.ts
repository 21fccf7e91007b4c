import { type Clock, systemClock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { AddressSet } from '../base/prefix-trie.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import { ConnectionManager } from '../connection/connection-manager.ts';
import { SelfAudit } from '../connection/self-audit.ts';
import { TimeoutManager } from '../connection/timeout-manager.ts';
import { compileRoutes, type RouteIndex } from '../routing/route-index.ts';
import { SecurityManager } from '../security/security-manager.ts';
import { TargetSelectors } from '../targets/target-selectors.ts';
import { createDial } from '../transport/dial.ts';
import { createDns, type Dns } from '../transport/dns.ts';
import { TransportFactory } from '../transport/transport-factory.ts';
import { ConnectionHandler } from './connection-handler.ts';
import { ConnectionLog } from './connection-log.ts';
import { DescriptorBudget, openDescriptors } from './descriptor-budget.ts';
import { Drain } from './drain.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { ListenerSet } from './listener-set.ts';

export interface AssemblyOptions {
  options: ResolvedOptions;
  log: Logger;
  clock?: Clock;
  descriptorLimit: number;
  inherited: InheritedSockets;
  listenerFailed(error: Error): void;
}

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
  readonly #timeouts: TimeoutManager;
  readonly #transports: TransportFactory;
  readonly #dns: Dns;
  readonly #connectionLog: ConnectionLog;
  options: ResolvedOptions;
  index: RouteIndex;
  #trustedSources: AddressSet;

  constructor({
    options,
    log,
    clock = systemClock,
    descriptorLimit,
    inherited,
    listenerFailed,
  }: AssemblyOptions) {
    this.clock = clock;
    this.options = options;
    this.index = compileRoutes(options.routes);
    this.#trustedSources = new AddressSet(options.trustedSources);
    this.#timeouts = new TimeoutManager(clock);
    this.security = new SecurityManager({ clock, limits: options.limits, log });
    this.#connectionLog = new ConnectionLog(log, options.log.connections);
    const observers = [this.security, this.#connectionLog];
    this.manager = new ConnectionManager({ clock, timeouts: this.#timeouts, log, observers });
    this.drain = new Drain(clock, this.manager);
    this.manager.observe(this.drain);
    this.#transports = new TransportFactory({ clock, relayBufferBytes: options.limits.relayBufferBytes });
    this.#dns = createDns({ clock });
    const budget = new DescriptorBudget(descriptorLimit);
    this.handler = this.#createHandler(budget);
    this.listeners = new ListenerSet(
      {
        transports: this.#transports,
        accept: (transport, entrance) => this.handler.accept(transport, entrance),
        failed: (_listener, error) => listenerFailed(error),
      },
      inherited,
    );
    this.audit = this.#createAudit(budget, log);
  }

  #createHandler(budget: DescriptorBudget): ConnectionHandler {
    return new ConnectionHandler({
      clock: this.clock,
      manager: this.manager,
      timeouts: this.#timeouts,
      security: this.security,
      selectors: new TargetSelectors(),
      dial: createDial({
        clock: this.clock,
        dns: this.#dns,
        connectSocket: this.#transports.connectSocket,
      }),
      routes: () => this.index,
      descriptorsLeft: () => budget.admits(this.manager.size),
      trustedSources: () => this.#trustedSources,
      processTimeouts: () => this.options.timeouts,
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
        addresses: () => this.security.addressCount,
        descriptors: openDescriptors,
      },
      swept: () => budget.observe(this.manager.size),
    });
  }

  /** From here on new connections see these routes and limits. The listeners follow by `commit`. */
  use(options: ResolvedOptions, index: RouteIndex): void {
    this.options = options;
    this.index = index;
    this.#trustedSources = new AddressSet(options.trustedSources);
    this.security.setLimits(options.limits);
    this.#connectionLog.enabled = options.log.connections;
    this.#transports.readBuffers.setBudget(options.limits.relayBufferBytes);
  }

  /** After the last connection has ended. */
  close(): void {
    this.listeners.close();
    this.audit.stop();
    this.security.stop();
    this.#dns.close();
    this.#timeouts.stop();
  }
}
