import { EventEmitter } from 'node:events';
import type { ControlPort } from '../admin/control-port.ts';
import { AdminServer } from '../admin/server.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { errorMessage, SmartProxyError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import type { CertificateFailed, CertificateIssued } from '../certificates/acme/acme-services.ts';
import { type Environment, processEnvironment } from '../config/environment.ts';
import { resolveOptions } from '../config/resolve.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import type { Route, SmartProxyOptions } from '../config/schema.ts';
import type { RecordSummary } from '../connection/record-summary.ts';
import { compileRoutes } from '../routing/route-index.ts';
import { loadTracing, type Tracing } from '../tracing/tracing.ts';
import { Assembly } from './assembly.ts';
import { createControlPort } from './control.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import { kernelListeners, type ListeningAddress, socketPlan } from './listening.ts';
import type { MetricsText } from './measurement.ts';
import { nothingYet, type Statistics } from './statistics.ts';

export interface SmartProxyEvents {
  ready: [{ listeners: ListeningAddress[]; admin: string | null }];
  /** A connection was accepted and admitted. */
  connection: [RecordSummary];
  'connection-closed': [RecordSummary];
  /** A certificate for `auto` came, and serves. */
  'certificate-issued': [CertificateIssued];
  /** One did not, and is tried again. What served before goes on. */
  'certificate-failed': [CertificateFailed];
  /** Something failed that no call can report: a listener after it was bound. */
  error: [Error];
  /** The end of a drain, whoever began it: nothing is left. */
  stopped: [];
}

/** What an embedding program or the command line brings along; everything is optional. */
export interface SmartProxySurroundings {
  /** Default: no log. */
  log?: Logger;
  /** What the machine allows. Default: this process's, without an admin API unless configured. */
  environment?: Environment;
  /** Re-reads the configuration for `reload`. Without it a reload is refused. */
  reloadOptions?: () => Promise<unknown>;
  /** Time for every deadline. Default: the machine's. */
  clock?: Clock;
}

type State = ControlPort['state'];

/**
 * The proxy. Construction validates (throws ConfigurationError with every problem); `start` binds
 * every listener or none. Several can live in one process.
 */
export class SmartProxy {
  readonly #events = new EventEmitter<SmartProxyEvents>();
  readonly #log: Logger;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #reloadOptions: (() => Promise<unknown>) | undefined;
  #input: unknown;
  #options: ResolvedOptions;
  #state: State = 'stopped';
  #reloads = 0;
  #assembly: Assembly | null = null;
  #admin: AdminServer | null = null;
  #stopping: Promise<void> | null = null;
  /** What was counted until the last `stop`; nothing before the first `start`. */
  #statistics: Statistics = nothingYet;
  /** The start and all updates run one after another. */
  #updates: Promise<unknown> = Promise.resolve();
  /** The start or the update that is binding listeners: what a stop has to wait for. Never rejects. */
  #changing: Promise<unknown> = Promise.resolve();
  /** What the admin API drives; also for programs that embed their own. */
  readonly control: ControlPort;

