/**
 * Measures SmartProxy beside other proxies in one run on one machine: as one that forwards bytes beside
 * HAProxy, nginx's stream module and a bare `pipe()` proxy, as one that ends TLS and speaks HTTP beside
 * nginx, HAProxy, Caddy and four of Node's. What counts are the ratios: absolute numbers belong to the machine.
 *
 *     npm run bench -- [bulk small latency connections idle cleanup observability routing nftables
 *                       http https http2 handshakes tls-bulk latency-http idle-tls hand-over]
 *                      [--rounds 3] [--seconds 3] [--proxies pipe,haproxy,…] [--no-save]
 *
 * Prints the tables and writes them to bench/RESULTS.md. Exit code 1 where a figure is missed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { execPath, exit, versions } from 'node:process';
import { parseArgs } from 'node:util';
import {
  findProgram,
  nginxStreamModule,
  type Program,
  packageOf,
  programPath,
} from '../test/support/debian.ts';
import { Workspace } from '../test/support/workspace.ts';
import { figuresTable, measuredTable } from './figures.ts';
import { handOver } from './hand-over.ts';
import { http, http2, https, latencyHttp, tlsBulk } from './http.ts';
import { type HttpProxyName, httpProxyNames, nodePeers } from './http-proxies.ts';
import type { HttpBenchContext } from './http-stage.ts';
import { Measurements } from './measurements.ts';
import { cleanup, idle } from './memory.ts';
import { nftables } from './nftables.ts';
import { observability } from './observability.ts';
import { installPeers, peerVersions } from './peers.ts';
import { type ProxyName, proxyNames } from './proxies.ts';
import { type BenchContext, bulk, connections, latency, small } from './throughput.ts';
import { handshakes, idleTls } from './tls.ts';

interface Bench<Context> {
  readonly run: (context: Context) => Promise<void>;
  readonly programs: readonly Program[];
}

const layer4Benches: Readonly<Record<string, Bench<BenchContext>>> = {
  bulk: { run: bulk, programs: ['iperf3'] },
  small: { run: small, programs: ['redis-server', 'redis-benchmark'] },
  latency: { run: latency, programs: ['iperf3', 'redis-server', 'redis-benchmark'] },
  connections: { run: connections, programs: ['wrk', 'nginx'] },
  idle: { run: idle, programs: [] },
  cleanup: { run: cleanup, programs: [] },
  observability: {
    run: observability,
    programs: ['redis-server', 'redis-benchmark', 'wrk', 'nginx', 'chromium-headless-shell'],
  },
  routing: { run: routing, programs: [] },
  nftables: { run: nftables, programs: ['conntrack', 'haproxy', 'ip', 'iperf3', 'nft', 'nginx', 'wrk'] },
};

const httpBenches: Readonly<Record<string, Bench<HttpBenchContext>>> = {
  http: { run: http, programs: ['wrk', 'nginx'] },
  https: { run: https, programs: ['wrk', 'nginx', 'openssl'] },
  http2: { run: http2, programs: ['h2load', 'nginx', 'openssl'] },
  handshakes: { run: handshakes, programs: ['nginx', 'openssl'] },
  'tls-bulk': { run: tlsBulk, programs: ['wrk', 'nginx', 'openssl'] },
  'latency-http': { run: latencyHttp, programs: ['wrk', 'h2load', 'nginx'] },
  'idle-tls': { run: idleTls, programs: ['nginx', 'openssl'] },
  'hand-over': { run: handOver, programs: ['openssl'] },
};

const allBenches = [...Object.keys(layer4Benches), ...Object.keys(httpBenches)];

/** Its own program: it measures without a socket, several shapes of names. The worst one counts. */
async function routing({ measured }: BenchContext): Promise<void> {
  const result = spawnSync(execPath, [join(import.meta.dirname, 'routing.ts')], { encoding: 'utf8' });
  const ratios = [...result.stdout.matchAll(/ 100000 .*× ([\d.]+)/g)].map(([, ratio]) => Number(ratio));
  if (ratios.length === 0)
    throw new Error(`bench/routing.ts printed no ratio:\n${result.stdout}${result.stderr}`);
  measured.add('routing', 'smartproxy', Math.max(...ratios));
}

