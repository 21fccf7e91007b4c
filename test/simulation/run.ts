/**
 * Runs seeds of simulated worlds: `--seeds` is shared out among the kinds of worlds, or all of one.
 *
 *     node test/simulation/run.ts [--world tcp|http] [--seeds N] [--from N] [--tally]
 *     node test/simulation/run.ts --world tcp --seed N      replays one, and shows how it fails
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { httpKind } from './http/kind.ts';
import type { Plan } from './plan.ts';
import { runPlan, shrink, type WorldKind } from './runner.ts';
import { tcpKind } from './tcp/kind.ts';
import type { World } from './world.ts';

const kinds: readonly WorldKind[] = [tcpKind, httpKind];

/** Failing seeds that are shown in full; more are only named. */
const shownFailures = 5;

/** How often each reason struck in each phase: shows what the seeds reach. */
const tally = new Map<string, number>();

function count({ processes }: World): void {
  for (const { witness } of processes) {
    for (const { record } of witness.stories.values()) {
      const key = `${record.termination?.reason} in ${record.termination?.phase}`;
      tally.set(key, (tally.get(key) ?? 0) + 1);
    }
  }
}

function showTally(): void {
  for (const [key, count] of [...tally].sort((a, b) => b[1] - a[1])) {
    process.stdout.write(`${count.toString().padStart(9)} ${key}\n`);
  }
  tally.clear();
}

/** What a plan says, but for bodies and scripts. */
function brief(value: unknown): string {
  return JSON.stringify(value, (key, inner) => (key === 'script' ? undefined : shortened(inner)));
}

function shortened(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1').slice(0, 200) : value;
}

async function show(kind: WorldKind, plan: Plan): Promise<void> {
  const smallest = await shrink(kind, plan);
  const { problems, world: run } = await runPlan(kind, smallest, { trace: true });
  const actors = smallest.clients.map(({ name }) => name).join(', ');
  process.stdout.write(`\nseed ${plan.seed} failed; smallest world that still does: ${actors}\n`);
  const { clients, ...world } = smallest;
  process.stdout.write(`  ${brief(world)}\n`);
  for (const client of clients) process.stdout.write(`  ${brief(client)}\n`);
  for (const line of run.lines.slice(-400)) process.stdout.write(`  ${line}\n`);
  for (const problem of problems) process.stdout.write(`  problem: ${problem}\n`);
  process.stdout.write(`  replay: node test/simulation/run.ts --world ${kind.name} --seed ${plan.seed}\n`);
}

/** How many failed. */
async function runSeeds(kind: WorldKind, from: number, seeds: number): Promise<number> {
  const failed: number[] = [];
  const startedAt = performance.now();
  for (let seed = from; seed < from + seeds; seed++) {
    const plan = kind.makePlan(seed);
    const { problems, world } = await runPlan(kind, plan);
    count(world);
    if (problems.length === 0) continue;
    failed.push(seed);
    if (failed.length <= shownFailures) await show(kind, plan);
  }
  const perSecond = Math.round((1000 * seeds) / (performance.now() - startedAt));
  if (failed.length > shownFailures)
    process.stdout.write(`failed seeds: ${failed.slice(0, 100).join(' ')}\n`);
  const told = `${seeds - failed.length} passed, ${failed.length} failed, ${perSecond} seeds per second`;
  process.stdout.write(`${kind.name}: ${told}\n`);
  return failed.length;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      world: { type: 'string' },
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
  const chosen = kinds.filter(({ name }) => values.world === undefined || values.world === name);
  if (chosen.length === 0) throw new Error(`worlds are ${kinds.map(({ name }) => name).join(', ')}`);
  let failed = 0;
  for (const kind of chosen) {
    failed += await runSeeds(kind, from, Math.ceil(seeds / chosen.length));
    if (values.tally) showTally();
  }
  process.exitCode = failed === 0 ? 0 : 1;
}

await main();
