/**
 * Measures SmartProxy beside HAProxy, nginx's stream module and a bare `pipe()` proxy, in one run on one
 * machine. What counts are the ratios: absolute numbers belong to the machine.
 *
 *     npm run bench -- [bulk small latency connections idle cleanup routing] [--rounds 3] [--seconds 3]
 *                      [--proxies pipe,haproxy,…] [--no-save]
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
import { Measurements } from './measurements.ts';
import { cleanup, idle } from './memory.ts';
import { type ProxyName, proxyNames } from './proxies.ts';
import { type BenchContext, bulk, connections, latency, small } from './throughput.ts';

const benches: Record<string, { run: (context: BenchContext) => Promise<void>; programs: Program[] }> = {
  bulk: { run: bulk, programs: ['iperf3'] },
  small: { run: small, programs: ['redis-server', 'redis-benchmark'] },
  latency: { run: latency, programs: ['iperf3', 'redis-server', 'redis-benchmark'] },
  connections: { run: connections, programs: ['wrk', 'nginx'] },
  idle: { run: idle, programs: [] },
  cleanup: { run: cleanup, programs: [] },
  routing: { run: routing, programs: [] },
};

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
    return findProgram(name) !== undefined || missing(name, packageOf(name));
  });
}

function missing(name: string, debianPackage: string): false {
  console.error(`left out: ${name} is missing; the Debian package ${debianPackage} brings it`);
  return false;
}

async function runBench(name: string, context: Omit<BenchContext, 'workspace'>): Promise<void> {
  const bench = benches[name];
  if (!bench)
    throw new Error(`there is no benchmark ${name}: choose from ${Object.keys(benches).join(', ')}`);
  const absent = bench.programs.filter((program) => findProgram(program) === undefined);
  if (absent.length > 0) {
    for (const program of absent) missing(program, packageOf(program));
    return;
  }
  console.error(`${name} …`);
  const workspace = new Workspace('bench');
  try {
    await bench.run({ ...context, workspace });
  } finally {
    await workspace.end();
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
One SmartProxy process on one core; HAProxy with two threads and splicing; nginx with two workers.

- Node ${versions.node}; ${versionOf('haproxy', '-v')}; ${versionOf('nginx', '-v')}; ${versionOf('iperf3', '-v')}; ${versionOf('redis-server', '-v')}
- ${cpus().length} × ${processor}, ${memory}, Linux ${release()}; load average before the run: ${loadBefore.toFixed(2)}

${tables}
`;
}

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    proxies: { type: 'string', default: proxyNames.join(',') },
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
const proxies = presentProxies(values.proxies.split(','));
const chosen = positionals.length > 0 ? positionals : Object.keys(benches);
for (const name of chosen) await runBench(name, { measured, proxies, rounds, seconds });
const { text, missed } = figuresTable(measured);
const tables = `${measuredTable(measured)}\n\n${text}`;
console.log(tables);
if (!values['no-save'] && chosen.length === Object.keys(benches).length) {
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report(tables, rounds, seconds));
}
exit(missed === 0 ? 0 : 1);
