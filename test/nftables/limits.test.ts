import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programPath } from '../support/debian.ts';
import { waitUntil } from '../support/workspace.ts';
import type { Opened } from './host.ts';
import { backends, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

function admitted(list: readonly Opened[]): number[] {
  return list.flatMap(({ id }) => (id === null ? [] : [id]));
}

async function refusals(stage: KernelStage, expected: Record<string, number>): Promise<void> {
  await waitUntil(`the refusals ${JSON.stringify(expected)}`, async () => {
    const found = (await stage.statistics()).refusals as Record<string, number>;
    return Object.entries(expected).every(([reason, count]) => found[reason] === count) || undefined;
  });
  assert.deepEqual((await stage.statistics()).refusals, expected);
}

// S1
test('of more connections of one address than it may have exactly that many are let in, and a slot is free on close', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port: echo };
  await stage.start([
    kernelRoute('route-limit', 7001, target, { limits: { maxConnectionsPerIp: 5 } }),
    kernelRoute('open', 7002, target),
  ]);
  stage.namespaces.run(
    stage.namespaces.client,
    programPath('ip'),
    'address',
    'add',
    '10.71.0.3/24',
    'dev',
    'net0',
  );
  const opened = await stage.client.do.open(proxyAddress, 7001, 12);
  const ids = admitted(opened);
  assert.equal(ids.length, 5);
  assert.deepEqual([...new Set(opened.map(({ error }) => error))].sort(), ['ECONNREFUSED', null].sort());
  await stage.live(5);
  // Another address has its own, and another route too.
  assert.equal(admitted(await stage.client.do.open(proxyAddress, 7001, 2, '10.71.0.3')).length, 2);
  assert.equal(admitted(await stage.client.do.open(proxyAddress, 7002, 3)).length, 3);
  await stage.live(10);
  await refusals(stage, { 'connection-limit': 7 });
  for (const id of ids.slice(0, 2)) await stage.client.do.end(id);
  await stage.live(8);
  const again = await stage.client.do.open(proxyAddress, 7001, 4);
  assert.equal(admitted(again).length, 2, 'two slots were free');
  await refusals(stage, { 'connection-limit': 9 });
  const lines = stage.proxy.lines.filter(({ event }) => event === 'connections-refused');
  assert.ok(
    lines.length <= 3 && lines.every(({ route }) => route === 'route-limit'),
    'in few lines, with the route',
  );
});

// S4
test('a route that is full refuses, and so does the whole; others do not', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port: echo };
  await stage.start(
    [
      kernelRoute('small', 7001, target, { limits: { maxConnections: 3 } }),
      kernelRoute('open', 7002, target),
    ],
    { limits: { maxConnections: 8 } },
  );
  assert.equal(admitted(await stage.client.do.open(proxyAddress, 7001, 6)).length, 3);
  assert.equal(admitted(await stage.client.do.open(proxyAddress, 7002, 9)).length, 5);
  await refusals(stage, { 'connection-limit': 7 });
});

// S3
test('beyond its rate an address is refused', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: backends[0], port: echo };
  await stage.start([kernelRoute('rated', 7001, target, { limits: { connectionsPerMinutePerIp: 10 } })]);
  const ids = admitted(await stage.client.do.open(proxyAddress, 7001, 10));
  assert.equal(ids.length, 10, 'all of a minute may come at once');
  for (const id of ids) await stage.client.do.end(id);
  assert.equal(admitted(await stage.client.do.open(proxyAddress, 7001, 20)).length, 0);
  await refusals(stage, { 'rate-limit': 20 });
});

// P6
test('lists written for ::ffff:a.b.c.d are those of a.b.c.d, and count with it', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  const target = { host: `::ffff:${backends[0]}`, port: echo };
  await stage.start([
    kernelRoute('blocks', 7001, target, { security: { block: ['::ffff:10.71.0.2'] } }),
    kernelRoute('allows', 7002, target, { security: { allow: ['::ffff:10.71.0.0/120'] } }),
    kernelRoute('matches', 7003, target, {
      match: { clientIp: ['::ffff:10.71.0.2'], address: `::ffff:${proxyAddress}` },
    }),
    kernelRoute('limits', 7004, target, { limits: { maxConnectionsPerIp: 1 } }),
  ]);
  const open = (port: number, local?: string) => stage.client.do.open(proxyAddress, port, 1, local);
  assert.equal((await open(7001))[0]?.error, 'ECONNREFUSED');
  assert.equal((await open(7002))[0]?.error, null);
  assert.equal((await open(7003))[0]?.error, null);
  // However the client's program writes the two addresses.
  const mapped = await stage.client.do.open(`::ffff:${proxyAddress}`, 7004, 1);
  assert.equal(mapped[0]?.error, null);
  assert.equal((await open(7004))[0]?.error, 'ECONNREFUSED');
  const records = await stage.live(3);
  for (const { client, target: to } of records)
    assert.deepEqual([client.ip, to?.host], ['10.71.0.2', backends[0]]);
  await refusals(stage, { blocked: 1, 'connection-limit': 1 });
});
