import type { ControlPort } from '../admin/control-port.ts';
import { AdminServer } from '../admin/server.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { SmartProxyError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { once } from '../base/once.ts';
import { Series } from '../base/series.ts';
import { type Environment, processEnvironment } from '../config/environment.ts';
import { ConfigurationError, type Problem } from '../config/problems.ts';
import { resolveOptions } from '../config/resolve.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import { RouteMemory } from '../config/route-memory.ts';
import type { Route, SmartProxyOptions } from '../config/schema.ts';
import type { RecordSummary } from '../connection/record-summary.ts';
import type { ForwarderChange } from '../nftables/forwarder.ts';
import type { ListenerSpec } from '../routing/listener-plan.ts';
import { compileRoutes, type RouteIndex } from '../routing/route-index.ts';
import { loadTracing, type Tracing } from '../tracing/tracing.ts';
import { type Alone, Assembly } from './assembly.ts';
import { createControlPort } from './control.ts';
import { InheritedSockets } from './inherited-sockets.ts';
import { kernelListeners, type ListeningAddress } from './listening.ts';
import type { MetricsText } from './measurement.ts';
import { ProxyEvents } from './proxy-events.ts';
import { nothingYet, type Statistics } from './statistics.ts';

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

/** What makes one kind of proxy differ from the other. */
export interface ProxyRole {
  /** Why it cannot serve a configuration that is valid as such. */
  problems(options: ResolvedOptions): Problem[];
  /** Its listeners that are sockets. */
  sockets(options: ResolvedOptions, index: RouteIndex): readonly ListenerSpec[];
  /** Whether routes may have `engine: 'nftables'`; otherwise another process sees to them. */
  readonly usesKernel: boolean;
  /** Where its admin API listens. */
  admin(options: ResolvedOptions): ResolvedOptions['admin'];
  /** What is read before it starts, where it is a NetworkProxy by itself. */
  alone(options: ResolvedOptions): Promise<Alone | undefined>;
  /** What comes into force of a configuration that was read again. */
  reread(read: SmartProxyOptions, inForce: SmartProxyOptions): SmartProxyOptions;
}

/**
 * A running proxy: everything that SmartProxy and NetworkProxy have in common. Construction validates
 * (throws ConfigurationError with every problem); `start` binds every listener or none.
 */
export class ProxyServer extends ProxyEvents {
  readonly #role: ProxyRole;
  readonly #log: Logger;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #reloadOptions: (() => Promise<unknown>) | undefined;
  readonly #routes = new RouteMemory();
  #input: SmartProxyOptions;
  #options: ResolvedOptions;
  #state: State = 'stopped';
  #reloads = 0;
  #assembly: Assembly | null = null;
  #admin: AdminServer | null = null;
  #stopping: Promise<void> | null = null;
  /** What was counted until the last `stop`; nothing before the first `start`. */
  #statistics: Statistics = nothingYet;
  /** The start and all updates run one after another. */
  readonly #updates = new Series();
  /** The start or the update that is binding listeners: what a stop has to wait for. Never rejects. */
  #changing: Promise<unknown> = Promise.resolve();
  /** What the admin API drives; also for programs that embed their own. */
  readonly control: ControlPort;

