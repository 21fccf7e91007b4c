/**
 * Forwarding in the kernel beside no proxy at all and HAProxy, between the same hosts; and whether each
 * flow has its record, at a rate at which all events are read and at one at which they are not.
 */
import { programPath } from '../test/support/debian.ts';
import { asClient, type Hosts, type KernelContestant, makeHosts, ports, startHosts } from './kernel-hosts.ts';
import { measureMemory, measureRecords, withLedger } from './kernel-records.ts';
import { processorSeconds } from './processes.ts';
import type { BenchContext } from './throughput.ts';

const clients = 32;
/** What the proxy does from time to time it does at least once within it. */
const bulkSeconds = 10;

export async function nftables(context: BenchContext): Promise<void> {
  await onEachHosts(context, bulk);
  await onEachHosts(context, newConnections);
  await rulesets(context);
  await measureRecords(context);
  await measureMemory(context);
}

/**
 * In turns, on hosts of their own for each measurement: what is left of a hundred thousand connections is
 * still worked off while something else would be measured. The first turn warms up.
 */
async function onEachHosts(
  context: BenchContext,
  measure: (context: BenchContext, hosts: Hosts) => Promise<() => void>,
): Promise<void> {
  const contestants: Hosts[] = [];
  for (const name of ['direct', 'haproxy', 'nftables'] satisfies KernelContestant[])
    contestants.push(await startHosts(context.workspace, name));
  for (const hosts of contestants) await measure(context, hosts);
  for (let round = 0; round < context.rounds; round++) {
    const inTurn = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const hosts of inTurn) {
      const keep = await measure(context, hosts);
      keep();
    }
  }
  for (const { proxy } of contestants) await proxy?.stop();
}

interface IperfReport {
  readonly end: { readonly sum_received: { readonly bits_per_second: number } };
}

/** One stream, as the server received it; and what the proxy's processes spent meanwhile. */
async function bulk(context: BenchContext, { name, namespaces, address, proxy }: Hosts): Promise<() => void> {
  const { workspace, measured } = context;
  const iperf = [programPath('iperf3'), '-c', address, '-p', `${ports.bulk}`, '-t', `${bulkSeconds}`, '-J'];
  const [startedAt, before] = [performance.now(), proxy === null ? 0 : processorSeconds(proxy.pid)];
  const report = JSON.parse(await asClient(workspace, namespaces, iperf)) as IperfReport;
  const spent = proxy === null ? 0 : processorSeconds(proxy.pid) - before;
  const share = (100_000 * spent) / (performance.now() - startedAt);
  return () => {
    measured.add('kernelBulk', name, report.end.sum_received.bits_per_second / 1e9);
    if (proxy !== null) measured.add('kernelCpu', name, share);
  };
}

/** Connections per second, each for one small request. */
async function newConnections(
  { workspace, measured, seconds }: BenchContext,
  { name, namespaces, address }: Hosts,
): Promise<() => void> {
  const options = ['-t2', `-c${clients}`, `-d${seconds}s`, '-H', 'Connection: close'];
  const command = [programPath('wrk'), ...options, `http://${address}:${ports.web}/`];
  const output = await asClient(workspace, namespaces, command);
  const errors = /Socket errors: (.*)/.exec(output)?.[1];
  if (errors) console.error(`  ${name}: ${errors}`);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  return () => measured.add('kernelConnections', name, perSecond);
}

/** From the call to the rules in force: they are compiled, checked by the kernel, and loaded. */
async function rulesets({ workspace, measured, rounds }: BenchContext): Promise<void> {
  await withLedger(makeHosts(workspace), async (ledger) => {
    await ledger.load();
    for (let round = 0; round < rounds; round++) {
      measured.add('kernelLoad', 'nftables', await ledger.load());
      measured.add('kernelReload', 'nftables', await ledger.reload());
    }
  });
}
