import type { WorldKind } from '../runner.ts';
import { type HttpPlan, makePlan } from './plan.ts';
import { HttpWorld } from './world.ts';

/** Clear-text sites: requests over the bridge within one process, and pools of connections to backends. */
export const httpKind: WorldKind<HttpPlan> = {
  name: 'http',
  makePlan,
  build: (plan, options) => new HttpWorld(plan, options),
};
