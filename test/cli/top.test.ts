import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { bin, RunningProxy, smartproxy, startEcho } from '../support/command-line.ts';
import { hasPrograms } from '../support/debian.ts';
import { Tmux } from '../support/tmux.ts';
import { Workspace, waitUntil } from '../support/workspace.ts';

interface Scene {
  workspace: Workspace;
  proxy: RunningProxy;
  admin: string;
  port: number;
}

/** A proxy with two routes to an echo service, in a process of its own. */
async function start(context: TestContext): Promise<Scene> {
  const workspace = Workspace.of(context, 'top');
  const echo = await startEcho(workspace);
  const route = (name: string): object => ({
    name,
    match: { ports: 0, address: '127.0.0.1' },
    action: { type: 'forward', target: { host: '127.0.0.1', port: echo } },
  });
  const file = workspace.write('proxy.json', JSON.stringify({ routes: [route('web'), route('database')] }));
  const admin = `unix:${workspace.path('run', 'admin.sock')}`;
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--admin', admin]);
  return { workspace, proxy, admin, port: await proxy.portOf('web') };
}

async function hold({ workspace }: Scene, port: number, text = 'hello'): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  workspace.onEnd(() => socket.destroy());
  socket.write(text);
  await once(socket, 'data');
  return socket;
}

const top = `'${process.execPath}' '${bin}' top`;

test('top shows what happens in 80×24, ends a connection, and leaves the terminal as it was', async (t) => {
  if (!hasPrograms(t, 'tmux')) return;
  const scene = await start(t);
  const terminal = await Tmux.start(scene.workspace, { SMARTPROXY_ADMIN: scene.admin });
  const held = await hold(scene, scene.port);
  await hold(scene, await scene.proxy.portOf('database'), 'x'.repeat(5_000));
  await terminal.run('echo what was before');
  await terminal.shows(/^what was before\n\$$/m);
  await terminal.run(top);
  const screen = await terminal.shows(/127\.0\.0\.1 +web +established +5 B +5 B/);
  const lines = screen.split('\n');
  assert.match(lines[0] ?? '', /^SmartProxy .* is ready, up .* at unix:.*\d\d:\d\d:\d\d UTC$/);
  assert.match(lines[1] ?? '', /^connections 2 {2}opened .*books agree$/);
  assert.match(screen, /127\.0\.0\.1 +database +established +5\.0 kB +5\.0 kB/);
  assert.match(lines[23] ?? '', /^q quit {2}s sort .* \? help/);
  for (const line of lines) assert.ok(line.length <= 80, `too wide: ${line}`);
  assert.equal((await terminal.modes()).alternate, true);

  await terminal.press('s', 's', 's');
  const sorted = await terminal.shows(/OUT▾/);
  assert.ok(sorted.indexOf('database') < sorted.indexOf(' web '), 'the one with more bytes is first');
  await terminal.press('/');
  await terminal.run('route=web');
  await terminal.shows(/filter: route=web \(1\)/);
  assert.doesNotMatch(await terminal.screen(), / database /);
  await terminal.press('Down', 'Enter');
  await terminal.shows(/The\s+route\s+web\s+took\s+it\.[\s\S]*It\s+is\s+established\s+now/);
  await terminal.press('q');
  await terminal.press('x');
  await terminal.shows(/End the connection \S+\? y ends it/);
  await terminal.press('n');
  await terminal.shows(/^q quit/m);
  assert.equal(held.destroyed, false);
  await terminal.press('x', 'y');
  await waitUntil('the connection to be ended', () => held.destroyed || undefined);
  await terminal.shows(/ended \S+/);
  await terminal.shows(/^operator +operator +established +\S+ +1$/m);
  await terminal.press('p');
  await terminal.shows(/PAUSED/);
  await terminal.resize(60, 15);
  const small = await terminal.shows(/^q quit.*… PAUSED/m);
  for (const line of small.split('\n')) assert.ok(line.length <= 60, `too wide: ${line}`);
  await terminal.resize(80, 24);
  await terminal.press('q');
  const after = await terminal.shows(/^what was before\n\$ .*\n(.*\n)?\$$/m);
  assert.doesNotMatch(after, /SmartProxy/);
  assert.deepEqual(await terminal.modes(), { alternate: false, cursor: true });
  await terminal.run('echo it ended with $?');
  await terminal.shows(/^it ended with 0/m);
});

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
  test(`top that is killed by ${signal} leaves the terminal as it was`, async (t) => {
    if (!hasPrograms(t, 'tmux')) return;
    const scene = await start(t);
    const terminal = await Tmux.start(scene.workspace, { SMARTPROXY_ADMIN: scene.admin });
    await terminal.run('echo what was before; stty -a > before');
    await terminal.shows(/^what was before\n\$$/m);
    await terminal.run(top);
    await terminal.shows(/is ready/);
    assert.deepEqual(await terminal.modes(), { alternate: true, cursor: false });
    process.kill(await terminal.foreground(), signal);
    await terminal.shows(/^what was before/m);
    await waitUntil('the cursor to be back', async () => (await terminal.modes()).cursor || undefined);
    // Whether what is typed is seen: without a shell that puts it right itself.
    await waitUntil('the modes of the terminal to be as before', async () => {
      await terminal.run(`stty -a > after; cmp before after && echo the same`);
      return /^the same/m.test(await terminal.rests(300)) || undefined;
    });
    assert.deepEqual(await terminal.modes(), { alternate: false, cursor: true });
  });
}

