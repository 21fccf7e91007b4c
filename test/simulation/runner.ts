import { makePlan, type Plan, without } from './plan.ts';
import { World } from './world.ts';

/** How a world came out: nothing in `problems` is good. */
export interface Outcome {
  readonly world: World;
  readonly problems: readonly string[];
}

export async function runPlan(plan: Plan, options: { trace?: boolean } = {}): Promise<Outcome> {
  const world = new World(plan, options);
  const problems = world.needsEventLoop ? await world.runAsync() : world.run();
  return { world, problems };
}

/** The first of `count` seeds that fails; null when none does. */
export async function firstFailing(
  count: number,
  from = 1,
): Promise<{ seed: number; problems: readonly string[] } | null> {
  for (let seed = from; seed < from + count; seed++) {
    const { problems } = await runPlan(makePlan(seed));
    if (problems.length > 0) return { seed, problems };
  }
  return null;
}

/** Leaves out one actor after the other for as long as it still fails. */
export async function shrink(plan: Plan): Promise<Plan> {
  for (let index = plan.clients.length - 1; index >= 0; index--) {
    const smaller = without(plan, { client: index });
    if ((await runPlan(smaller)).problems.length > 0) return shrink(smaller);
  }
  for (let index = plan.operator.length - 1; index >= 0; index--) {
    const smaller = without(plan, { operator: index });
    if ((await runPlan(smaller)).problems.length > 0) return shrink(smaller);
  }
  return plan;
}
