import assert from 'node:assert/strict';
import { cpSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { it } from 'node:test';
import { Workspace } from '../support/workspace.ts';

const root = join(import.meta.dirname, '..', '..');

/** A copy of the project, so that building it does not disturb what other tests see of dist/. */
function copyProject(workspace: Workspace): string {
  const copy = workspace.path('project');
  for (const name of readdirSync(root)) {
    if (['node_modules', '.git', '.cache', 'dist'].includes(name)) continue;
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

const program = `import { SmartProxy } from 'smartproxy';
const proxy = new SmartProxy({
  routes: [{ name: 'a', match: { ports: 0, address: '127.0.0.1' }, action: { type: 'forward', target: { host: '127.0.0.1', port: 9 } } }],
  admin: { listen: '127.0.0.1:0' },
});
await proxy.start();
console.log('ports', proxy.listeners().length, proxy.getStatistics().connections.active);
for (const path of ['/', '/dashboard.js', '/dashboard.css', '/icon.svg', '/api/v1/reasons']) {
  const answer = await fetch(new URL(path, proxy.adminAddress));
  console.log(path, answer.status, (await answer.text()).length > 100);
}
await proxy.stop();
`;

const typed = `import { defineConfig, type SmartProxyOptions, SmartProxy } from 'smartproxy';
const options: SmartProxyOptions = defineConfig({ routes: [] });
export const proxy: SmartProxy = new SmartProxy(options);
// @ts-expect-error an unknown key
defineConfig({ routes: [], route: [] });
`;

it('the packed package installs elsewhere, and its command, library and types work', async (t) => {
  const workspace = Workspace.of(t, 'pack');
  const project = copyProject(workspace);
  const npm = (args: string[], cwd: string) =>
    workspace.run('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline'], { cwd, env });
  await npm(['pack', '--pack-destination', workspace.folder], project);
  const tarball = readdirSync(workspace.folder).find((name) => name.endsWith('.tgz'));
  assert.equal(tarball, 'smartproxy-0.1.0.tgz');

  workspace.write('user/package.json', JSON.stringify({ name: 'user', type: 'module', private: true }));
  const user = workspace.path('user');
  await npm(['install', workspace.path(tarball)], user);
  const installed = readdirSync(join(user, 'node_modules', 'smartproxy'));
  assert.ok(!installed.includes('src') && installed.includes('dist'), `${installed}`);

  const help = await workspace.run(join(user, 'node_modules', '.bin', 'smartproxy'), ['--help'], { env });
  assert.match(help, /Usage: smartproxy/);
  workspace.write('user/main.js', program);
  const said = await workspace.run(execPath, ['main.js'], { cwd: user });
  assert.match(said, /ports 1 0/);
  assert.equal(said.match(/^\/\S* 200 true$/gm)?.length, 5, said);

  workspace.write('user/main.ts', typed);
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  const strict = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2024'];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
  await workspace.run(compiler, [...strict, ...types, 'main.ts'], { cwd: user });
});
