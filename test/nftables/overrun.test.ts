import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { programPath } from '../support/debian.ts';
import { waitUntil } from '../support/workspace.ts';
import { backends, KernelStage, kernelRoute, proxyAddress } from './stage.ts';

/** Far more than the kernel keeps for a reader that does not read. */
const burst = 1_500;

/** The process that reads the kernel's events for the proxy. */
function eventReader(stage: KernelStage): number {
  const pids = stage.namespaces.processes(stage.namespaces.proxy);
  const reader = pids.find((pid) => /conntrack\0-E/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')));
  assert.ok(reader);
  return Number(reader);
}

test('a burst that overruns the kernel’s events: each flow has one record, and what was lost is told', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const answer = await stage.backends[0].do.listen(backends[0], 0, 'answer');
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([
    kernelRoute('burst', 7001, { host: backends[0], port: answer }),
    kernelRoute('lost', 7002, { host: backends[0], port: echo }),
  ]);
  const lasting = await stage.client.do.open(proxyAddress, 7002, 4);
  const before = await stage.live(4);
  const reader = eventReader(stage);
  process.kill(reader, 'SIGSTOP');
  for (let opened = 0; opened < burst; opened += 250) await stage.client.do.exchange(proxyAddress, 7001, 250);
  // Their ends come when there is no room any more.
  for (const { port } of lasting.slice(1)) {
    const flow = ['-p', 'tcp', '--orig-port-src', String(port), '--orig-port-dst', '7002'];
    stage.namespaces.run(stage.namespaces.proxy, programPath('conntrack'), '-D', ...flow);
  }
  process.kill(reader, 'SIGCONT');
  await stage.proxy.logs('kernel-events-overrun');
  await waitUntil('every flow to be known', async () => {
    const { connections } = await stage.statistics();
    return (connections.opened >= burst + 4 && connections.active === 1) || undefined;
  });
  // Whatever may still come of it changes nothing.
  await delay(1_000);
  const { connections, terminations, nftables } = await stage.statistics();
  assert.deepEqual(connections, { active: 1, opened: burst + 4, terminated: burst + 3, refused: 0 });
  assert.deepEqual(terminations, { 'kernel-closed': burst, 'kernel-expired': 3 });
  assert.ok(nftables.eventOverruns > 0);
  assert.equal(nftables.inexact, 3);
  const ended = (
    (await stage.admin.get('/api/v1/terminations?limit=1000')) as { terminations: typeof before }
  ).terminations;
  const lost = ended.filter(({ route }) => route === 'lost');
  assert.deepEqual(
    lost.map(({ exact, termination }) => [exact, termination?.reason]),
    Array(3).fill([false, 'kernel-expired']),
  );
  assert.ok(
    ended.filter(({ route }) => route === 'burst').every(({ exact, bytes }) => exact && bytes.toClient > 200),
  );
  const flows = new Set(ended.map(({ client, localPort }) => `${client.port} ${localPort}`));
  assert.equal(flows.size, ended.length, 'none is there twice');
  await stage.client.do.end(lasting[0]?.id as number);
  await stage.nothingLeft();
  await stage.stop();
});

test('a reader of events that dies is begun anew, and nothing is missed', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([kernelRoute('echo', 7001, { host: backends[0], port: echo })]);
  const [one] = await stage.client.do.open(proxyAddress, 7001, 1);
  await stage.live(1);
  process.kill(eventReader(stage), 'SIGKILL');
  await stage.client.do.end(one?.id as number);
  const [two] = await stage.client.do.open(proxyAddress, 7001, 1);
  await stage.proxy.logs('kernel-events-ended');
  const [ended] = await stage.endings(1);
  assert.equal(ended?.termination?.reason, 'kernel-closed');
  await stage.live(1);
  await stage.client.do.end(two?.id as number);
  await stage.nothingLeft();
  assert.equal((await stage.statistics()).connections.opened, 2);
});

test('of flows that are too many to be told each has one record, and it is said that they were too many', async (context) => {
  const stage = KernelStage.set(context);
  if (stage === undefined) return;
  const { namespaces, client } = stage;
  const answer = await stage.backends[0].do.listen(backends[0], 0, 'answer');
  const echo = await stage.backends[0].do.listen(backends[0], 0, 'echo');
  await stage.start([
    kernelRoute('answer', 7001, { host: backends[0], port: answer }),
    kernelRoute('echo', 7002, { host: backends[0], port: echo }),
  ]);
  // As if there were too many at any time.
  for (const [chain, rule] of [
    ['everybody', 'jump crowded'],
    ['tell_end', 'goto leave_untold'],
  ] as const) {
    namespaces.run(
      namespaces.proxy,
      programPath('nft'),
      'insert',
      'rule',
      'inet',
      'smartproxy_main',
      chain,
      rule,
    );
  }
  // A client whose ports are few uses each again at once: the kernel forgets the flow before for that.
  const fewPorts = 'echo 40000 40003 > /proc/sys/net/ipv4/ip_local_port_range';
  namespaces.run(namespaces.client, 'sh', '-c', fewPorts);
  for (let flow = 0; flow < 40; flow++) await client.do.exchange(proxyAddress, 7001, 1);
  const [reset] = await client.do.open(proxyAddress, 7002, 1);
  await client.do.send(reset?.id as number, 'x');
  await client.do.receives(reset?.id as number, 1);
  await client.do.reset(reset?.id as number);
  await stage.proxy.logs('kernel-events-overrun');
  const endings = await stage.endings(41);
  assert.ok(endings.every(({ exact, bytes }) => exact && bytes.fromClient > 0 && bytes.toClient > 0));
  const answered = endings.filter(({ route }) => route === 'answer');
  assert.deepEqual(
    new Set(answered.map(({ termination }) => termination?.reason)),
    new Set(['kernel-closed']),
  );
  assert.ok(answered.every(({ clientEnded, targetEnded }) => clientEnded && targetEnded));
  const [cut] = endings.filter(({ route }) => route === 'echo');
  assert.deepEqual([cut?.termination?.reason, cut?.termination?.phase], ['kernel-reset', 'established']);
  const { nftables, terminations } = await stage.statistics();
  assert.deepEqual(terminations, { 'kernel-closed': 40, 'kernel-reset': 1 });
  assert.ok(nftables.eventOverruns > 0);
  assert.equal(nftables.inexact, 0);
  await stage.nothingLeft();
  await stage.stop();
});