test('top goes on while the instance is away, and says so', async (t) => {
  if (!hasPrograms(t, 'tmux')) return;
  const scene = await start(t);
  const terminal = await Tmux.start(scene.workspace, { SMARTPROXY_ADMIN: scene.admin });
  await terminal.run(top);
  await terminal.shows(/is ready/);
  scene.proxy.signal('SIGTERM');
  await terminal.shows(/^cannot reach the admin API/m);
  const args = ['run', '--config', scene.workspace.path('proxy.json'), '--admin', scene.admin];
  const again = new RunningProxy(scene.workspace, args);
  await again.logs('ready');
  await terminal.shows(/^q quit/m);
  await terminal.press('q');
  await terminal.shows(/^\$ .*\n(.*\n)?\$$/m);
});

test('top says what it needs, and what answers nobody', async (t) => {
  const workspace = Workspace.of(t, 'top');
  const without = await smartproxy(workspace, ['top', '--admin', `unix:${workspace.path('none.sock')}`]);
  assert.equal(without.code, 2);
  assert.match(without.err, /top needs a terminal/);
  if (!hasPrograms(t, 'tmux')) return;
  const terminal = await Tmux.start(workspace);
  await terminal.run(`${top} --admin unix:${workspace.path('none.sock')}; echo ended with $?`);
  await terminal.shows(/cannot reach the admin API[\s\S]*\nended with 1/);
  assert.deepEqual(await terminal.modes(), { alternate: false, cursor: true });
});

test('connections --watch shows the list again and again, with the filters of the API', async (t) => {
  if (!hasPrograms(t, 'tmux')) return;
  const scene = await start(t);
  const terminal = await Tmux.start(scene.workspace, { SMARTPROXY_ADMIN: scene.admin });
  await terminal.run(`'${process.execPath}' '${bin}' connections --watch --route web --sort -bytes`);
  await terminal.shows(/^0 connections/m);
  await hold(scene, await scene.proxy.portOf('database'));
  const held = await hold(scene, scene.port, 'hello, you');
  const screen = await terminal.shows(
    /^1 connection .*UTC\nID +CLIENT[^\n]*\n\S+ +127\.0\.0\.1 +web +established +10 B +10 B/m,
  );
  assert.doesNotMatch(screen, /database/);
  held.destroy();
  await terminal.shows(/^0 connections/m);
  await terminal.press('q');
  await waitUntil('the shell to be back', async () => !(await terminal.modes()).alternate || undefined);
});

test('connections --watch --json is for programs: a line for every look', async (t) => {
  const scene = await start(t);
  await hold(scene, scene.port);
  const args = ['connections', '--watch', '--json', '--limit', '5', '--admin', scene.admin];
  const watching = scene.workspace.start(process.execPath, [bin, ...args]);
  await watching.says(/"total":1}\n.*"total":1}\n/s);
  await watching.stop();
  for (const line of watching.output.trim().split('\n')) {
    assert.equal(JSON.parse(line).connections[0].route, 'web');
  }
});
