import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { Series } from '../base/series.ts';
import { isKernelRoute, type KernelRoute } from '../config/kernel-route.ts';
import type { ResolvedOptions } from '../config/resolved.ts';
import { compileRuleset, tableName } from './compile-ruleset.ts';
import type { FlowObserver } from './flow-observer.ts';
import { FlowWatcher } from './flow-watcher.ts';
import { machineNetworks } from './machine-networks.ts';
import { checkScript, deleteTable, listed, loadScript } from './nft-command.ts';
import {
  checkForwarding,
  checkPrograms,
  routesForThisMachineOnly,
  switchAccountingOn,
} from './requirements.ts';
import type { Ruleset } from './ruleset.ts';
import { changeRuleset, type RulesetChange, withoutPlacements } from './ruleset-change.ts';
import { Script, wholeScript } from './ruleset-script.ts';
import { configuredInput } from './show.ts';
import { claimTable, type TableClaim } from './table-claim.ts';
import { type Refused, TableWatch } from './table-watch.ts';

export interface ForwarderOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: FlowObserver;
  /** Connections that the kernel turned away. */
  refused(refused: Refused): void;
}

/** The table of this process, in force. */
interface Installed {
  readonly claim: TableClaim;
  readonly watcher: FlowWatcher;
  readonly watch: TableWatch;
  ruleset: Ruleset;
  /** The same, unless it is not certain that the kernel has it so. */
  inForce: Ruleset | null;
}

/** A ruleset, and how it comes into force. */
interface RulesetUpdate extends Omit<RulesetChange, 'elementsOnly'> {
  readonly ruleset: Ruleset;
  /** Whether `change` takes the place of everything that is there. */
  readonly whole: boolean;
}

export interface PrepareOptions {
  /** Whether nothing has to be undone if the kernel refuses the rules only when they are loaded. */
  mayFailLate(): boolean;
}

/** Rules that the kernel would take. Until they are applied nothing has changed. */
export interface ForwarderChange {
  /** Loads them in one transaction. Rejects with everything as it was. */
  apply(): Promise<void>;
}

