import { type Plan, without } from './plan.ts';
import type { World, WorldOptions } from './world.ts';

/** A kind of worlds: all of one kind have the same cast, and a seed says what it does. */
export interface WorldKind<P extends Plan = Plan> {
  readonly name: string;
  makePlan(seed: number): P;
  build(plan: P, options: WorldOptions): World;
}

/** How a world came out: nothing in `problems` is good. */
export interface Outcome {
  readonly world: World;
  readonly problems: readonly string[];
}

export async function runPlan(kind: WorldKind, plan: Plan, options: WorldOptions = {}): Promise<Outcome> {
  const world = kind.build(plan, options);
  const problems = world.needsEventLoop ? await world.runAsync() : world.run();
  return { world, problems };
}

/** The first of `count` seeds that fails; null when none does. */
export async function firstFailing(
  kind: WorldKind,
  count: number,
  from = 1,
): Promise<{ seed: number; problems: readonly string[] } | null> {
  for (let seed = from; seed < from + count; seed++) {
    const { problems } = await runPlan(kind, kind.makePlan(seed));
    if (problems.length > 0) return { seed, problems };
  }
  return null;
}

/** Leaves out one actor after the other for as long as it still fails. */
export async function shrink(kind: WorldKind, plan: Plan): Promise<Plan> {
  for (let index = plan.clients.length - 1; index >= 0; index--) {
    const smaller = without(plan, { client: index });
    if ((await runPlan(kind, smaller)).problems.length > 0) return shrink(kind, smaller);
  }
  for (let index = plan.operator.length - 1; index >= 0; index--) {
    const smaller = without(plan, { operator: index });
    if ((await runPlan(kind, smaller)).problems.length > 0) return shrink(kind, smaller);
  }
  return plan;
}
