import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { bin } from '../support/command-line.ts';
import { programPath } from '../support/debian.ts';
import { waitUntil } from '../support/workspace.ts';
import { backends, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

function nft(stage: KernelStage, ...args: string[]): string {
  return stage.namespaces.run(stage.namespaces.proxy, programPath('nft'), ...args);
}

/** Opens a connection and has it answered; returns its id. */
async function converse(stage: KernelStage, port: number, text = 'hello'): Promise<number> {
  const [opened] = await stage.client.do.open(proxyAddress, port, 1);
  assert.ok(opened?.id, opened?.error ?? '');
  await stage.client.do.send(opened.id, text);
  assert.equal(await stage.client.do.receives(opened.id, text.length), text);
  return opened.id;
}

// N1
test('a process that was killed finds its table and its flows again, and touches no other table', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  nft(stage, 'table inet somebodys { comment "not ours"; chain x { }; }');
  nft(stage, 'table ip smartproxy_main { chain y { }; }');
  const others = stage.namespaces.tables().map((table) => nft(stage, 'list', ...table.split(' ')));
  const routes = [kernelRoute('echo', 7001, { host: backends[0], port: echo })];
  await stage.start(routes);
  const id = await converse(stage, 7001);
  await stage.live(1);
  const before = nft(stage, '-t', 'list', 'table', 'inet', 'smartproxy_main');
  stage.proxy.signal('SIGKILL');
  await stage.proxy.program.exited();
  await waitUntil(
    'its processes to end',
    () => stage.namespaces.processes(stage.namespaces.proxy).length === 0 || undefined,
  );
  assert.match(nft(stage, 'list', 'tables'), /inet smartproxy_main/);

  // What the kernel has goes on meanwhile, and new connections too.
  await stage.client.do.send(id, ' and');
  assert.equal(await stage.client.do.receives(id, 9), 'hello and');
  const meanwhile = await converse(stage, 7001, 'meanwhile');

  await stage.start(routes);
  const after = nft(stage, '-t', 'list', 'table', 'inet', 'smartproxy_main');
  // The elements of a map come in any order.
  const words = (text: string) =>
    text
      .replace(/process \d+ since \d+/, '')
      .split(/[\s,]+/)
      .sort();
  assert.notEqual(before, after, 'its comment names the new process');
  assert.deepEqual(words(before), words(after));
  const adopted = await stage.live(2);
  assert.deepEqual(
    adopted.map(({ route }) => route),
    ['echo', 'echo'],
  );
  await stage.client.do.send(id, ' on');
  assert.equal(await stage.client.do.receives(id, 12), 'hello and on');
  await stage.client.do.end(id);
  await stage.client.do.end(meanwhile);
  const [ended] = await stage.endings(2);
  assert.equal(ended?.termination?.reason, 'kernel-closed');
  await stage.nothingLeft();
  assert.deepEqual((await stage.statistics()).connections, {
    active: 0,
    opened: 2,
    terminated: 2,
    refused: 0,
  });
  stage.proxy.signal('SIGTERM');
  assert.equal(await stage.proxy.program.exited(), 0);
  assert.deepEqual(
    stage.namespaces.tables().map((table) => nft(stage, 'list', ...table.split(' '))),
    others,
  );
});

test('a second process does not take the table of the first, and has one of its own by another name', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  await stage.start([kernelRoute('one', 7001, { host: backends[0], port: 1 })]);
  const { namespaces, workspace } = stage;
  const run = (instance: string) => {
    const file = workspace.write(
      `${instance}.json`,
      JSON.stringify({
        admin: false,
        nftables: { instance },
        routes: [kernelRoute('two', 7002, { host: backends[0], port: 1 })],
      }),
    );
    return [process.execPath, bin, 'run', '--config', file];
  };
  const [command = '', ...args] = run('main');
  const { status, stderr } = namespaces.try(namespaces.proxy, command, ...args);
  assert.equal(status, 2);
  assert.match(
    stderr,
    /process \d+ has the table inet smartproxy_main: write an nftables\.instance of its own/,
  );
  const other = workspace.start(namespaces.on(namespaces.proxy)[0], [
    ...namespaces.on(namespaces.proxy).slice(1),
    ...run('other'),
  ]);
  await other.says(/"event":"ready"/);
  assert.deepEqual(namespaces.tables().sort(), ['table inet smartproxy_main', 'table inet smartproxy_other']);
  await other.stop();
  assert.deepEqual(namespaces.tables(), ['table inet smartproxy_main']);
  nft(stage, 'table inet smartproxy_other { chain x { }; }');
  const [, ...again] = run('other');
  const foreign = namespaces.try(namespaces.proxy, command, ...again);
  assert.equal(foreign.status, 2);
  assert.match(foreign.stderr, /a table inet smartproxy_other that SmartProxy did not make/);
});