  constructor(role: ProxyRole, options: SmartProxyOptions, surroundings: SmartProxySurroundings) {
    const log = surroundings.log ?? silentLogger;
    super(log);
    this.#role = role;
    this.#log = log;
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
    const { options, warnings } = resolveOptions(input, this.#environment, this.#routes);
    for (const { path, message } of warnings) this.#log.warn('configuration-warning', { path, message });
    const problems = this.#role.problems(options);
    if (problems.length > 0) throw new ConfigurationError(problems);
    return options;
  }

  /** Binds every listener, or rejects (`port-taken`, …) with nothing left open. */
  async start(): Promise<void> {
    if (this.#state !== 'stopped')
      throw new SmartProxyError('already-started', 'start() was called before', { source: 'proxy' });
    this.#state = 'starting';
    const started = this.#updates.run(() => this.#start());
    this.#changing = started.catch(() => {});
    return started;
  }

  async #start(): Promise<void> {
    try {
      const alone = await this.#role.alone(this.#options);
      const assembly = this.#assemble(await loadTracing(), alone);
      this.#assembly = assembly;
      const kernel = await this.#prepareKernel(assembly, this.#options, () => true);
      assembly.networkProxy.use(await assembly.networkProxy.prepare(this.#options, assembly.index));
      const change = await assembly.listeners.prepare(this.#role.sockets(this.#options, assembly.index));
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
    this.tell('ready', () => [ready]);
  }

  /** @param binds whether listeners are bound before the rules are loaded */
  async #prepareKernel(
    { kernel }: Assembly,
    options: ResolvedOptions,
    binds: () => boolean,
  ): Promise<ForwarderChange | null> {
    return this.#role.usesKernel ? kernel.prepare(options, { mayFailLate: () => !binds() }) : null;
  }

  #assemble(tracing: Tracing | null, alone: Alone | undefined): Assembly {
    const assembly = new Assembly({
      ...{ tracing, alone },
      options: this.#options,
      log: this.#log,
      clock: this.#clock,
      descriptorLimit: this.#environment.descriptorLimit,
      inherited: InheritedSockets.fromEnvironment(process.env, process.pid),
      listenerFailed: (error) => this.#report(error),
      certificateIssued: (event) => this.tell('certificate-issued', () => [event]),
      certificateFailed: (event) => this.tell('certificate-failed', () => [event]),
    });
    const { manager } = assembly;
    manager.observe({
      opened: (record) => this.tell('connection', () => [manager.summaryOf(record)]),
      ended: (record) => this.tell('connection-closed', () => [manager.summaryOf(record)]),
    });
    return assembly;
  }

  async #startAdmin(): Promise<void> {
    const options = this.#role.admin(this.#options);
    if (options === null) return;
    const admin = new AdminServer({ ...options, control: this.control, log: this.#log });
    await admin.start();
    this.#admin = admin;
  }

  #report(error: Error): void {
    this.#log.error('listener-failed', { message: error.message });
    this.tell('error', () => [error]);
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
    this.tell('stopped', () => []);
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
    return this.#updates.run(() => this.#update({ ...this.#input, routes }));
  }

  /** Re-reads the configuration where it came from. Rejects as `updateRoutes` does. */
  async reload(): Promise<void> {
    const read = this.#reloadOptions;
    if (read === undefined) {
      throw new SmartProxyError(
        'nothing-to-reload',
        'there is no configuration file to read again (start the command with --config FILE; a program calls updateRoutes(routes))',
        { source: 'config' },
      );
    }
    return this.#updates.run(async () => {
      try {
        await this.#update(this.#role.reread((await read()) as SmartProxyOptions, this.#input));
      } catch (error) {
        this.#log.error('reload-refused', { message: (error as Error).message });
        throw error;
      }
    });
  }

  async #update(input: SmartProxyOptions): Promise<void> {
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
    const coming = once(() => compileRoutes(options.routes, assembly.index));
    const sockets = once(() => this.#role.sockets(options, coming()));
    const preparing = this.#prepareKernel(assembly, options, () => assembly.listeners.binds(sockets()));
    preparing.catch(() => {});
    // While the kernel is asked.
    const index = coming();
    const kernel = await preparing;
    const networkProxy = await assembly.networkProxy.prepare(options, index);
    const change = await assembly.listeners.prepare(sockets()).catch((error) => {
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
  #warnOfAdmin(options: ResolvedOptions): void {
    const admin = this.#role.admin(options);
    const inForce = this.#role.admin(this.#options);
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
    const { options, index } = assembly;
    const plan = this.#role.sockets(options, index);
    const names = new Map(plan.map(({ key, routes }) => [key, routes.map(({ name }) => name)]));
    const sockets = assembly.listeners
      .all()
      .map(({ key, address, port }) => ({ address, port, routes: names.get(key) ?? [] }));
    return this.#role.usesKernel ? [...sockets, ...kernelListeners(options.routes)] : sockets;
  }

  /** Live connections, those that the kernel forwards included. */
  connections(): RecordSummary[] {
    const manager = this.#assembly?.manager;
    return manager?.live().map((record) => manager.summaryOf(record)) ?? [];
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
}
