import { EventEmitter } from 'node:events';
import type { ControlPort } from '../admin/control-port.ts';
import { AdminServer } from '../admin/server.ts';
import type { Clock } from '../base/clock.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import type { CertificateFailed, CertificateIssued } from '../certificates/acme/acme-services.ts';
import { readBridgeSecret } from '../certificates/bridge-secret.ts';
import { trustDomain } from '../config/connection-kind.ts';
import { type Environment, processEnvironment } from '../config/environment.ts';
import { ConfigurationError, type Problem } from '../config/problems.ts';
import { resolveOptions } from '../config/resolve.ts';
import type { ResolvedOptions, ResolvedRoute } from '../config/resolved.ts';
import type { Route, SmartProxyOptions } from '../config/schema.ts';
import type { RecordSummary } from '../connection/record-summary.ts';
import type { ListenerSpec } from '../routing/listener-plan.ts';
import { compileRoutes, type RouteIndex } from '../routing/route-index.ts';
import { loadTracing, type Tracing } from '../tracing/tracing.ts';
import { Assembly, bridgeListenerKey } from './assembly.ts';
import { createControlPort } from './control.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import type { ListeningAddress } from './listening.ts';
import { nothingYet, type Statistics } from './statistics.ts';

export interface NetworkProxyEvents {
  'connection-closed': [RecordSummary];
  'certificate-issued': [CertificateIssued];
  'certificate-failed': [CertificateFailed];
  /** A listener failed after it was bound. */
  error: [Error];
  /** The end of `stop`: nothing is left. */
  stopped: [];
}

/** What an embedding program or the command line brings along; everything is optional. */
export interface NetworkProxySurroundings {
  /** Default: no log. */
  log?: Logger;
  environment?: Environment;
  /** Re-reads the configuration for `reload`. Without it a reload is refused. */
  reloadOptions?: () => Promise<unknown>;
  clock?: Clock;
}

/**
 * NetworkProxy by itself: a reverse proxy that ends TLS and reads requests, configured as
 * SmartProxy is. With `bridge: 'loopback'` it is the other process: it listens on the bridge's port
 * of the loopback only, and serves what a SmartProxy with the same secret brings there. Otherwise
 * it listens where its routes say, and every route must be one that is read here.
 */
export class NetworkProxy {
  readonly #events = new EventEmitter<NetworkProxyEvents>();
  readonly #log: Logger;
  readonly #environment: Environment;
  readonly #clock: Clock | undefined;
  readonly #reloadOptions: (() => Promise<unknown>) | undefined;
  #input: SmartProxyOptions;
  #options: ResolvedOptions;
  #state: ControlPort['state'] = 'stopped';
  #assembly: Assembly | null = null;
  #admin: AdminServer | null = null;
  #statistics: Statistics = nothingYet;
  #changes: Promise<unknown> = Promise.resolve();
  #reloads = 0;
  /** What its admin API drives. */
  readonly control: ControlPort;

  /** @throws ConfigurationError with everything that is wrong */
  constructor(options: SmartProxyOptions, surroundings: NetworkProxySurroundings = {}) {
    this.#log = surroundings.log ?? silentLogger;
    this.#environment = surroundings.environment ?? processEnvironment();
    this.#clock = surroundings.clock;
    this.#reloadOptions = surroundings.reloadOptions;
    this.#input = options;
    this.#options = this.#resolve(options);
    this.control = createControlPort({
      state: () => this.#state,
      assembly: () => this.#assembly,
      statistics: () => this.getStatistics(),
      reloads: () => this.#reloads,
      input: () => this.#input,
      reload: () => this.reload(),
      drain: () => {
        void this.stop();
      },
    });
  }

  #resolve(input: SmartProxyOptions): ResolvedOptions {
    const { options, warnings } = resolveOptions(input, this.#environment);
    for (const { path, message } of warnings) this.#log.warn('configuration-warning', { path, message });
    const problems = isBridged(options) ? [] : unreadableRoutes(options.routes);
    if (problems.length > 0) throw new ConfigurationError(problems);
    return options;
  }

