import type { Clock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/logger.ts';
import { AddressSet } from '../../src/base/prefix-trie.ts';
import type { Dial, Transport } from '../../src/base/transport.ts';
import { ConnectionManager } from '../../src/connection/connection-manager.ts';
import type { ConnectionObserver } from '../../src/connection/connection-observer.ts';
import { SelfAudit } from '../../src/connection/self-audit.ts';
import { TimeoutManager } from '../../src/connection/timeout-manager.ts';
import { compileRoutes, type RouteIndex } from '../../src/routing/route-index.ts';
import { SecurityManager } from '../../src/security/security-manager.ts';
import { ConnectionHandler } from '../../src/smart-proxy/connection-handler.ts';
import { Drain } from '../../src/smart-proxy/drain.ts';
import { RouteRemoval } from '../../src/smart-proxy/route-removal.ts';
import { TargetSelectors } from '../../src/targets/target-selectors.ts';
import { needsEventLoop, type Plan } from './plan.ts';
import { limitsOf, simulatedRoutes, timeoutsOf, trustedSource } from './routes.ts';

/** What a reload takes away. */
export const removedRoutes: readonly string[] = ['plain', 'b'];

/** The real proxy, composed as SmartProxy composes it, but on a simulated network. */
export class SimulatedProxy {
  readonly manager: ConnectionManager;
  readonly timeouts: TimeoutManager;
  readonly security: SecurityManager;
  readonly audit: SelfAudit;
  readonly #clock: Clock;
  readonly #plan: Plan;
  readonly #handler: ConnectionHandler;
  readonly #drain: Drain;
  readonly #removal: RouteRemoval;
  #index: RouteIndex;
  stopping = false;
  stopped = false;

  constructor(
    plan: Plan,
    parts: { clock: Clock; log: Logger; dial: Dial; sockets: () => number; observer: ConnectionObserver },
  ) {
    const { clock, log } = parts;
    this.#clock = clock;
    this.#plan = plan;
    this.timeouts = new TimeoutManager(clock);
    this.security = new SecurityManager({ clock, limits: limitsOf(plan.limits), log });
    const observers = [this.security, parts.observer];
    this.manager = new ConnectionManager({ clock, timeouts: this.timeouts, log, observers });
    this.audit = new SelfAudit({
      clock,
      manager: this.manager,
      timeouts: this.timeouts,
      log,
      witnesses: {
        sockets: parts.sockets,
        flows: () => 0,
        addresses: () => this.security.addressCount,
        descriptors: () => null,
      },
    });
    this.#drain = new Drain(clock, this.manager);
    this.manager.observe(this.#drain);
    this.#removal = new RouteRemoval(clock, this.manager);
    this.#index = this.#compile();
    const trusted = new AddressSet([trustedSource]);
    const timeouts = timeoutsOf(plan.timeouts);
    this.#handler = new ConnectionHandler({
      clock,
      manager: this.manager,
      timeouts: this.timeouts,
      security: this.security,
      selectors: new TargetSelectors(),
      dial: parts.dial,
      table: (listener, localAddress) => this.#index.table(listener, localAddress),
      challenges: () => null,
      descriptorsLeft: () => true,
      trustedSources: () => trusted,
      processTimeouts: () => timeouts,
      bridge: () => null,
    });
    this.audit.start();
  }

  #compile(): RouteIndex {
    return compileRoutes(simulatedRoutes(timeoutsOf(this.#plan.timeouts), limitsOf(this.#plan.limits)));
  }

  accept(client: Transport, port: number): void {
    this.#handler.accept(client, { key: `*:${port}`, port });
  }

  /** Some routes are gone; their connections drain. */
  reload(): void {
    const before = this.#index.routes;
    const kept = this.#compile().routes.filter(({ name }) => !removedRoutes.includes(name));
    this.#index = compileRoutes(kept);
    this.#removal.drainRemoved(before, kept);
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
    const { shutdownGraceMs, cleanupGraceMs } = this.#plan.timeouts;
    if (needsEventLoop(this.#plan)) {
      this.#drain.run(shutdownGraceMs, cleanupGraceMs).then(() => this.#close());
      return;
    }
    this.#clock.setTimer(shutdownGraceMs, () => {
      this.manager.forceClosing();
      for (const record of this.manager.live()) {
        this.manager.initiateCleanupOnce(record, { reason: 'shutdown' });
      }
      this.#clock.setTimer(cleanupGraceMs, () => {
        this.manager.forceClosing();
        this.#clock.setTimer(1, () => this.#close());
      });
    });
  }

  #close(): void {
    this.audit.stop();
    this.timeouts.stop();
    this.security.stop();
    this.#removal.stop();
    this.stopped = true;
  }
}
