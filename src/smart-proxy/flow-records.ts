import type { Clock } from '../base/clock.ts';
import type { KernelRoute } from '../config/kernel-route.ts';
import type { Timeouts } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import type { ConnectionObserver } from '../connection/connection-observer.ts';
import type { ConnectionRecord, KernelAccount } from '../connection/connection-record.ts';
import type { Flow } from '../nftables/flow.ts';
import type { Correction, FlowEnding, FlowObserver } from '../nftables/flow-observer.ts';
import type { SecurityManager } from '../security/security-manager.ts';

export interface FlowRecordsServices {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly security: SecurityManager;
  /** Of the number in a flow's mark; undefined for a route that is no more. */
  routeName(number: number): string | undefined;
}

/**
 * The records of the connections that the kernel forwards: in the same table as all others, with the
 * flow in the place of the client's socket.
 */
export class FlowRecords implements FlowObserver {
  readonly #services: FlowRecordsServices;
  readonly #records = new Map<Flow, ConnectionRecord>();
  /** By name, as long as they are in force or have a connection. */
  #routes = new Map<string, { route: KernelRoute; timeouts: Timeouts }>();

  constructor(services: FlowRecordsServices) {
    this.#services = services;
    services.manager.observe(this.#forgetter);
  }

  readonly #forgetter: ConnectionObserver = {
    ended: ({ client, kernel }) => {
      if (kernel !== null) this.#records.delete(client as Flow);
    },
  };

  /** Connections that have not ended. */
  get size(): number {
    return this.#records.size;
  }

  /**
   * Flows of these routes may begin from now on.
   * @returns what takes that back, if their rules do not come into force
   */
  expect(routes: readonly KernelRoute[]): () => void {
    const before = new Map(this.#routes);
    for (const route of routes) this.#routes.set(route.name, { route, timeouts: ownDeadlines(route) });
    return () => {
      this.#routes = before;
    };
  }

  /** Only these routes are in force. Those that have a connection are remembered until a later call. */
  retain(routes: readonly KernelRoute[]): void {
    const inForce = new Set(routes.map(({ name }) => name));
    for (const name of this.#routes.keys())
      if (!inForce.has(name) && !this.isOfUse(name)) this.#routes.delete(name);
  }

  /** Whether some connection has that route. */
  isOfUse(name: string): boolean {
    return this.#services.manager.ofRoute(name).length > 0;
  }

  opened(flow: Flow, at: number): void {
    const { manager, security, routeName } = this.#services;
    const known = this.#routes.get(routeName(flow.route) ?? '');
    const record = manager.createConnection(flow, {
      localPort: flow.local.port,
      timeouts: known?.timeouts ?? noDeadlines,
      at,
      kernel: flow,
    });
    flow.label = record.id;
    this.#records.set(flow, record);
    record.joined = true;
    record.targetAddress = { host: flow.target.ip, port: flow.target.port };
    if (known !== undefined) manager.setRoute(record, known.route, { timeouts: known.timeouts, at });
    security.holdFlow(record);
    // It was left by a process that is gone, and no configuration has its route any more.
    if (known === undefined) manager.initiateCleanupOnce(record, { reason: 'route-removed' });
  }

  established(flow: Flow, at: number): void {
    const record = this.#records.get(flow);
    if (record === undefined || !this.#services.manager.transition(record, 'established')) return;
    record.note(at, 'established');
  }

  moved(flow: Flow): void {
    const record = this.#records.get(flow);
    if (record !== undefined) record.lastActivityAt = this.#services.clock.now();
  }

  ended(flow: Flow, { reason, fins, resetBy }: FlowEnding, at: number): void {
    const record = this.#records.get(flow);
    if (record === undefined) return;
    for (const side of fins) {
      record[side === 'client' ? 'clientEnded' : 'targetEnded'] = true;
      record.firstEnded ??= side;
      record.note(at, `${side}-ended`);
    }
    if (resetBy !== null) record.note(at, 'reset', { by: resetBy });
    if (reason !== 'kernel-expired') record.lastActivityAt = Math.max(record.lastActivityAt, at);
    this.#services.manager.initiateCleanupOnce(record, { reason, at });
  }

  corrected(flow: Flow, correction: Correction): void {
    const route = this.#services.routeName(flow.route) ?? null;
    this.#services.manager.correct(flow.label, route, correction, accountOf(flow));
  }

  /** This process ends, and the kernel goes on: the records end, and no flow is cut. */
  leave(): void {
    for (const [flow, record] of [...this.#records]) {
      flow.leave();
      record.note(this.#services.clock.now(), 'left-to-the-kernel');
      this.#services.manager.initiateCleanupOnce(record, { reason: 'shutdown', effect: 'finish' });
      flow.close();
    }
  }
}

function accountOf({ packets, exact }: Flow): KernelAccount {
  return { packets: { ...packets }, exact };
}

/** The kernel itself watches for silence, and holds no bytes; how long a flow lives it does not ask. */
function ownDeadlines({ timeouts }: KernelRoute): Timeouts {
  return { ...timeouts, inactivityMs: 0, halfCloseMs: 0, stalledWriteMs: 0 };
}

const noDeadlines: Timeouts = Object.freeze({
  ...{
    initialDataMs: 0,
    connectMs: 0,
    tlsHandshakeMs: 0,
    inactivityMs: 0,
    halfCloseMs: 0,
    stalledWriteMs: 0,
  },
  ...{ maxLifetimeMs: 0, cleanupGraceMs: 2_000, shutdownGraceMs: 0, requestHeadMs: 0, requestBodyMs: 0 },
  ...{ keepAliveMs: 0, responseHeadMs: 0, responseWriteMs: 0, poolIdleMs: 0 },
});
