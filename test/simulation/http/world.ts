import { Process } from '../process.ts';
import type { WorldOptions } from '../world.ts';
import type { HttpPlan } from './plan.ts';
import { proxyPlan } from './routes.ts';
import { SiteWorld } from './site-world.ts';

/** One proxy with a site in clear text: it reads requests itself. */
export class HttpWorld extends SiteWorld {
  readonly front: Process;
  readonly reader: Process;
  readonly processes: readonly Process[];

  constructor(plan: HttpPlan, options: WorldOptions = {}) {
    super(plan, options);
    this.front = new Process(proxyPlan(plan), this.surroundings());
    this.reader = this.front;
    this.processes = [this.front];
    this.begin();
  }
}