// N2
test('rules that the kernel does not take change nothing, and the error names the route', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const [one, two] = [
    await stage.backends[0].do.listen(backends[0], 0, 'echo'),
    await stage.backends[1].do.listen(backends[1], 0, 'echo'),
  ];
  const before = [kernelRoute('echo', 7001, { host: backends[0], port: one })];
  await stage.start(before);
  // Somebody put an element of his own into the table: a new one in its place is not taken.
  nft(stage, 'add element inet smartproxy_main anywhere_ip4 { 7002-7010 . 0.0.0.0/0 : 0x1 }');
  const rules = nft(stage, 'list', 'table', 'inet', 'smartproxy_main');
  const after = [
    kernelRoute('echo', 7001, { host: backends[1], port: two }),
    kernelRoute('in-the-way', 7003, { host: backends[1], port: two }),
    kernelRoute('other', 7020, { host: backends[1], port: two }),
    kernelRoute('node', 7021, { host: backends[1], port: two }, { action: { engine: 'node' } }),
  ];
  await assert.rejects(stage.reload(after), /the kernel does not take the rules for route 'in-the-way'/);
  assert.equal(nft(stage, 'list', 'table', 'inet', 'smartproxy_main'), rules);
  const id = await converse(stage, 7001);
  const [record] = await stage.live(1);
  assert.deepEqual(record?.target, { host: backends[0], port: one }, 'the old rules stand');
  for (const port of [7020, 7021])
    assert.equal((await stage.client.do.open(proxyAddress, port, 1))[0]?.error, 'ECONNREFUSED');
  nft(stage, 'delete element inet smartproxy_main anywhere_ip4 { 7002-7010 . 0.0.0.0/0 : 0x1 }');
  await stage.reload(after);
  await converse(stage, 7020);
  await converse(stage, 7003);
  await converse(stage, 7001);
  const records = await stage.live(4);
  assert.deepEqual(records.map(({ route, target }) => [route, target?.host]).sort(), [
    ['echo', backends[0]],
    ['echo', backends[1]],
    ['in-the-way', backends[1]],
    ['other', backends[1]],
  ]);
  await stage.client.do.end(id);
});

test('what the kernel refuses as it is loaded changes nothing either', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port: echo };
  await stage.start([kernelRoute('echo', 7001, target)]);
  nft(stage, 'add element inet smartproxy_main anywhere_ip4 { 7002-7010 . 0.0.0.0/0 : 0x1 }');
  // Elements alone change, and nothing has to be bound: these are loaded without a question before.
  const mortal = kernelRoute('echo', 7001, target, { timeouts: { maxLifetimeMs: 1 } });
  const after = [mortal, kernelRoute('in-the-way', 7003, target)];
  await assert.rejects(stage.reload(after), /the kernel does not take the rules for route 'in-the-way'/);
  const id = await converse(stage, 7001);
  for (let i = 1; i <= 20; i++) {
    await stage.client.do.send(id, '.');
    await stage.client.do.receives(id, 5 + i);
  }
  assert.equal((await stage.live(1))[0]?.route, 'echo');
  // Whatever is in the way is gone with the table that it is in.
  await stage.reload(after);
  await converse(stage, 7003);
  await converse(stage, 7001);
  const [ended] = await stage.endings(1);
  assert.deepEqual([ended?.route, ended?.termination?.reason], ['echo', 'max-lifetime']);
});

// N4
test('a removed route takes no new connection, and its flows drain, or are cut, as configured', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port: echo };
  const stays = kernelRoute('stays', 7001, target);
  await stage.start([
    stays,
    kernelRoute('drains', 7002, target, { timeouts: { shutdownGraceMs: 60_000 } }),
    kernelRoute('is-cut', 7003, target, { timeouts: { shutdownGraceMs: 0 } }),
  ]);
  const [one, two, three] = [
    await converse(stage, 7001),
    await converse(stage, 7002),
    await converse(stage, 7003),
  ];
  await stage.live(3);
  await stage.reload([stays]);
  for (const port of [7002, 7003])
    assert.equal((await stage.client.do.open(proxyAddress, port, 1))[0]?.error, 'ECONNREFUSED');
  const [cut] = await stage.endings(1);
  assert.equal(cut?.route, 'is-cut');
  assert.equal(cut?.termination?.reason, 'route-removed');
  assert.equal(cut?.termination?.initiator, 'proxy');
  await stage.client.do.send(three, 'anybody?');
  assert.equal((await stage.client.do.ended(three)).how, 'ECONNRESET');
  for (const id of [one, two]) {
    await stage.client.do.send(id, ' again');
    assert.equal(await stage.client.do.receives(id, 11), 'hello again');
  }
  await stage.client.do.end(two);
  const [, drained] = await stage.endings(2);
  assert.equal(drained?.route, 'drains');
  assert.equal(drained?.termination?.reason, 'kernel-closed');
  await stage.client.do.end(one);
  await stage.nothingLeft();
  await stage.stop();
});

