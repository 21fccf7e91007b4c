import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { RunningProxy, smartproxy, startEcho } from '../support/command-line.ts';
import { Workspace, waitUntil } from '../support/workspace.ts';

/** Sends a text through a port, ends, and returns what came back. */
async function exchange(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.end(text);
  await once(socket, 'close');
  return answer;
}

/** A connection that stays open, once it has reached the target. */
async function hold(workspace: Workspace, port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  workspace.onEnd(() => socket.destroy());
  socket.on('error', () => {});
  socket.write('x');
  await once(socket, 'data');
  return socket;
}

function config(port: number, extra: object = {}): string {
  const route = (name: string): object => ({
    name,
    match: { ports: 0, address: '127.0.0.1' },
    action: { type: 'forward', target: { host: '127.0.0.1', port } },
  });
  return JSON.stringify({ routes: [route('echo')], ...extra });
}

test('run forwards, tells each ending in one JSON line, and drains at SIGTERM', async (context) => {
  const workspace = Workspace.of(context, 'run');
  const file = workspace.write('proxy.json', config(await startEcho(workspace)));
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--no-admin']);
  const port = await proxy.portOf('echo');
  assert.equal((await proxy.logs('ready')).admin, null);
  assert.equal(await exchange(port, 'hello'), 'hello');
  const closed = await proxy.logs('connection-closed');
  assert.deepEqual(closed.bytes, { fromClient: 5, toClient: 5 });
  assert.equal((closed.termination as { reason: string }).reason, 'client-closed');
  const held = await hold(workspace, port);
  proxy.signal('SIGTERM');
  await proxy.logs('draining');
  await assert.rejects(exchange(port, 'late'), /ECONNREFUSED/);
  held.end('last');
  assert.equal(await proxy.program.exited(), 0);
  assert.equal(proxy.lines.at(-1)?.event, 'stopped');
  for (const line of proxy.lines) {
    assert.match(line.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.ok(line.level && line.event);
  }
});

test('a second signal ends at once', async (context) => {
  const workspace = Workspace.of(context, 'signals');
  const file = workspace.write('proxy.json', config(await startEcho(workspace)));
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--no-admin']);
  const held = await hold(workspace, await proxy.portOf('echo'));
  proxy.signal('SIGINT');
  await proxy.logs('draining');
  proxy.signal('SIGINT');
  assert.equal(await proxy.program.exited(), 0);
  const closed = await proxy.logs('connection-closed');
  assert.equal((closed.termination as { reason: string }).reason, 'shutdown');
  held.destroy();
});

test('no file is needed: --from and --to', async (context) => {
  const workspace = Workspace.of(context, 'pairs');
  const echo = await startEcho(workspace);
  const args = ['--from', 'tcp://127.0.0.1:0', '--to', `tcp://127.0.0.1:${echo}`];
  const proxy = new RunningProxy(workspace, [
    'run',
    ...args,
    '--admin',
    `unix:${workspace.path('admin.sock')}`,
  ]);
  assert.equal(await exchange(await proxy.portOf('tcp://127.0.0.1:0'), 'hello'), 'hello');
  proxy.signal('SIGHUP');
  assert.match(String((await proxy.logs('reload-refused')).message), /no configuration file.*--config FILE/);
});

test('an address that this machine does not have ends with 1, and says what to write', async (context) => {
  const workspace = Workspace.of(context, 'address');
  const args = ['run', '--from', 'tcp://192.0.2.77:5432', '--to', 'tcp://192.0.2.1:1', '--no-admin'];
  const { code, err } = await smartproxy(workspace, args);
  assert.equal(code, 1);
  assert.match(err, /192\.0\.2\.77, port 5432: this machine has no such address \(write one that it has/);
});

test('a port that is taken ends with 1, and says which port and by whom', async (context) => {
  const workspace = Workspace.of(context, 'taken');
  const echo = await startEcho(workspace);
  const args = ['run', '--from', `tcp://127.0.0.1:${echo}`, '--to', 'tcp://192.0.2.1:1', '--no-admin'];
  const { code, err } = await smartproxy(workspace, args);
  assert.equal(code, 1);
  assert.match(err, new RegExp(`\\b${echo}\\b.*: node\\S* .*\\(pid ${process.pid}\\)`));
});

test('SIGHUP reads the file again, and what is wrong with it changes nothing', async (context) => {
  const workspace = Workspace.of(context, 'hangup');
  const echo = await startEcho(workspace);
  const file = workspace.write('proxy.json', config(echo));
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--no-admin']);
  const port = await proxy.portOf('echo');
  workspace.write('proxy.json', config(echo, { log: { level: 'debug', connections: false } }));
  proxy.signal('SIGHUP');
  await proxy.logs('reloaded');
  workspace.write('proxy.json', '{ "routes": [ { "nam": "x" } ] }');
  proxy.signal('SIGHUP');
  assert.match(String((await proxy.logs('reload-refused')).message), /proxy\.json: routes\[0\]/);
  assert.equal(await exchange(port, 'hello'), 'hello');
  assert.equal(
    proxy.lines.some(({ event }) => event === 'connection-closed'),
    false,
    'the first reload is in force',
  );
});

test('commands steer a running instance', async (context) => {
  const workspace = Workspace.of(context, 'steer');
  const file = workspace.write('proxy.json', config(await startEcho(workspace)));
  const admin = `unix:${workspace.path('run', 'admin.sock')}`;
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--admin', admin]);
  const held = await hold(workspace, await proxy.portOf('echo'));
  assert.equal((await proxy.logs('ready')).admin, admin);
  const command = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await smartproxy(workspace, args, { SMARTPROXY_ADMIN: admin });
    assert.equal(code, 0, err);
    return out;
  };

  const status = JSON.parse(await command('status', '--json'));
  assert.deepEqual([status.status, status.connections.active], ['ok', 1]);
  assert.match(await command('status'), /ready\nconnections +1 active, 1 opened/);

  const listed = JSON.parse(await command('connections', '--json')) as { connections: { id: string }[] };
  const id = listed.connections[0]?.id ?? '';
  assert.match(await command('connections'), new RegExp(`^${id} +echo +127\\.0\\.0\\.1:\\d+`, 'm'));
  assert.equal(JSON.parse(await command('connections', id)).state, 'established');
  assert.equal(JSON.parse(await command('explain', id, '--json')).route, 'echo');
  const unknown = await smartproxy(workspace, ['explain', `${id}0`, '--admin', admin]);
  assert.deepEqual([unknown.code, /nor a connection that lives/.test(unknown.err)], [2, true]);

  const ended = new Promise((resolve) => held.once('close', resolve));
  assert.equal(await command('terminate', id), `ended ${id}\n`);
  await ended;
  await proxy.logs('connection-closed');
  assert.match(await command('connections', '--ended'), new RegExp(`^${id} .*operator$`, 'm'));
  const again = await smartproxy(workspace, ['terminate', id, '--admin', admin]);
  assert.equal(again.code, 1);
  assert.match(again.err, /no connection with this id/);

  await command('reload');
  workspace.write('proxy.json', '{ "routes": 5 }');
  const refused = await smartproxy(workspace, ['reload', '--admin', admin]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /proxy\.json: routes/);

  assert.match(await command('drain'), /draining/);
  assert.equal(await proxy.program.exited(), 0);
  const gone = await smartproxy(workspace, ['status', '--admin', admin]);
  assert.equal(gone.code, 1);
  assert.match(gone.err, /cannot reach the admin API at unix:/);
});

test('a token is taken from the environment', async (context) => {
  const workspace = Workspace.of(context, 'token');
  const admin = { listen: '127.0.0.1:0', token: 'a-secret' };
  const file = workspace.write('proxy.json', config(await startEcho(workspace), { admin }));
  const proxy = new RunningProxy(workspace, ['run', '--config', file]);
  const place = String((await proxy.logs('ready')).admin);
  const without = await smartproxy(workspace, ['status', '--admin', place]);
  assert.equal(without.code, 1);
  assert.match(without.err, /SMARTPROXY_ADMIN_TOKEN/);
  const allowed = await smartproxy(workspace, ['status', '--admin', place], {
    SMARTPROXY_ADMIN_TOKEN: 'a-secret',
  });
  assert.equal(allowed.code, 0);
});

test('systemd is told through its own program', async (context) => {
  const workspace = Workspace.of(context, 'notify');
  const told = workspace.path('told');
  workspace.write('bin/systemd-notify', `#!/bin/sh\necho "$@" >> '${told}'\n`, 0o755);
  const env = { NOTIFY_SOCKET: '/run/systemd/notify', PATH: `${workspace.path('bin')}:${process.env.PATH}` };
  const file = workspace.write('proxy.json', config(await startEcho(workspace)));
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--no-admin'], env);
  const read = (): string => {
    try {
      return readFileSync(told, 'utf8');
    } catch {
      return '';
    }
  };
  await waitUntil('systemd to be told', () => read() === '--ready\n' || undefined);
  proxy.signal('SIGTERM');
  assert.equal(await proxy.program.exited(), 0);
  await waitUntil('systemd to be told', () => read() === '--ready\n--stopping\n' || undefined);
});

test('what the demo prints works when pasted', async (context) => {
  const workspace = Workspace.of(context, 'demo');
  const proxy = new RunningProxy(workspace, ['demo']);
  const { try: commands, pages } = (await proxy.logs('demo')) as unknown as Record<string, string[]>;
  const expected = [
    /This is one\.localhost/,
    /This is two\.localhost/,
    /CN ?= ?two\.localhost\n(?:.*\n)*Verification: OK/,
    /127\.0\.0\.1 asks for https:\/\/app\.localhost\nby HTTP\/2\n$/,
    /127\.0\.0\.1 asks for https:\/\/app\.localhost\n$/,
    /^hello\n/,
    /SmartProxy is ready/,
    /client-closed/,
    /takes the route two\.localhost/,
    /"opened":6/,
  ];
  assert.equal(commands?.length, expected.length);
  for (const [index, command] of commands?.entries() ?? []) {
    const output = await workspace.run('sh', ['-c', command]);
    assert.match(output, expected[index] as RegExp, command);
    assert.ok(proxy.program.output.includes(command), 'people can read it too');
  }
  const dashboard = await fetch(pages?.[0] ?? '');
  assert.match(await dashboard.text(), /<title>SmartProxy<\/title>/);
  proxy.signal('SIGINT');
  assert.equal(await proxy.program.exited(), 0);
});
