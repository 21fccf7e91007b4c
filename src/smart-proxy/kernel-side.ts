import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { TerminationReason } from '../base/termination.ts';
import { isKernelRoute } from '../config/kernel-route.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import type { ConnectionManager } from '../connection/connection-manager.ts';
import { Forwarder, type ForwarderChange, type PrepareOptions } from '../nftables/forwarder.ts';
import type { Refusal } from '../nftables/marks.ts';
import type { Refused } from '../nftables/table-watch.ts';
import type { SecurityManager } from '../security/security-manager.ts';
import { FlowRecords } from './flow-records.ts';

export interface KernelServices {
  readonly clock: Clock;
  readonly manager: ConnectionManager;
  readonly security: SecurityManager;
  readonly log: Logger;
}

export interface KernelStatistics {
  /** Connections that the kernel forwards now. */
  flows: number;
  /** Times that the kernel had no room for an event. */
  eventOverruns: number;
  /** Flows whose ending was lost. */
  inexact: number;
  /** Flows beyond what can be recorded. */
  unrecorded: number;
}

export const noKernel: KernelStatistics = Object.freeze({
  ...{ flows: 0, eventOverruns: 0, inexact: 0, unrecorded: 0 },
});

const refusalReasons: Record<Refusal, TerminationReason> = {
  blocked: 'blocked',
  limit: 'connection-limit',
  rate: 'rate-limit',
  unreachable: 'connect-unreachable',
};

/** Forwarding in the kernel as a part of SmartProxy. Nothing of it exists before a route asks for it. */
export class KernelSide {
  readonly #services: KernelServices;
  readonly #forwarder: Forwarder;
  readonly #records: FlowRecords;
  #keepOnExit = false;

  constructor(services: KernelServices) {
    this.#services = services;
    const { clock, log } = services;
    this.#records = new FlowRecords({
      ...services,
      routeName: (number) => this.#forwarder.routeName(number),
    });
    this.#forwarder = new Forwarder({
      ...{ clock, log },
      observer: this.#records,
      refused: (refused) => this.#refused(refused),
    });
  }

  /** Null where nothing is asked of the kernel. Rejects with SmartProxyError; then nothing has changed. */
  async prepare(options: ResolvedOptions, how: PrepareOptions): Promise<ForwarderChange | null> {
    const change = await this.#forwarder.prepare(options, how);
    if (change === null) return null;
    const routes = options.routes.filter(isKernelRoute);
    this.#warnOfInstance(options);
    return {
      apply: async () => {
        // Before the first flow of a new route can be told.
        const takeBack = this.#records.expect(routes);
        await change.apply().catch((error) => {
          takeBack();
          throw error;
        });
        this.#keepOnExit = options.nftables.keepOnExit;
        this.#records.retain(routes);
        this.#forwarder.retain((name) => this.#records.isOfUse(name));
      },
    };
  }

  /** Connections that the kernel forwards now: they have a record, and no socket. */
  get flows(): number {
    return this.#records.size;
  }

  /** The same, as the kernel's events tell it. */
  get openFlows(): number {
    return this.#forwarder.watcher?.table.open ?? 0;
  }

  statistics(): KernelStatistics {
    const { watcher } = this.#forwarder;
    if (watcher === null) return noKernel;
    const { inexact, unrecorded } = watcher.table;
    return { flows: this.flows, eventOverruns: watcher.overruns, inexact, unrecorded };
  }

  /**
   * No new connection is forwarded. Or, where the kernel is to go on by itself, this process lets go of
   * all that there are. Never rejects: a stop goes on.
   */
  async drain(): Promise<void> {
    if (!this.#keepOnExit) return this.#orLog(() => this.#forwarder.drain());
    this.#records.leave();
    await this.close();
  }

  /** After the last connection has ended. Never rejects. */
  async close(): Promise<void> {
    await this.#orLog(() => this.#forwarder.close({ keep: this.#keepOnExit }));
  }

  async #orLog(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#services.log.error('nftables-stop-failed', { message: errorMessage(error) });
    }
  }

  /** The table stays what it is called: its flows have its marks. */
  #warnOfInstance({ nftables: { instance } }: ResolvedOptions): void {
    const inForce = this.#forwarder.instance;
    if (inForce === null || inForce === instance) return;
    this.#services.log.warn('restart-needed', {
      path: 'nftables.instance',
      message: 'another instance takes effect at the next start',
    });
  }

  #refused({ refusal, route: number, count }: Refused): void {
    const reason = refusalReasons[refusal];
    const route = this.#forwarder.routeName(number) ?? null;
    this.#services.manager.refuse(reason, { ip: '', port: 0 }, count);
    this.#services.log.warn('connections-refused', { reason, count, route, engine: 'nftables' });
  }
}
