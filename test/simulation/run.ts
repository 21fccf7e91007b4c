import process from 'node:process';
import { parseArgs } from 'node:util';
import { makePlan, type Plan } from './plan.ts';
import { runPlan, shrink } from './runner.ts';
import type { World } from './world.ts';

/** Failing seeds that are shown in full; more are only named. */
const shownFailures = 5;

/** How often each reason struck in each phase: shows what the seeds reach. */
const tally = new Map<string, number>();

function count(world: World): void {
  for (const { record } of world.witness.stories.values()) {
    const key = `${record.termination?.reason} in ${record.termination?.phase}`;
    tally.set(key, (tally.get(key) ?? 0) + 1);
  }
}

function showTally(): void {
  for (const [key, count] of [...tally].sort((a, b) => b[1] - a[1])) {
    process.stdout.write(`${count.toString().padStart(9)} ${key}\n`);
  }
}

async function show(plan: Plan): Promise<void> {
  const smallest = await shrink(plan);
  const { problems, world: run } = await runPlan(smallest, { trace: true });
  const actors = smallest.clients.map(({ name }) => name).join(', ');
  process.stdout.write(`\nseed ${plan.seed} failed; smallest world that still does: ${actors}\n`);
  const { clients, ...world } = smallest;
  process.stdout.write(`  ${JSON.stringify(world)}\n`);
  for (const { name, ip, localPort, connectAtMs, opening } of clients) {
    process.stdout.write(`  ${JSON.stringify({ name, ip, localPort, connectAtMs, opening })}\n`);
  }
  for (const line of run.lines.slice(-400)) process.stdout.write(`  ${line}\n`);
  for (const problem of problems) process.stdout.write(`  problem: ${problem}\n`);
  process.stdout.write(`  replay: node test/simulation/run.ts --seed ${plan.seed}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      tally: { type: 'boolean', default: false },
    },
  });
  const only = values.seed === undefined ? null : Number(values.seed);
  const from = only ?? Number(values.from);
  const seeds = only === null ? Number(values.seeds) : 1;
  if (![from, seeds].every(Number.isSafeInteger) || seeds < 1) throw new Error('seeds are whole numbers');
  const failed: number[] = [];
  for (let seed = from; seed < from + seeds; seed++) {
    const plan = makePlan(seed);
    const { problems, world } = await runPlan(plan);
    count(world);
    if (problems.length === 0) continue;
    failed.push(seed);
    if (failed.length <= shownFailures) await show(plan);
  }
  if (values.tally) showTally();
  if (failed.length > shownFailures)
    process.stdout.write(`failed seeds: ${failed.slice(0, 100).join(' ')}\n`);
  process.stdout.write(`${seeds - failed.length} passed, ${failed.length} failed\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

await main();
