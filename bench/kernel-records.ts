/** Whether each flow that the kernel forwards has one record; and what records cost. */
import { setTimeout as delay } from 'node:timers/promises';
import { programPath } from '../test/support/debian.ts';
import type { Namespaces } from '../test/support/namespaces.ts';
import { type Workspace, waitUntil } from '../test/support/workspace.ts';
import { ask, withChild } from './children.ts';
import type { ClientResult, ClientTask } from './kernel-client.ts';
import { kernelRoutes, makeHosts, onHost, ports, proxyAddress, startBackends } from './kernel-hosts.ts';
import type { LedgerTask, RouteLedger } from './kernel-ledger.ts';
import type { BenchContext } from './throughput.ts';

const flows = 50_000;
/** At which every event is read before there are too many. */
const steadyRate = 1_000;
/** As many connections as wrk has at a time in the burst: as fast as two cores can open and close them. */
const burstClients = 64;
const liveFlows = 100_000;
/** Until the last of them has its record, where it ever will. */
const settleMs = 60_000;
const askMs = 500;

interface Ledger {
  /** Milliseconds that a thousand routes took in place of a few. */
  load(): Promise<number>;
  /** … and a change of one of the thousand. */
  reload(): Promise<number>;
  /** Resident bytes. */
  memory(): Promise<number>;
  report(route: keyof typeof ports): Promise<RouteLedger>;
}

/** A SmartProxy that keeps a ledger of every record, for as long as `use` runs. */
export async function withLedger(
  namespaces: Namespaces,
  use: (ledger: Ledger) => Promise<void>,
): Promise<void> {
  await withChild(
    'kernel-ledger.ts',
    [JSON.stringify(kernelRoutes())],
    async (child) => {
      const tell = async <Answer>(task: LedgerTask): Promise<Answer> => (await ask(child, task)) as Answer;
      await tell('start');
      await use({
        load: () => tell('load'),
        reload: () => tell('reload'),
        memory: () => tell('memory'),
        report: async (route) => (await tell<Record<string, RouteLedger>>('report'))[route] as RouteLedger,
      });
    },
    namespaces.on(namespaces.proxy),
  );
}

/** 50,000 flows at a rate at which the kernel's events are read, and as many as fast as they come. */
export async function measureRecords({ workspace, measured }: BenchContext): Promise<void> {
  const namespaces = makeHosts(workspace);
  await startBackends(workspace, namespaces, 'recorded');
  await withLedger(namespaces, async (ledger) => {
    const { done, seconds } = await steadily(namespaces);
    measured.add('kernelRate', 'nftables', done / seconds);
    const steady = await settled(ledger, 'steady', done);
    measured.add('kernelRecords', 'nftables', steady.ended);
    const astray = flows - done + mistakes(steady) + (steady.begun - steady.withBytes);
    measured.add('kernelAstray', 'nftables', astray + steady.overruns);
    measured.add('kernelBurstRate', 'nftables', await burst(workspace, namespaces, ledger));
    const { begun } = await ledger.report('burst');
    const after = await settled(ledger, 'burst', begun);
    measured.add('kernelBurstRecords', 'nftables', after.ended);
    measured.add('kernelBurstAstray', 'nftables', mistakes(after));
    measured.add('kernelInexact', 'nftables', after.inexact);
    measured.add('kernelOverruns', 'nftables', after.overruns - steady.overruns);
  });
}

function steadily(namespaces: Namespaces): Promise<ClientResult> {
  const task: ClientTask = { host: proxyAddress, port: ports.steady, count: flows, perSecond: steadyRate };
  const run = async (child: Parameters<typeof ask>[0]) => (await ask(child, task)) as ClientResult;
  return withChild('kernel-client.ts', [], run, namespaces.on(namespaces.client));
}

/** Returns the flows per second. */
async function burst(workspace: Workspace, namespaces: Namespaces, ledger: Ledger): Promise<number> {
  const wrk = ['-t2', `-c${burstClients}`, '-d60s', '-H', 'Connection: close'];
  const url = `http://${proxyAddress}:${ports.burst}/`;
  const startedAt = performance.now();
  const program = onHost(workspace, namespaces, namespaces.client, [programPath('wrk'), ...wrk, url]);
  let begun = 0;
  // Not without a pause: who is asked is who is measured.
  while (begun < flows) {
    if (!program.running) throw new Error(`the burst ended early:\n${program.output}`);
    await delay(askMs);
    ({ begun } = await ledger.report('burst'));
  }
  const perSecond = (begun / (performance.now() - startedAt)) * 1000;
  await program.stop();
  return perSecond;
}

/** Flows without a record, without an ending, or with more than one. */
function mistakes({ begun, opened, ended, doubled }: RouteLedger): number {
  return Math.abs(begun - opened) + Math.abs(begun - ended) + doubled;
}

/** The ledger once all flows have ended, or it is too late for that. */
async function settled(ledger: Ledger, route: keyof typeof ports, count: number): Promise<RouteLedger> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    const report = await ledger.report(route);
    // What comes twice comes late.
    if (report.ended >= count) await delay(askMs);
    if (report.ended >= count || performance.now() > deadline) return ledger.report(route);
    await delay(askMs);
  }
}

/** Flows that connection tracking is given as if they had come: each is told, and recorded, like any other. */
export async function measureMemory({ workspace, measured }: BenchContext): Promise<void> {
  const namespaces = makeHosts(workspace);
  await withLedger(namespaces, async (ledger) => {
    const before = await ledger.memory();
    const routes = ['list', 'set', 'inet', 'smartproxy_main', 'routes'];
    const set = namespaces.run(namespaces.proxy, programPath('nft'), ...routes);
    const [mark = ''] = /0x[0-9a-f]{8}/.exec(set) ?? [];
    const lines = Array.from({ length: liveFlows }, (_, index) => `${flowArguments(index, mark)}\n`);
    const file = workspace.write('flows', lines.join(''));
    namespaces.run(namespaces.proxy, programPath('conntrack'), '-R', file);
    await waitUntil('the flows to be recorded', async () => {
      const { opened } = await ledger.report('bulk');
      return opened >= liveFlows || undefined;
    });
    const grown = (await ledger.memory()) - before;
    measured.add('kernelFlowMemory', 'nftables', grown / liveFlows / 1000);
  });
}

function flowArguments(index: number, mark: string): string {
  const [client, port] = [`10.72.${index >> 15}.2`, 10_000 + (index & 0x7fff)];
  const to = ['-s', client, '-d', proxyAddress, '--sport', port, '--dport', ports.bulk];
  const back = ['-r', '10.71.1.2', '-q', client, '--reply-port-src', ports.bulk, '--reply-port-dst', port];
  const state = ['-t', '600', '--state', 'ESTABLISHED', '-u', 'SEEN_REPLY,ASSURED', '-m', mark];
  return ['-I', '-p', 'tcp', ...to, ...back, ...state].join(' ');
}