  constructor(options: SmartProxyOptions, surroundings: SmartProxySurroundings = {}) {
    this.#log = surroundings.log ?? silentLogger;
    this.#environment = surroundings.environment ?? processEnvironment();
    this.#reloadOptions = surroundings.reloadOptions;
    this.#clock = surroundings.clock ?? systemClock;
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

  #resolve(input: unknown): ResolvedOptions {
    const { options, warnings } = resolveOptions(input, this.#environment);
    for (const { path, message } of warnings) this.#log.warn('configuration-warning', { path, message });
    return options;
  }

  /** Binds every listener, or rejects (`port-taken`, …) with nothing left open. */
  async start(): Promise<void> {
    if (this.#state !== 'stopped')
      throw new SmartProxyError('already-started', 'start() was called before', { source: 'proxy' });
    this.#state = 'starting';
    const started = this.#serially(() => this.#start());
    this.#changing = started.catch(() => {});
    return started;
  }

  async #start(): Promise<void> {
    try {
      const assembly = this.#assemble(await loadTracing());
      this.#assembly = assembly;
      const kernel = await assembly.kernel.prepare(this.#options);
      assembly.networkProxy.use(await assembly.networkProxy.prepare(this.#options, assembly.index));
      const change = await assembly.listeners.prepare(socketPlan(assembly.index));
      change.commit();
      await assembly.useKernel(kernel, assembly.index);
      assembly.bound();
      await this.#startAdmin();
      assembly.start();
    } catch (error) {
      // A listener that was bound before another part failed may have accepted somebody.
      await this.#close(0);
      throw error;
    }
    this.#state = 'ready';
    const ready = { listeners: this.listeners(), admin: this.adminAddress };
    this.#log.info('ready', ready);
    this.#tell('ready', ready);
  }

  #assemble(tracing: Tracing | null): Assembly {
    const assembly = new Assembly({
      tracing,
      options: this.#options,
      log: this.#log,
      clock: this.#clock,
      descriptorLimit: this.#environment.descriptorLimit,
      inherited: InheritedSockets.fromEnvironment(process.env, process.pid),
      listenerFailed: (error) => this.#report(error),
      certificateIssued: (event) => this.#tell('certificate-issued', event),
      certificateFailed: (event) => this.#tell('certificate-failed', event),
    });
    assembly.manager.observe({
      opened: (record) => {
        if (this.#events.listenerCount('connection') > 0)
          this.#events.emit('connection', assembly.manager.summaryOf(record));
      },
      ended: (record) => {
        if (this.#events.listenerCount('connection-closed') === 0) return;
        this.#events.emit('connection-closed', assembly.manager.summaryOf(record));
      },
    });
    return assembly;
  }

  async #startAdmin(): Promise<void> {
    if (this.#options.admin === null) return;
    const admin = new AdminServer({ ...this.#options.admin, control: this.control, log: this.#log });
    await admin.start();
    this.#admin = admin;
  }

  /** It runs, whatever a listener makes of it. */
  #tell<Name extends 'ready' | 'certificate-issued' | 'certificate-failed'>(
    event: Name,
    about: SmartProxyEvents[Name][0],
  ): void {
    try {
      (this.#events as EventEmitter).emit(event, about);
    } catch (error) {
      this.#log.error('listener-threw', { event, message: errorMessage(error) });
    }
  }

  /** An `error` event without a listener would throw where nobody can catch it. */
  #report(error: Error): void {
    this.#log.error('listener-failed', { message: error.message });
    if (this.#events.listenerCount('error') > 0) this.#events.emit('error', error);
  }

  /** Where the admin API listens, as `http://…` or `unix:…`; null where it is off. */
  get adminAddress(): string | null {
    return this.#admin?.address ?? null;
  }

  /**
   * Drains: no new connection is accepted, existing ones finish within `graceMs` (default
   * `shutdownGraceMs`), then are ended with reason `shutdown`. A second call with a shorter grace
   * hurries the first. Resolves when nothing is left.
   */
  async stop({ graceMs }: { graceMs?: number } = {}): Promise<void> {
    if (this.#stopping !== null && graceMs === 0) this.#assembly?.drain.hurry();
    this.#stopping ??= this.#stop(graceMs ?? this.#options.timeouts.shutdownGraceMs).finally(() => {
      this.#stopping = null;
    });
    return this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    // A configuration that is still being read is not waited for: it may never come.
    await this.#changing;
    if (this.#assembly === null) return;
    this.#state = 'draining';
    this.#log.info('draining', { connections: this.#assembly.manager.size, graceMs });
    await this.#close(graceMs);
    this.#log.info('stopped', {});
    this.#events.emit('stopped');
  }

  /** Everything that `#start` began, as far as it came. */
  async #close(graceMs: number): Promise<void> {
    const assembly = this.#assembly;
    assembly?.stopAccepting();
    await assembly?.kernel.drain();
    await assembly?.drain.run(graceMs, this.#options.timeouts.cleanupGraceMs);
    await assembly?.networkProxy.finished();
    this.getStatistics();
    await this.#admin?.stop();
    await assembly?.kernel.close();
    assembly?.close();
    this.#admin = null;
    this.#assembly = null;
    this.#state = 'stopped';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /**
   * Exchanges the routes: all or nothing, one update after another. Connections on routes that
   * stay are not touched; those on removed routes get `shutdownGraceMs`, then `route-removed`.
   * Rejects with ConfigurationError or `port-taken`; then nothing has changed.
   */
  async updateRoutes(routes: Route[]): Promise<void> {
    return this.#serially(() => this.#update({ ...(this.#input as SmartProxyOptions), routes }));
  }

  /** Re-reads the configuration where it came from. Rejects as `updateRoutes` does. */
  async reload(): Promise<void> {
    const read = this.#reloadOptions;
    if (read === undefined) {
      throw new SmartProxyError(
        'nothing-to-reload',
        'there is no configuration file: use updateRoutes(routes)',
        {
          source: 'config',
        },
      );
    }
    return this.#serially(async () => {
      try {
        await this.#update(await read());
      } catch (error) {
        this.#log.error('reload-refused', { message: (error as Error).message });
        throw error;
      }
    });
  }

  #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#updates.then(work, work);
    this.#updates = done.catch(() => {});
    return done;
  }

  async #update(input: unknown): Promise<void> {
    const options = this.#resolve(input);
    const assembly = this.#assembly;
    if (assembly !== null && this.#state === 'ready' && this.#stopping === null) {
      const applied = this.#apply(assembly, options);
      this.#changing = applied.catch(() => {});
      await applied;
    }
    this.#input = input;
    this.#options = options;
  }

  async #apply(assembly: Assembly, options: ResolvedOptions): Promise<void> {
    const index = compileRoutes(options.routes);
    const kernel = await assembly.kernel.prepare(options);
    const networkProxy = await assembly.networkProxy.prepare(options, index);
    const change = await assembly.listeners.prepare(socketPlan(index)).catch((error) => {
      assembly.networkProxy.discard(networkProxy);
      throw error;
    });
    await assembly.useKernel(kernel, index).catch(async (error) => {
      assembly.networkProxy.discard(networkProxy);
      await change.discard();
      throw error;
    });
    assembly.use(options, index, networkProxy);
    change.commit();
    assembly.bound();
    this.#reloads++;
    this.#warnOfAdmin(options);
    this.#log.info('reloaded', { routes: options.routes.length, listeners: this.listeners() });
  }

  /** The admin API stays where it is: whoever asked for the reload is connected to it. */
  #warnOfAdmin({ admin }: ResolvedOptions): void {
    const { admin: inForce } = this.#options;
    if (admin?.listen === inForce?.listen && admin?.token === inForce?.token) return;
    this.#log.warn('restart-needed', {
      path: 'admin',
      message: 'a changed admin API takes effect at the next start',
    });
  }