  /** Binds every listener, or rejects with nothing left open. */
  start(): Promise<void> {
    return this.#serially(() => this.#start());
  }

  async #start(): Promise<void> {
    if (this.#assembly !== null)
      throw new SmartProxyError('already-started', 'start() was called before', { source: 'proxy' });
    this.#state = 'starting';
    try {
      await this.#open();
    } catch (error) {
      this.#state = 'stopped';
      throw error;
    }
    this.#state = 'ready';
    this.#log.info('ready', { listeners: this.listeners(), admin: this.adminAddress });
  }

  async #open(): Promise<void> {
    const assembly = this.#assemble(await this.#readSecret(), await loadTracing());
    try {
      assembly.networkProxy.use(await assembly.networkProxy.prepare(this.#options, assembly.index));
      (await assembly.listeners.prepare(this.#plan(assembly.index))).commit();
      assembly.bound();
      this.#assembly = assembly;
      await this.#startAdmin();
    } catch (error) {
      this.#assembly = null;
      assembly.close();
      throw error;
    }
    assembly.start();
  }

  /** With a bridge `admin` is the other process's. */
  async #startAdmin(): Promise<void> {
    const { admin, networkProxy } = this.#options;
    const options = isBridged(this.#options) ? networkProxy.admin : admin;
    if (options === null) return;
    const server = new AdminServer({ ...options, control: this.control, log: this.#log });
    await server.start();
    this.#admin = server;
  }

  /** Where the admin API listens, as `http://…` or `unix:…`; null where it is off. */
  get adminAddress(): string | null {
    return this.#admin?.address ?? null;
  }

  async #readSecret(): Promise<Uint8Array | null> {
    const { secretFile } = this.#options.networkProxy;
    return isBridged(this.#options) && secretFile !== null ? readBridgeSecret(secretFile) : null;
  }

  #assemble(bridgeSecret: Uint8Array | null, tracing: Tracing | null): Assembly {
    const assembly = new Assembly({
      tracing,
      options: this.#options,
      log: this.#log,
      ...(this.#clock !== undefined && { clock: this.#clock }),
      descriptorLimit: this.#environment.descriptorLimit,
      inherited: InheritedSockets.fromEnvironment(process.env, process.pid),
      listenerFailed: (error) => this.#report(error),
      certificateIssued: (event) => this.#events.emit('certificate-issued', event),
      certificateFailed: (event) => this.#events.emit('certificate-failed', event),
      alone: { bridgeSecret },
    });
    assembly.manager.observe({
      ended: (record) => this.#events.emit('connection-closed', assembly.manager.summaryOf(record)),
    });
    return assembly;
  }

  #plan(index: RouteIndex): readonly ListenerSpec[] {
    const { port } = this.#options.networkProxy;
    if (!isBridged(this.#options) || port === null) return index.listeners;
    return [{ key: bridgeListenerKey, address: '127.0.0.1', port, routes: index.routes }];
  }

  /** An `error` event without a listener would throw where nobody can catch it. */
  #report(error: Error): void {
    this.#log.error('listener-failed', { message: error.message });
    if (this.#events.listenerCount('error') > 0) this.#events.emit('error', error);
  }

  /** Exchanges the routes: all or nothing. Connections stay, and see the new ones at their next request. */
  updateRoutes(routes: Route[]): Promise<void> {
    return this.#serially(() => this.#update({ ...this.#input, routes }));
  }

  /**
   * Re-reads the configuration where it came from; `networkProxy` itself is as it was at the start.
   * Rejects as `updateRoutes` does.
   */
  reload(): Promise<void> {
    return this.#serially(async () => {
      if (this.#reloadOptions === undefined) {
        throw new SmartProxyError('nothing-to-reload', 'there is no configuration file', {
          source: 'config',
        });
      }
      try {
        const { networkProxy } = this.#input;
        const read = (await this.#reloadOptions()) as SmartProxyOptions;
        await this.#update({ ...read, ...(networkProxy !== undefined && { networkProxy }) });
      } catch (error) {
        this.#log.error('reload-refused', { message: errorMessage(error) });
        throw error;
      }
    });
  }

  async #update(input: SmartProxyOptions): Promise<void> {
    const options = this.#resolve(input);
    const assembly = this.#assembly;
    if (assembly !== null) {
      const index = compileRoutes(options.routes);
      const prepared = await assembly.networkProxy.prepare(options, index);
      const change = await assembly.listeners.prepare(this.#plan(index)).catch((error) => {
        assembly.networkProxy.discard(prepared);
        throw error;
      });
      assembly.use(options, index, prepared);
      change.commit();
      assembly.bound();
      this.#reloads++;
      this.#log.info('reloaded', { routes: options.routes.length, listeners: this.listeners() });
    }
    this.#input = input;
    this.#options = options;
  }

  /**
   * No new connection is accepted; existing ones finish within `graceMs` (default
   * `shutdownGraceMs`), then are ended with reason `shutdown`. Resolves when nothing is left.
   */
  stop({ graceMs }: { graceMs?: number } = {}): Promise<void> {
    if (graceMs === 0) this.#assembly?.drain.hurry();
    return this.#serially(() => this.#stop(graceMs ?? this.#options.timeouts.shutdownGraceMs));
  }

  async #stop(graceMs: number): Promise<void> {
    const assembly = this.#assembly;
    if (assembly === null) return;
    this.#state = 'draining';
    this.#log.info('draining', { connections: assembly.manager.size, graceMs });
    assembly.stopAccepting();
    await assembly.drain.run(graceMs, this.#options.timeouts.cleanupGraceMs);
    await assembly.networkProxy.finished();
    this.getStatistics();
    await this.#admin?.stop();
    assembly.close();
    this.#admin = null;
    this.#assembly = null;
    this.#state = 'stopped';
    this.#log.info('stopped', {});
    this.#events.emit('stopped');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(work, work);
    this.#changes = done.catch(() => {});
    return done;
  }

  /** Every address that it listens on, with the real ports. Empty before `start`. */
  listeners(): ListeningAddress[] {
    const all = this.#assembly?.listeners.all() ?? [];
    return all.map(({ address, port, spec }) => ({
      address,
      port,
      routes: spec.routes.map(({ name }) => name),
    }));
  }

  /** What happened so far, in the words of SmartProxy's statistics. */
  getStatistics(): Statistics {
    if (this.#assembly !== null) this.#statistics = this.#assembly.statistics();
    return this.#statistics;
  }

  /** Live connections. */
  connections(): RecordSummary[] {
    const manager = this.#assembly?.manager;
    return manager?.live().map((record) => manager.summaryOf(record)) ?? [];
  }

  on<Name extends keyof NetworkProxyEvents>(
    event: Name,
    listener: (...args: NetworkProxyEvents[Name]) => void,
  ): this {
    this.#events.on(event, listener as never);
    return this;
  }

  once<Name extends keyof NetworkProxyEvents>(
    event: Name,
    listener: (...args: NetworkProxyEvents[Name]) => void,
  ): this {
    this.#events.once(event, listener as never);
    return this;
  }

  off<Name extends keyof NetworkProxyEvents>(
    event: Name,
    listener: (...args: NetworkProxyEvents[Name]) => void,
  ): this {
    this.#events.off(event, listener as never);
    return this;
  }
}

function isBridged({ networkProxy }: ResolvedOptions): boolean {
  return networkProxy.bridge === 'loopback';
}

/** Routes that pass bytes on need SmartProxy. */
function unreadableRoutes(routes: readonly ResolvedRoute[]): Problem[] {
  return routes
    .filter((route) => trustDomain(route) === null)
    .map(({ order, name }) => ({
      path: `routes[${order}]`,
      message: `'${name}' passes bytes on, and NetworkProxy by itself only serves what it can read`,
      instead: 'end TLS here (tls.mode), speak clear-text HTTP, or run SmartProxy',
    }));
}
