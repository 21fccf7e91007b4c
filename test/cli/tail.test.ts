import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { bin, RunningProxy, smartproxy, startEcho } from '../support/command-line.ts';
import { Workspace } from '../support/workspace.ts';

async function visit(port: number, text = 'hello'): Promise<void> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  socket.resume().end(text);
  await once(socket, 'close');
}

async function start(context: TestContext) {
  const workspace = Workspace.of(context, 'tail');
  const echo = await startEcho(workspace);
  const route = (name: string, action: object): object => ({
    name,
    match: { ports: 0, address: '127.0.0.1' },
    action,
  });
  const forward = { type: 'forward', target: { host: '127.0.0.1', port: echo } };
  const routes = [route('web', forward), route('nobody', { type: 'block' })];
  const file = workspace.write('proxy.json', JSON.stringify({ routes, log: { connections: false } }));
  const admin = `unix:${workspace.path('run', 'admin.sock')}`;
  const proxy = new RunningProxy(workspace, ['run', '--config', file, '--admin', admin]);
  const ports = { web: await proxy.portOf('web'), nobody: await proxy.portOf('nobody') };
  const tail = (...args: string[]) =>
    workspace.start(process.execPath, [bin, 'tail', ...args], {
      env: { ...process.env, SMARTPROXY_ADMIN: admin },
    });
  return { workspace, proxy, ports, tail, admin };
}

test('tail prints the newest endings, and then each as it happens', async (t) => {
  const { ports, tail } = await start(t);
  for (let index = 0; index < 3; index++) await visit(ports.web, 'x'.repeat(index + 1));
  const following = tail('--lines', '2');
  await following.says(/in 3 out 3/);
  await visit(ports.nobody);
  await following.says(/blocked/);
  await visit(ports.web, 'later');
  await following.says(/in 5 out 5/);
  const lines = following.output.trim().split('\n');
  assert.equal(lines.length, 4);
  assert.match(
    lines[0] ?? '',
    /^\d\d:\d\d:\d\d\.\d{3} client-closed +client, half-closed +web +127\.0\.0\.1:\d+ → 127\.0\.0\.1:\d+ {2}in 2 out 2 {2}[\d.]+ ms {2}\w+-\w+$/,
  );
  assert.match(lines[2] ?? '', /^\S+ blocked +proxy, routing +nobody +127\.0\.0\.1:\d+ {2}in \d out 0 /);
});

test('a word that nothing can be is refused, rather than waited for', async (t) => {
  const { workspace, admin } = await start(t);
  for (const args of [
    ['tail', '--reason', 'refused'],
    ['tail', '--initiator', 'me'],
    ['tail', '--phase', 'half-close'],
    ['connections', '--state', 'open'],
  ]) {
    const { code, err } = await smartproxy(workspace, args, { SMARTPROXY_ADMIN: admin });
    assert.equal(code, 2, args.join(' '));
    assert.match(err, args[1] === '--phase' ? /write one of accepted, .*half-closed/ : / one of /);
  }
});

test('tail prints only what is asked for, as JSON where programs read', async (t) => {
  const { ports, tail } = await start(t);
  const blocked = tail('--reason', 'blocked,no-route', '--json');
  const nobody = tail('--client', '10.0.0.0/8', '--initiator', 'proxy');
  const web = tail('--route', 'web', '--phase', 'half-closed');
  await visit(ports.web);
  await visit(ports.nobody);
  await blocked.says(/\n/);
  await visit(ports.web);
  await web.says(/(.*\n){2}/);
  const [record, ...others] = blocked.output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual([record.termination.reason, record.route, others], ['blocked', 'nobody', []]);
  assert.doesNotMatch(web.output, /blocked/);
  assert.equal(nobody.output, '');
});

test('tail says when more has ended than is kept, and goes on after a restart', async (t) => {
  const { workspace, proxy, ports, tail, admin } = await start(t);
  await visit(ports.web, 'first');
  const following = tail();
  await following.says(/in 5 out 5/);
  process.kill(following.pid, 'SIGSTOP');
  for (let index = 0; index < 1_010; index += 10) {
    await Promise.all(Array.from({ length: 10 }, () => visit(ports.nobody)));
  }
  process.kill(following.pid, 'SIGCONT');
  await following.says(/\((\d+) more have ended in between\)/);
  proxy.signal('SIGTERM');
  await following.exited();
  assert.match(following.output, /cannot reach the admin API/);
  const { code, err } = await smartproxy(workspace, ['tail', '--admin', admin]);
  assert.equal(code, 1);
  assert.match(err, /cannot reach/);
});

test('filters that could never match are refused', async (t) => {
  const workspace = Workspace.of(t, 'tail');
  const expected: [string[], RegExp][] = [
    [['--reason', 'client-closd'], /--reason client-closd: write one of client-closed, /],
    [['--initiator', 'me'], /--initiator me: write one of client, target, /],
    [['--client', 'nobody'], /--client nobody: write an address or a CIDR/],
    [['--lines', 'all'], /--lines all: write a number/],
  ];
  for (const [args, message] of expected) {
    const { code, err } = await smartproxy(workspace, ['tail', ...args]);
    assert.deepEqual([code, message.test(err)], [2, true], err);
  }
});