  /** Every address that it listens on, with the real ports. Empty before `start`. */
  listeners(): ListeningAddress[] {
    const assembly = this.#assembly;
    if (assembly === null) return [];
    const names = new Map(
      assembly.index.listeners.map(({ key, routes }) => [key, routes.map(({ name }) => name)]),
    );
    const sockets = assembly.listeners
      .all()
      .map(({ key, address, port }) => ({ address, port, routes: names.get(key) ?? [] }));
    return [...sockets, ...kernelListeners(assembly.options.routes)];
  }

  /** What happened so far, as `GET /api/v1/statistics` tells it. */
  getStatistics(): Statistics {
    if (this.#assembly !== null) this.#statistics = this.#assembly.statistics();
    return this.#statistics;
  }

  /** What `GET /metrics` answers, for programs with a server of their own; null where nothing is measured. */
  async metrics(): Promise<MetricsText | null> {
    return this.#assembly?.measurement?.text() ?? null;
  }

  on<Name extends keyof SmartProxyEvents>(
    event: Name,
    listener: (...args: SmartProxyEvents[Name]) => void,
  ): this {
    this.#events.on(event, listener as never);
    return this;
  }

  once<Name extends keyof SmartProxyEvents>(
    event: Name,
    listener: (...args: SmartProxyEvents[Name]) => void,
  ): this {
    this.#events.once(event, listener as never);
    return this;
  }

  off<Name extends keyof SmartProxyEvents>(
    event: Name,
    listener: (...args: SmartProxyEvents[Name]) => void,
  ): this {
    this.#events.off(event, listener as never);
    return this;
  }
}
