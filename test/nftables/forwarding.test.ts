import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { waitUntil } from '../support/workspace.ts';
import { Host } from './host.ts';
import { backends, clientAddress, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

/** Opens a connection, has it answered, and returns its id. */
async function converse(host: Host, address: string, port: number): Promise<number> {
  const [opened] = await host.do.open(address, port, 1);
  assert.ok(opened?.id, `${address} ${port}: ${opened?.error}`);
  await host.do.send(opened.id, 'x');
  assert.equal(await host.do.receives(opened.id, 1), 'x');
  return opened.id;
}

test('IPv4 and IPv6, ranges of ports, and ports that are kept', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const [one, two] = stage.backends;
  const port = await one.do.listen('::', 0, 'echo');
  await two.do.listen('::', 7011, 'echo');
  await two.do.listen('::', 7012, 'echo');
  const both = [
    { host: backends[0], port },
    { host: 'fd71:1::2', port },
  ];
  await stage.start([
    kernelRoute('both', 7001, both),
    kernelRoute(
      'range',
      0,
      { host: backends[1], port: 'preserve' as unknown as number },
      {
        match: { ports: [{ from: 7010, to: 7012 }, 7020] },
      },
    ),
    kernelRoute('six', 7002, { host: 'fd71:1::2', port }),
  ]);
  for (const address of [proxyAddress, 'fd71::1']) await converse(stage.client, address, 7001);
  await converse(stage.client, 'fd71::1', 7002);
  assert.equal(
    (await stage.client.do.open(proxyAddress, 7002, 1))[0]?.error,
    'ECONNREFUSED',
    'no IPv4 target',
  );
  for (const kept of [7011, 7012]) await converse(stage.client, proxyAddress, kept);
  assert.equal(
    (await stage.client.do.open(proxyAddress, 7010, 1))[0]?.error,
    'ECONNREFUSED',
    'by the target',
  );
  const records = await stage.live(5);
  assert.deepEqual(
    records.map(({ client, localPort, target }) => [client.ip, localPort, target?.host, target?.port]),
    [
      [clientAddress, 7001, backends[0], port],
      ['fd71::2', 7001, 'fd71:1::2', port],
      ['fd71::2', 7002, 'fd71:1::2', port],
      [clientAddress, 7011, backends[1], 7011],
      [clientAddress, 7012, backends[1], 7012],
    ],
  );
  const ready = (await stage.proxy.logs('ready')) as unknown as { listeners: object[] };
  assert.deepEqual(ready.listeners, [
    { address: '::', port: 7001, routes: ['both'], engine: 'nftables' },
    { address: '::', port: 7002, routes: ['six'], engine: 'nftables' },
    { address: '::', port: 7010, toPort: 7012, routes: ['range'], engine: 'nftables' },
    { address: '::', port: 7020, routes: ['range'], engine: 'nftables' },
  ]);
});

test('several targets get their shares in turn, or each client its own', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const ports = await Promise.all(
    stage.backends.map((host, i) => host.do.listen(backends[i] as string, 0, 'echo')),
  );
  const targets = [
    { host: backends[0], port: ports[0] as number, weight: 2 },
    { host: backends[1], port: ports[1] as number, weight: 4 },
  ];
  const balance = { nftables: { balance: 'client-address' } };
  await stage.start([
    kernelRoute('turns', 7001, targets),
    kernelRoute('sticks', 7002, targets, { action: balance }),
  ]);
  await stage.client.do.open(proxyAddress, 7001, 30);
  const shares = Map.groupBy(await stage.live(30), ({ target }) => target?.host);
  assert.deepEqual([shares.get(backends[0])?.length, shares.get(backends[1])?.length], [10, 20]);
  for (let i = 10; i < 40; i++) {
    stage.namespaces.run(
      stage.namespaces.client,
      programPath('ip'),
      'address',
      'add',
      `10.71.0.${i}/24`,
      'dev',
      'net0',
    );
    await stage.client.do.open(proxyAddress, 7002, 2, `10.71.0.${i}`);
  }
  const sticking = (await stage.live(90)).filter(({ route }) => route === 'sticks');
  for (const records of Map.groupBy(sticking, ({ client }) => client.ip).values())
    assert.equal(new Set(records.map(({ target }) => target?.host)).size, 1);
  assert.equal(new Set(sticking.map(({ target }) => target?.host)).size, 2);
});