test('an operator ends one flow, and the others go on', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([kernelRoute('echo', 7001, { host: backends[0], port: echo })]);
  const [one, two] = [await converse(stage, 7001), await converse(stage, 7001)];
  const [first] = await stage.live(2);
  await stage.admin.delete(`/api/v1/connections/${first?.id}`);
  const [ended] = await stage.endings(1);
  assert.equal(ended?.termination?.reason, 'operator');
  assert.ok((ended?.bytes.fromClient ?? 0) > 0, 'the kernel said what had crossed');
  assert.equal(ended?.exact, true);
  await stage.client.do.send(one, 'x');
  assert.equal((await stage.client.do.ended(one)).how, 'ECONNRESET');
  await stage.client.do.send(two, 'x');
  assert.equal(await stage.client.do.receives(two, 6), 'hellox');
  await stage.client.do.end(two);
  await stage.nothingLeft();
});

// N5
test('without a program, a privilege or a setting the start is refused, and says what to do', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const { namespaces } = stage;
  const file = stage.configure([kernelRoute('web', 7001, { host: backends[0], port: 1 })]);
  const starting = (...before: string[]) => {
    const [command = '', ...args] = [...before, process.execPath, bin, 'run', '--config', file];
    const { status, stdout, stderr } = namespaces.try(namespaces.proxy, command, ...args);
    assert.doesNotMatch(stdout, /"ready"/);
    assert.deepEqual(namespaces.tables(), []);
    return { status, stderr };
  };
  const unprivileged = starting('setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin');
  assert.equal(unprivileged.status, 2);
  assert.match(
    unprivileged.stderr,
    /needs root or CAP_NET_ADMIN.*AmbientCapabilities=CAP_NET_ADMIN.*--cap-add NET_ADMIN/,
  );

  const withoutPrograms = starting(
    'unshare',
    '--mount',
    'sh',
    '-c',
    'mount -t tmpfs none /usr/sbin && exec "$@"',
    'sh',
  );
  assert.equal(withoutPrograms.status, 2);
  assert.match(
    withoutPrograms.stderr,
    /needs the program nft: install the package nftables \(apt install nftables\)/,
  );

  stage.namespaces.setSysctl('net.ipv4.ip_forward', '0');
  const off = starting();
  assert.equal(off.status, 2);
  assert.match(
    off.stderr,
    /the kernel does not forward: route 'web' has a target on another machine \(run: sysctl -w net\.ipv4\.ip_forward=1; or write nftables: \{ manageSysctls: true \}\)/,
  );
});

test('with manageSysctls forwarding is switched on, and that is said', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  stage.namespaces.setSysctl('net.ipv4.ip_forward', '0');
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([kernelRoute('echo', 7001, { host: backends[0], port: echo })], {
    nftables: { manageSysctls: true },
  });
  const set = stage.proxy.lines.filter(({ event }) => event === 'sysctl-set').map(({ name }) => name);
  assert.deepEqual(set, [
    'net.ipv4.ip_forward',
    'net.netfilter.nf_conntrack_acct',
    'net.netfilter.nf_conntrack_timestamp',
  ]);
  await stage.client.do.end(await converse(stage, 7001));
  await stage.endings(1);
});

test('with keepOnExit flows survive the process, and the next one has them in its table', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const routes = [kernelRoute('echo', 7001, { host: backends[0], port: echo })];
  await stage.start(routes, { nftables: { keepOnExit: true } });
  const id = await converse(stage, 7001);
  await stage.live(1);
  stage.proxy.signal('SIGTERM');
  assert.equal(await stage.proxy.program.exited(), 0);
  const closed = stage.proxy.lines.filter(({ event }) => event === 'connection-closed');
  assert.equal(closed.length, 1);
  assert.equal((closed[0] as { termination?: { reason: string } }).termination?.reason, 'shutdown');
  await stage.client.do.send(id, ', still');
  assert.equal(await stage.client.do.receives(id, 12), 'hello, still');
  await stage.start(routes);
  await stage.live(1);
  await stage.client.do.end(id);
  await stage.nothingLeft();
  await stage.stop();
});

