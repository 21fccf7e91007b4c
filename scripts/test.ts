/**
 * What `npm test` runs: the checks, a simulation, and every test, end-to-end ones included.
 *
 *     node scripts/test.ts [--only-tests] [pattern …]
 *
 * Nothing stops the rest; the last lines say how each part went. With CI=true a skipped test is a failure.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { env, execPath, exit } from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { installMissingPrograms } from '../test/support/debian.ts';

const root = dirname(import.meta.dirname);
/** More than the cores of a small machine gain nothing, and make waits long. */
const concurrency = 2;
/** A test file that hangs is a failure, not a run without end. Far above what any takes on a busy machine. */
const fileTimeoutMs = 600_000;

interface Outcome {
  name: string;
  ok: boolean;
  detail: string;
}

function runScript(name: string, ...args: string[]): Outcome {
  console.log(`\n── ${name}`);
  const result = spawnSync(execPath, args, { cwd: root, stdio: 'inherit' });
  return { name, ok: result.status === 0, detail: result.status === 0 ? 'passed' : 'FAILED' };
}

async function runTests(patterns: string[]): Promise<Outcome> {
  console.log('\n── tests');
  const files = globSync(patterns, { cwd: root })
    .map((file) => join(root, file))
    .sort();
  const stream = run({ files, concurrency, timeout: fileTimeoutMs, cwd: root });
  let counts = { tests: 0, passed: 0, skipped: 0 };
  let success = false;
  stream.on('test:summary', (summary) => {
    if (summary.file !== undefined) return;
    counts = summary.counts;
    success = summary.success;
  });
  for await (const text of stream.compose(spec)) process.stdout.write(text);
  const refusedSkips = env.CI === 'true' && counts.skipped > 0;
  if (refusedSkips) console.log('skipped tests count as failures with CI=true');
  const detail = `${counts.passed} passed, ${counts.tests - counts.passed - counts.skipped} failed, ${counts.skipped} skipped`;
  return { name: 'tests', ok: success && files.length > 0 && !refusedSkips, detail };
}

const { values, positionals } = parseArgs({
  options: { 'only-tests': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const patterns = positionals.length > 0 ? positionals : ['test/**/*.test.ts'];
const outcomes: Outcome[] = [];
if (!values['only-tests']) {
  installMissingPrograms();
  outcomes.push(runScript('check', 'scripts/check.ts'));
  outcomes.push(runScript('simulation', 'test/simulation/run.ts', '--seeds', '2000'));
}
outcomes.push(await runTests(patterns));
console.log('');
for (const { name, detail } of outcomes) console.log(`${name}: ${detail}`);
exit(outcomes.every(({ ok }) => ok) ? 0 : 1);
