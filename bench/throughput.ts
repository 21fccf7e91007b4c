/** Bulk throughput, small messages, their p99 beside bulk streams, and new connections per second. */
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { programPath } from '../test/support/debian.ts';
import { freePort, type Workspace } from '../test/support/workspace.ts';
import type { Measurements } from './measurements.ts';
import { type ProxyName, type RunningProxy, startProxy } from './proxies.ts';

/** What every benchmark is given. */
export interface BenchContext {
  readonly workspace: Workspace;
  readonly measured: Measurements;
  readonly proxies: readonly ProxyName[];
  readonly rounds: number;
  /** Of one measurement. */
  readonly seconds: number;
}

/**
 * Measures every proxy once per round, in turn, so that a slow moment of the machine meets all alike.
 * `warmUp` runs before the first round, once for each proxy.
 */
async function interleave(
  context: BenchContext,
  targets: readonly number[],
  measure: (proxy: RunningProxy) => Promise<void>,
  warmUp: (proxy: RunningProxy) => Promise<unknown> = async () => {},
): Promise<void> {
  const proxies: RunningProxy[] = [];
  for (const name of context.proxies) proxies.push(await startProxy(context.workspace, name, targets));
  for (const proxy of proxies) await warmUp(proxy);
  for (let round = 0; round < context.rounds; round++) {
    for (const proxy of proxies) await measure(proxy);
  }
  for (const { program } of proxies) await program?.stop();
}

interface IperfReport {
  error?: string;
  end: { sum_received?: { bits_per_second: number } };
}

/** Gbit/s from one iperf3 client to its server, as the server received them. */
async function iperf(context: BenchContext, port: number, streams: number): Promise<number> {
  const args = ['-c', '127.0.0.1', '-p', `${port}`, '-P', `${streams}`, '-t', `${context.seconds}`, '-J'];
  for (let attempt = 0; attempt < 20; attempt++) {
    const report = JSON.parse(await context.workspace.run(programPath('iperf3'), args)) as IperfReport;
    const received = report.end.sum_received;
    if (received !== undefined) return received.bits_per_second / 1e9;
    console.error(`  iperf3: ${report.error}`);
    // It runs one test at a time, and behind a proxy it may learn late that the last one is over.
    await delay(250);
  }
  throw new Error('iperf3 measured nothing, twenty times');
}

async function startIperf(workspace: Workspace): Promise<number> {
  const port = await freePort();
  // A probing connection would take the server's single place for a while: it says when it is ready.
  await workspace.start(programPath('iperf3'), ['-s', '-p', `${port}`, '--forceflush']).says(/listening/);
  return port;
}

export async function startRedis(workspace: Workspace): Promise<number> {
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', workspace.folder];
  await workspace.startServer(port, programPath('redis-server'), args);
  return port;
}

export async function bulk(context: BenchContext): Promise<void> {
  const target = await startIperf(context.workspace);
  await interleave(context, [target], async ({ name, ports: [port = 0] }) => {
    context.measured.add('bulk1', name, await iperf(context, port, 1));
    context.measured.add('bulk4', name, await iperf(context, port, 4));
    context.measured.add('bulk32', name, await iperf(context, port, 32));
  });
}

interface RedisResult {
  perSecond: number;
  p99Ms: number;
}

/** ECHO of 64 bytes: each connection sends the next one once it has the answer. */
export async function redisBenchmark(
  workspace: Workspace,
  port: number,
  clients: number,
  requests: number,
): Promise<RedisResult> {
  const args = ['-h', '127.0.0.1', '-p', `${port}`, '-c', `${clients}`, '-n', `${requests}`, '--csv'];
  const output = await workspace.run(programPath('redis-benchmark'), [...args, 'echo', 'x'.repeat(64)]);
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",…
  const cells = (output.trim().split('\n').at(-1) ?? '')
    .split(',')
    .map((cell) => Number(cell.replaceAll('"', '')));
  return { perSecond: cells[1] ?? 0, p99Ms: cells[6] ?? 0 };
}

export async function small(context: BenchContext): Promise<void> {
  const target = await startRedis(context.workspace);
  await interleave(context, [target], async ({ name, ports: [port = 0] }) => {
    const { perSecond } = await redisBenchmark(context.workspace, port, 32, 60_000 * context.seconds);
    context.measured.add('small', name, perSecond);
  });
}

// L27
export async function latency(context: BenchContext): Promise<void> {
  const { workspace, measured, seconds } = context;
  const targets = [await startRedis(workspace), await startIperf(workspace)];
  await interleave(context, targets, async ({ name, ports: [redisPort = 0, iperfPort = 0] }) => {
    const streams = ['-c', '127.0.0.1', '-p', `${iperfPort}`, '-P', '4', '-t', `${seconds + 3}`];
    const bulkStreams = workspace.start(programPath('iperf3'), [...streams, '--forceflush']);
    await bulkStreams.says(/\[SUM\]/);
    const { p99Ms } = await redisBenchmark(workspace, redisPort, 1, 2_000 * seconds);
    measured.add('small99', name, p99Ms);
    await bulkStreams.exited();
  });
}

export async function connections(context: BenchContext): Promise<void> {
  const { workspace, measured, seconds } = context;
  const target = await freePort();
  await workspace.startServer(target, programPath('nginx'), [
    ...['-p', workspace.folder],
    ...['-c', workspace.write('backend.conf', nginxBackend(workspace, target))],
  ]);
  const perSecond = async ({ name, ports: [port = 0] }: RunningProxy, rounds: number): Promise<number> => {
    const options = [`-t${Math.min(2, availableParallelism())}`, '-c32', `-d${rounds * seconds}s`];
    const request = ['-H', 'Connection: close', `http://127.0.0.1:${port}/`];
    const output = await workspace.run(programPath('wrk'), [...options, ...request]);
    const errors = /Socket errors: (.*)/.exec(output)?.[1];
    if (errors) console.error(`  ${name}: ${errors}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  };
  // A server runs for days: what is measured is not how fast its code is compiled. After 20,000
  // connections Node needs half the CPU time for one that it needed for the first thousand.
  await interleave(
    context,
    [target],
    async (proxy) => measured.add('connections', proxy.name, await perSecond(proxy, 1)),
    (proxy) => perSecond(proxy, 3),
  );
}

function nginxBackend(workspace: Workspace, port: number): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 1;
pid ${workspace.path('backend.pid')};
error_log ${workspace.path('backend-error.log')} crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 0;
  ${folders.map((name) => `${name}_temp_path ${workspace.path(name)};`).join('\n  ')}
  server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 "ok\\n"; } }
}
`;
}