/**
 * The table of nftables of one SmartProxy, from the first configuration that has routes for the kernel
 * until `close`. Calls come one after another.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #installed: Installed | null = null;
  /** Whatever changes the table comes one after another. */
  readonly #changes = new Series();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Null before the first route for the kernel. */
  get watcher(): FlowWatcher | null {
    return this.#installed?.watcher ?? null;
  }

  /** What its table is called after; null before there is one. */
  get instance(): string | null {
    return this.#installed?.claim.instance ?? null;
  }

  /** The route that a flow's mark tells; undefined where it is no more. */
  routeName(number: number): string | undefined {
    return this.#installed?.claim.numbers.nameOf(number);
  }

  /** Of routes that are no more, only the names are remembered that are of use to somebody. */
  retain(isOfUse: (name: string) => boolean): void {
    this.#installed?.claim.numbers.retain(isOfUse);
  }

  /**
   * Asks whether a configuration can be forwarded. Null where it needs nothing of the kernel. Rejects with
   * SmartProxyError that says what to install, to grant, or which route is not taken.
   */
  async prepare(options: ResolvedOptions, how: PrepareOptions): Promise<ForwarderChange | null> {
    const routes = options.routes.filter(isKernelRoute);
    const installed = this.#installed;
    if (installed === null && routes.length === 0) return null;
    checkPrograms();
    const claim = installed?.claim ?? (await claimTable(options.nftables.instance));
    const ruleset = compile(claim, options);
    const update = await checked(ruleset, installed?.inForce ?? null, how);
    checkForwarding(routes, options.nftables.manageSysctls, this.#options.log);
    this.#warnOfLoopback(routes);
    return {
      apply: () => (installed === null ? this.#install(claim, update) : this.#update(installed, update)),
    };
  }

  /** Flows are followed before the first of them can begin. */
  async #install(claim: TableClaim, { ruleset, change }: RulesetUpdate): Promise<void> {
    const { clock, log, observer, refused } = this.#options;
    const watcher = new FlowWatcher({ clock, log, observer, owner: claim.owner });
    const watch = new TableWatch({
      clock,
      log,
      instance: claim.instance,
      refused,
      untold: () => watcher.onUntold(),
      restore: () => this.#restore(),
    });
    this.#installed = { claim, watcher, watch, ruleset, inForce: ruleset };
    try {
      switchAccountingOn(log);
      await watcher.start();
      await loadScript(change);
    } catch (error) {
      watcher.stop();
      this.#installed = null;
      throw error;
    }
    watch.start();
  }

  #update(installed: Installed, update: RulesetUpdate): Promise<void> {
    return this.#changes.run(async () => {
      const { ruleset, change, sweep, whole } = update;
      try {
        await loadScript(change);
      } catch (error) {
        // Whatever is in the way is so no more once everything is loaded anew, as the next change will be.
        installed.inForce = null;
        if (await isThere(ruleset).catch(() => true)) throw error;
        return this.#loadLost(installed, ruleset);
      }
      installed.ruleset = ruleset;
      installed.inForce = ruleset;
      if (whole) installed.watch.beginAnew();
      await this.#sweep(installed, sweep);
    });
  }

  async #sweep(installed: Installed, sweep: Script): Promise<void> {
    try {
      await loadScript(sweep);
    } catch (error) {
      // What nothing leads to does no harm. But nobody knows what is there now: the next change is whole.
      installed.inForce = null;
      this.#options.log.warn('nftables-sweep-failed', { message: errorMessage(error) });
    }
  }

  /** Somebody removed the table, as a firewall does that loads its own rules over everything. */
  #restore(): Promise<void> {
    return this.#changes.run(async () => {
      const installed = this.#installed;
      if (installed !== null && !(await isThere(installed.ruleset)))
        await this.#loadLost(installed, installed.ruleset);
    });
  }

  async #loadLost(installed: Installed, ruleset: Ruleset): Promise<void> {
    installed.watch.onLost();
    await loadScript(wholeScript(ruleset));
    installed.ruleset = ruleset;
    installed.inForce = ruleset;
  }

  #warnOfLoopback(routes: readonly KernelRoute[]): void {
    const { routesLoopback } = machineNetworks();
    for (const { name } of routesForThisMachineOnly(routes, routesLoopback)) {
      this.#options.log.warn('loopback-target', {
        route: name,
        message:
          'a target on the loopback can be reached by programs of this machine only: other clients get a RST (write an address of this machine that is not loopback)',
      });
    }
  }

  /** No new flow begins from here on; those that are there go on. */
  async drain(): Promise<void> {
    const installed = this.#installed;
    if (installed === null) return;
    const ruleset = withoutPlacements(installed.ruleset);
    await this.#update(installed, { ruleset, whole: false, ...changeRuleset(installed.ruleset, ruleset) });
  }

  /** After the last flow has ended, or been left to the kernel: then with `keep`, and the table stays. */
  async close({ keep }: { keep: boolean }): Promise<void> {
    const installed = this.#installed;
    if (installed === null) return;
    this.#installed = null;
    installed.watcher.stop();
    await installed.watch.stop();
    if (!keep) await this.#changes.run(() => deleteTable(tableName(installed.claim.instance)));
  }
}

function compile({ instance, owner, comment, numbers }: TableClaim, options: ResolvedOptions): Ruleset {
  const configured = configuredInput(options);
  const names = configured.routes.map(({ name }) => name);
  return compileRuleset({
    ...configured,
    ...{ instance, owner, comment },
    numbers: numbers.assign(names),
    machine: machineNetworks(),
  });
}

/**
 * How a ruleset comes into force, which the kernel would take. Where elements alone change the kernel need not be
 * asked beforehand: it takes them all or refuses them all when they are loaded, and each question to it takes
 * as long as the change itself.
 */
async function checked(
  ruleset: Ruleset,
  before: Ruleset | null,
  how: PrepareOptions,
): Promise<RulesetUpdate> {
  if (before !== null) {
    const update = { ruleset, whole: false, ...changeRuleset(before, ruleset) };
    if (update.elementsOnly && how.mayFailLate()) return update;
    try {
      await checkScript(Script.joined(update.change, update.sweep));
      return update;
    } catch (error) {
      if (await isThere(ruleset).catch(() => true)) throw error;
    }
  }
  const change = wholeScript(ruleset);
  await checkScript(change);
  return { ruleset, whole: true, change, sweep: new Script() };
}

/** A table that somebody has removed takes no change: it is loaded whole. */
async function isThere({ table }: Ruleset): Promise<boolean> {
  return (await listed(['table', 'inet', table], ['-t'])) !== undefined;
}
