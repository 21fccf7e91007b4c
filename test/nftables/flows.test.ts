import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backends, clientAddress, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

// N3
test('flows that end by FIN, by RST, and unanswered are in the table, each with its ending and its bytes', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const [first] = stage.backends;
  const echo = await first.do.listen(backends[0], 0, 'echo');
  const answer = await first.do.listen(backends[0], 0, 'answer');
  const reset = await first.do.listen(backends[0], 0, 'reset');
  await stage.start([
    kernelRoute('echo', 7001, { host: backends[0], port: echo }),
    kernelRoute('answer', 7002, { host: backends[0], port: answer }),
    kernelRoute('reset', 7003, { host: backends[0], port: reset }),
    kernelRoute('nobody', 7004, { host: backends[0], port: 9 }),
  ]);
  const open = async (port: number) => {
    const [opened] = await stage.client.do.open(proxyAddress, port, 1);
    assert.ok(opened?.id, `opened ${port}: ${opened?.error}`);
    return { id: opened.id, port: opened.port };
  };

  // The client closes first.
  const one = await open(7001);
  await stage.client.do.send(one.id, 'hello');
  assert.equal(await stage.client.do.receives(one.id, 5), 'hello');
  const [live] = await stage.live(1);
  assert.equal(live?.engine, 'nftables');
  assert.equal(live?.route, 'echo');
  assert.deepEqual(live?.client, { ip: clientAddress, port: one.port });
  assert.deepEqual(live?.target, { host: backends[0], port: echo });
  assert.equal(live?.localPort, 7001);
  assert.deepEqual(await stage.client.do.end(one.id), { how: 'fin', received: 'hello' });
  const [closed] = await stage.endings(1);
  assert.equal(closed?.id, live?.id);
  assert.equal(closed?.termination?.reason, 'kernel-closed');
  assert.equal(closed?.termination?.initiator, 'kernel');
  assert.equal(closed?.termination?.phase, 'established');
  assert.equal(closed?.exact, true);
  assert.deepEqual([closed?.clientEnded, closed?.targetEnded], [true, true]);
  const whatOf = (record: typeof closed) => record?.events.map(({ what }) => what);
  assert.deepEqual(whatOf(closed), [
    'accepted',
    'routed',
    'established',
    'client-ended',
    'target-ended',
    'ending',
  ]);
  // SYN, ACK, data, FIN, ACK at least, with 20 bytes of IP and 20 of TCP at least.
  assert.ok((closed?.packets?.fromClient ?? 0) >= 4 && (closed?.packets?.toClient ?? 0) >= 3);
  assert.ok((closed?.bytes.fromClient ?? 0) >= 4 * 40 + 5);

  // The target closes first.
  const two = await open(7002);
  await stage.client.do.send(two.id, 'x');
  assert.deepEqual(await stage.client.do.ended(two.id), { how: 'fin', received: 'answer' });
  await stage.client.do.end(two.id);
  const [, answered] = await stage.endings(2);
  assert.equal(answered?.termination?.reason, 'kernel-closed');
  assert.deepEqual(whatOf(answered)?.slice(3, 5), ['target-ended', 'client-ended']);

  // The target resets, and the client resets.
  const three = await open(7003);
  await stage.client.do.send(three.id, 'x');
  assert.equal((await stage.client.do.ended(three.id)).how, 'ECONNRESET');
  const four = await open(7001);
  await stage.live(1);
  await stage.client.do.reset(four.id);
  const ended = await stage.endings(4);
  for (const [{ port }, by] of [
    [three, 'target'],
    [four, 'client'],
  ] as const) {
    const record = ended.find(({ client }) => client.port === port);
    assert.equal(record?.termination?.reason, 'kernel-reset');
    const resets = record?.events.filter(({ what }) => what === 'reset');
    assert.deepEqual(
      resets?.map((event) => event.by),
      [by],
    );
  }

  // Nobody listens: the target's RST is the client's.
  const [refused] = await stage.client.do.open(proxyAddress, 7004, 1);
  assert.equal(refused?.error, 'ECONNREFUSED');
  const last = (await stage.endings(5))[4];
  assert.equal(last?.termination?.reason, 'kernel-reset');
  assert.equal(last?.termination?.phase, 'accepted');
  assert.deepEqual(last?.packets, { fromClient: 1, toClient: 1 });

  for (const [record, told] of [
    [
      closed,
      /The kernel forwards it to 10\.71\.1\.2:\d+\. .* The client sent its FIN first, and both sides closed\./,
    ],
    [last, /The target 10\.71\.1\.2:9 refused the connection\./],
  ] as const) {
    const { story } = (await stage.admin.get(`/api/v1/explain?target=${record?.id}`)) as { story: string };
    assert.match(story, told);
  }
  await stage.nothingLeft();
  const { terminations, nftables } = await stage.statistics();
  assert.deepEqual(terminations, { 'kernel-closed': 2, 'kernel-reset': 3 });
  assert.deepEqual(nftables, { flows: 0, eventOverruns: 0, inexact: 0, unrecorded: 0 });
  await stage.stop();
});
