/**
 * Runs every test on each version of Node that is supported.
 *
 *     node scripts/test-nodes.ts [major …]
 *
 * The versions come from npm and are kept in .cache/.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { arch, argv, env, exit, platform } from 'node:process';

const root = dirname(import.meta.dirname);
const supported = ['22', '24', '26'];

/** The executable of the newest Node of a major version; installed where it is not there yet. */
function installNode(major: string): string {
  const prefix = join(root, '.cache', `node-${major}`);
  const name = `${platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node'}-${platform}-${arch}`;
  const executable = join(prefix, 'node_modules', name, 'bin', 'node');
  if (!existsSync(executable)) {
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, `${name}@${major}`];
    spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
  }
  if (!existsSync(executable)) throw new Error(`npm cannot install ${name}@${major}`);
  return executable;
}

function testOn(major: string): { line: string; ok: boolean } {
  const node = installNode(major);
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\n══ Node ${version}`);
  const path = [dirname(node), env.PATH].join(delimiter);
  const files = globSync('test/**/*.test.ts', { cwd: root }).sort();
  const args = ['--test', '--test-concurrency=2', '--test-timeout=600000', '--test-reporter=dot', ...files];
  const result = spawnSync(node, args, { cwd: root, stdio: 'inherit', env: { ...env, PATH: path } });
  const ok = result.status === 0;
  return { line: `Node ${version}: ${ok ? 'passed' : 'FAILED'}`, ok };
}

const majors = argv.length > 2 ? argv.slice(2) : supported;
const outcomes = majors.map(testOn);
console.log('');
for (const { line } of outcomes) console.log(line);
const failed = outcomes.filter(({ ok }) => !ok).length;
console.log(`${outcomes.length - failed} passed, ${failed} failed`);
exit(failed === 0 ? 0 : 1);
