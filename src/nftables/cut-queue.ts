import type { Clock } from '../base/clock.ts';
import { errorMessage } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { cutFlows, deleteFlows } from './conntrack-command.ts';
import type { Flow } from './flow.ts';
import { routeFilter } from './marks.ts';

/** From so many on, all flows of a route are cut by their mark and not one by one. */
const manyFlows = 32;

export interface CutQueueOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly owner: number;
  liveFlows(): Flow[];
}

/** Gathers the flows that are to be cut in one turn of the event loop: a process each would be many. */
export class CutQueue {
  readonly #options: CutQueueOptions;
  #waiting: Flow[] = [];

  constructor(options: CutQueueOptions) {
    this.#options = options;
  }

  add(flow: Flow): void {
    if (this.#waiting.length === 0) this.#options.clock.setImmediate(() => void this.#flush());
    this.#waiting.push(flow);
  }

  async #flush(): Promise<void> {
    const flows = this.#waiting;
    this.#waiting = [];
    const { owner, log } = this.#options;
    const { whole, rest } = this.#group(flows);
    try {
      for (const route of whole) await deleteFlows(routeFilter(owner, route));
      if (rest.length > 0) await cutFlows(rest, owner);
    } catch (error) {
      log.error('kernel-flows-not-cut', { count: flows.length, message: errorMessage(error) });
    }
  }

  /** Routes of which every flow is to go, and the flows of the others. */
  #group(flows: readonly Flow[]): { whole: number[]; rest: Flow[] } {
    const byRoute = Map.groupBy(flows, ({ route }) => route);
    const wanted = new Set(flows);
    const kept = new Set<number>();
    for (const flow of this.#options.liveFlows()) if (!wanted.has(flow)) kept.add(flow.route);
    const whole = [...byRoute]
      .filter(([route, { length }]) => length >= manyFlows && !kept.has(route))
      .map(([route]) => route);
    return { whole, rest: flows.filter(({ route }) => !whole.includes(route)) };
  }
}