/** The proxies that are here; each missing program is named with what brings it. */
function presentProxies(wanted: readonly string[]): ProxyName[] {
  return proxyNames.filter((name) => {
    if (!wanted.includes(name)) return false;
    if (name !== 'haproxy' && name !== 'nginx') return true;
    if (name === 'nginx' && !existsSync(nginxStreamModule))
      return missing('nginx-stream', 'libnginx-mod-stream');
    return isHere(name);
  });
}

function presentHttpProxies(wanted: readonly string[]): HttpProxyName[] {
  const peersAreHere = installPeers();
  return httpProxyNames.filter((name) => {
    if (!wanted.includes(name)) return false;
    if (name === 'nginx' || name === 'haproxy' || name === 'caddy') return isHere(name);
    return peersAreHere || !(nodePeers as readonly string[]).includes(name);
  });
}

function isHere(program: Program): boolean {
  return findProgram(program) !== undefined || missing(program, packageOf(program));
}

function missing(name: string, debianPackage: string): false {
  console.error(`left out: ${name} is missing; the Debian package ${debianPackage} brings it`);
  return false;
}

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

async function runBench<Context extends { workspace: Workspace }>(
  name: string,
  { run, programs }: Bench<Context>,
  context: Omit<Context, 'workspace'>,
): Promise<void> {
  const absent = programs.filter((program) => !isHere(program));
  if (absent.length > 0) return;
  console.error(`${name} …`);
  const workspace = new Workspace('bench');
  // Programs and network namespaces outlive a run that is broken off.
  let brokenOff: Promise<void> | null = null;
  const breakOff = (signal: NodeJS.Signals): void => {
    console.error(`${signal}: what was started is ended first`);
    brokenOff ??= workspace.end().finally(() => exit(1));
  };
  for (const signal of endingSignals) process.on(signal, breakOff);
  try {
    await run({ ...context, workspace } as Context);
  } finally {
    await (brokenOff ?? workspace.end());
    for (const signal of endingSignals) process.off(signal, breakOff);
  }
}

/** The first line that a program says about its version. */
function versionOf(program: Program, flag: string): string {
  if (findProgram(program) === undefined) return `${program}: not here`;
  const { stdout, stderr } = spawnSync(programPath(program), [flag], { encoding: 'utf8' });
  return `${stdout}${stderr}`.split('\n')[0]?.trim() ?? '';
}

function report(tables: string, rounds: number, seconds: number): string {
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `# Results

Written by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: medians of ${rounds} rounds of ${seconds} s, all proxies in turn.
One SmartProxy process on one core, as the other Node proxies; HAProxy with two threads, nginx with two workers,
Caddy with a thread for each core. Processor time is that of the proxy's processes alone.

- Node ${versions.node}; ${versionOf('haproxy', '-v')}; ${versionOf('nginx', '-v')}; ${versionOf('iperf3', '-v')}; ${versionOf('redis-server', '-v')}; ${versionOf('caddy', 'version')}; ${versionOf('h2load', '--version')}
- ${peerVersions()}
- ${cpus().length} × ${processor}, ${memory}, Linux ${release()}; load average before the run: ${loadBefore.toFixed(2)}

${tables}
`;
}

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    proxies: { type: 'string', default: [...new Set([...proxyNames, ...httpProxyNames])].join(',') },
    'no-save': { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const loadBefore = loadavg()[0] ?? 0;
if (loadBefore > 0.5) {
  console.error(
    `the machine is busy (load average ${loadBefore.toFixed(2)}): other programs take part in what is measured`,
  );
}
const measured = new Measurements();
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const chosen = positionals.length > 0 ? positionals : allBenches;
const unknown = chosen.filter((name) => !allBenches.includes(name));
if (unknown.length > 0)
  throw new Error(`there is no benchmark ${unknown.join(', ')}: choose from ${allBenches.join(', ')}`);
const wanted = values.proxies.split(',');
const proxies = presentProxies(wanted);
const httpProxies = chosen.some((name) => name in httpBenches) ? presentHttpProxies(wanted) : [];
for (const name of chosen) {
  const [layer4, overHttp] = [layer4Benches[name], httpBenches[name]];
  if (layer4) await runBench(name, layer4, { measured, proxies, rounds, seconds });
  if (overHttp) await runBench(name, overHttp, { measured, proxies: httpProxies, rounds, seconds });
}
const { text, missed } = figuresTable(measured);
const tables = `${measuredTable(measured)}\n\n${text}`;
console.log(tables);
if (!values['no-save'] && chosen.length === allBenches.length) {
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report(tables, rounds, seconds));
}
exit(missed === 0 ? 0 : 1);
