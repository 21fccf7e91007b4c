/**
 * Everything that can be said about the code without running it. Prints each check with its time, and
 * what a failing one said. Exit code 1 where any failed; none stops the others.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { exit } from 'node:process';

const root = dirname(import.meta.dirname);
const tool = (name: string): string => join(root, 'node_modules', '.bin', name);

const checks: { name: string; command: string[] }[] = [
  { name: 'format and lint', command: [tool('biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'types', command: [tool('tsc'), '-p', '.'] },
  { name: 'types of the dashboard', command: [tool('tsc'), '-p', 'src/admin/dashboard'] },
  { name: 'import ladder and cycles', command: [process.execPath, 'scripts/check-imports.ts'] },
  { name: 'unused exports and dependencies', command: [tool('knip'), '--no-progress'] },
  { name: 'dashboard as built', command: [process.execPath, 'scripts/build-dashboard.ts', '--check'] },
  { name: 'documentation', command: [process.execPath, 'scripts/generate-configuration-docs.ts', '--check'] },
];

let failed = 0;
for (const { name, command } of checks) {
  const [program = '', ...args] = command;
  const startedAt = performance.now();
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  const ok = result.status === 0;
  if (!ok) failed++;
  console.log(
    `${ok ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`,
  );
  if (!ok) console.log(`${result.error?.message ?? ''}${result.stdout}${result.stderr}`);
}
exit(failed === 0 ? 0 : 1);