test('targets see this machine, or with `keep` the client; a neighbour of the target still gets answers', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const [one] = stage.backends;
  const port = await one.do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port };
  await stage.start([
    kernelRoute('hides', 7001, target),
    kernelRoute('keeps', 7002, target, { action: { nftables: { source: 'keep' } } }),
  ]);
  const seenFrom = async () => (await one.do.accepted()).map(({ address }) => address);
  await converse(stage.client, proxyAddress, 7001);
  assert.deepEqual(await seenFrom(), ['10.71.1.1']);
  await converse(stage.client, proxyAddress, 7002);
  assert.deepEqual(await seenFrom(), ['10.71.1.1', clientAddress]);
  // The target's own machine is a client, by the proxy's address: it would answer itself past the proxy.
  await converse(one, '10.71.1.1', 7002);
  assert.deepEqual(await seenFrom(), ['10.71.1.1', clientAddress, '10.71.1.1']);
  assert.equal(
    (await stage.live(3)).at(-1)?.client.ip,
    backends[0],
    'the record has the client all the same',
  );
});

test('programs of the proxy host are clients too, and may be targets', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const here = new Host(stage.workspace, stage.namespaces, stage.namespaces.proxy);
  const remote = await stage.backends[0].do.listen('::', 0, 'echo');
  const local = await here.do.listen('::', 0, 'echo');
  await stage.start([
    kernelRoute('remote', 7001, [
      { host: backends[0], port: remote },
      { host: 'fd71:1::2', port: remote },
    ]),
    kernelRoute('loopback', 7002, [
      { host: '127.0.0.1', port: local },
      { host: '::1', port: local },
    ]),
    kernelRoute('own-address', 7003, { host: proxyAddress, port: local }),
  ]);
  await converse(here, proxyAddress, 7001);
  await converse(here, 'fd71::1', 7001);
  for (const address of ['127.0.0.1', '::1', proxyAddress]) await converse(here, address, 7002);
  await converse(stage.client, proxyAddress, 7003);
  await stage.live(6);
  // What cannot be is refused at once, not left to wait: nothing of 127.0.0.1 leaves a machine, or enters it.
  for (const address of ['127.0.0.1', '::1'])
    assert.equal((await here.do.open(address, 7001, 1))[0]?.error, 'ECONNREFUSED');
  for (const address of [proxyAddress, 'fd71::1'])
    assert.equal((await stage.client.do.open(address, 7002, 1))[0]?.error, 'ECONNREFUSED');
  await waitUntil(
    'the refusals',
    async () => (await stage.statistics()).refusals['connect-unreachable'] === 4 || undefined,
  );
  const warnings = stage.proxy.lines.filter(({ event }) => event === 'loopback-target');
  assert.deepEqual(
    warnings.map(({ route }) => route),
    ['loopback'],
  );
});

test('a flow that is silent for inactivityMs expires', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const port = await stage.backends[0].do.listen('::', 0, 'echo');
  const targets = [
    { host: backends[0], port },
    { host: 'fd71:1::2', port },
  ];
  await stage.start([kernelRoute('impatient', 7001, targets, { timeouts: { inactivityMs: 1000 } })]);
  for (const address of [proxyAddress, 'fd71::1']) await converse(stage.client, address, 7001);
  await stage.live(2);
  for (const { termination, exact } of await stage.endings(2)) {
    assert.equal(termination?.reason, 'kernel-expired');
    assert.equal(exact, true);
  }
  await stage.nothingLeft();
});

test('nginx and curl: a download through the kernel, byte for byte', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined || !hasPrograms(context, 'nginx', 'curl')) return;
  const { workspace, namespaces } = stage;
  const content = workspace.write('www/file', 'a line of text\n'.repeat(200_000));
  const configuration = workspace.write(
    'nginx.conf',
    `daemon off; user root; pid ${workspace.path('nginx.pid')}; error_log ${workspace.path('error.log')};
     events {} http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
       .map((name) => `${name}_temp_path ${workspace.path(name)};`)
       .join(' ')} server { listen ${backends[1]}:8000; root ${workspace.path('www')}; } }`,
  );
  const [ip, ...on] = namespaces.on(namespaces.backends[1]);
  workspace.start(ip, [...on, programPath('nginx'), '-p', workspace.folder, '-c', configuration]);
  await stage.start([kernelRoute('web', 7001, { host: backends[1], port: 8000 })]);
  const get = (...args: string[]) =>
    namespaces.try(namespaces.client, programPath('curl'), '-sSf', '-o', workspace.path('got'), ...args);
  const url = `http://${proxyAddress}:7001/file`;
  await waitUntil('nginx', () => get(url).status === 0 || undefined);
  namespaces.run(namespaces.client, 'cmp', content, workspace.path('got'));
  await waitUntil('the record', async () => {
    const { terminations } = (await stage.admin.get('/api/v1/terminations')) as {
      terminations: { bytes: { toClient: number }; termination: { reason: string } }[];
    };
    const [{ bytes, termination } = { bytes: { toClient: 0 }, termination: { reason: '' } }] = terminations;
    return (termination.reason === 'kernel-closed' && bytes.toClient > 3_000_000) || undefined;
  });
});