test('flows get the grace of a stop, and are cut after it', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([kernelRoute('echo', 7001, { host: backends[0], port: echo })], {
    timeouts: { shutdownGraceMs: 60_000 },
  });
  const id = await converse(stage, 7001);
  const [before] = await stage.live(1);
  stage.proxy.signal('SIGTERM');
  await waitUntil('new connections to be refused', async () => {
    const [opened] = await stage.client.do.open(proxyAddress, 7001, 1);
    return opened?.error === 'ECONNREFUSED' || undefined;
  });
  await stage.client.do.send(id, '!');
  assert.equal(await stage.client.do.receives(id, 6), 'hello!');
  stage.proxy.signal('SIGTERM');
  assert.equal(await stage.proxy.program.exited(), 0);
  const closed = stage.proxy.lines.find(
    (line) => line.event === 'connection-closed' && line.id === before?.id,
  );
  assert.equal((closed as unknown as { termination: { reason: string } }).termination.reason, 'shutdown');
  assert.deepEqual(stage.namespaces.tables(), []);
  await stage.client.do.send(id, '?');
  assert.equal((await stage.client.do.ended(id)).how, 'ECONNRESET');
});

test('a table that another program removed is there again', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([kernelRoute('echo', 7001, { host: backends[0], port: echo })]);
  nft(stage, 'flush', 'ruleset');
  await stage.proxy.logs('nftables-table-lost');
  await waitUntil('the table', () => stage.namespaces.tables().length === 1 || undefined);
  await stage.client.do.end(await converse(stage, 7001));
  // A reload does not need the old one either.
  nft(stage, 'flush', 'ruleset');
  await stage.reload([kernelRoute('echo', 7005, { host: backends[0], port: echo })]);
  await stage.client.do.end(await converse(stage, 7005));
  await stage.endings(2);
});

test('a table that is loaded again does not undo a reload meanwhile', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const [one, two] = [
    await stage.backends[0].do.listen(backends[0], 0, 'echo'),
    await stage.backends[1].do.listen(backends[1], 0, 'echo'),
  ];
  const hold = stage.workspace.path('hold');
  // The real nft, which begins a little later for whoever finds a file to take.
  stage.workspace.write(
    'bin/nft',
    `#!/bin/sh\nif [ "$1" = -f ] && mv ${hold} ${hold}.taken 2>/dev/null; then\n` +
      `  while [ -e ${hold}.taken ]; do sleep 0.01; done\nfi\nexec ${programPath('nft')} "$@"\n`,
    0o755,
  );
  const env = { PATH: `${stage.workspace.path('bin')}:${process.env.PATH}` };
  await stage.start([kernelRoute('echo', 7001, { host: backends[0], port: one })], {}, env);
  stage.workspace.write('hold', '');
  nft(stage, 'flush', 'ruleset');
  await waitUntil('the table to be loaded again', () => existsSync(`${hold}.taken`) || undefined);
  let isOver = false;
  const reload = stage.reload([kernelRoute('echo', 7001, { host: backends[1], port: two })]).finally(() => {
    isOver = true;
  });
  for (let asked = 0; asked < 50 && !isOver; asked++) await stage.statistics();
  rmSync(`${hold}.taken`);
  await reload;
  await waitUntil('the table', () => stage.namespaces.tables().length === 1 || undefined);
  const id = await converse(stage, 7001);
  assert.equal((await stage.live(1))[0]?.target?.host, backends[1]);
  await stage.client.do.end(id);
});

test('a route that moves between the engines keeps its connections where they are, each counted once', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port: echo };
  const kernel = kernelRoute('moves', 7001, target);
  const node = kernelRoute('moves', 7001, target, { action: { engine: 'node' } });
  const ids: number[] = [];
  await stage.start([node]);
  ids.push(await converse(stage, 7001));
  await stage.reload([kernel]);
  ids.push(await converse(stage, 7001));
  await stage.live(2);
  await stage.reload([node]);
  ids.push(await converse(stage, 7001));
  const engines = (await stage.live(3)).map(({ engine }) => engine);
  assert.deepEqual(engines.sort(), ['nftables', 'node', 'node']);
  for (const id of ids) {
    await stage.client.do.send(id, ' still here');
    assert.equal(await stage.client.do.receives(id, 16), 'hello still here');
  }
  assert.equal((await stage.live(3)).length, 3);
  for (const id of ids) await stage.client.do.end(id);
  await stage.nothingLeft();
  const { connections, terminations } = await stage.statistics();
  assert.deepEqual(connections, { active: 0, opened: 3, terminated: 3, refused: 0 });
  assert.deepEqual(terminations, { 'client-closed': 2, 'kernel-closed': 1 });
  await stage.stop();
});
