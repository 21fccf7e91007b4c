/**
 * One million short connections through one process, in one run.
 *
 *     node bench/million.ts [--connections 1000000]
 *
 * Nine of ten exchange a few bytes and end in order, the tenth aborts at a random moment. At the end the
 * statistics must add up exactly, the audit must agree, memory must be within 10 % of what it was after
 * the first tenth, and the open descriptors must be back where they began. Exit code 1 where not.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { exit } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Statistics } from '../src/smart-proxy/statistics.ts';
import { accepts, freePort, waitUntil } from '../test/support/workspace.ts';
import { descriptorsOf, residentBytes } from './processes.ts';

const { values } = parseArgs({ options: { connections: { type: 'string', default: '1000000' } } });
const total = Number(values.connections);
const atOnce = 64;
const settleMs = 3_000;
const message = Buffer.alloc(64, 'x');

/** One connection, to its end. `abortAfterMs` resets it; undefined lets it end in order. */
function connectOnce(port: number, abortAfterMs: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined).once('close', () => resolve());
    if (abortAfterMs === 0) socket.once('connect', () => socket.resetAndDestroy());
    else if (abortAfterMs !== undefined) setTimeout(() => socket.resetAndDestroy(), abortAfterMs);
    socket.write(message);
    socket.once('data', () => socket.end());
  });
}

/** Within the few milliseconds that a connection takes: while dialing, established, or closing. */
function abortMoment(): number | undefined {
  return Math.random() < 0.1 ? Math.floor(Math.random() * 6) : undefined;
}

async function run(port: number, count: number): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await connectOnce(port, abortMoment());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Statistics once nothing is live. */
async function settled(proxy: ChildProcess): Promise<Statistics> {
  return waitUntil('every connection to end', async () => {
    const answer = once(proxy, 'message');
    proxy.send('statistics');
    const statistics = (await answer)[0] as Statistics;
    return statistics.connections.active === 0 ? statistics : undefined;
  });
}

const descriptors = (proxy: ChildProcess): number => descriptorsOf(proxy.pid ?? 0);
const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((left, right) => left + right, 0);

const [target, port] = [await freePort(), await freePort()];
const backend = fork(new URL('holder.ts', import.meta.url), ['serve', `${target}`]);
const proxy = fork(new URL('embedded-proxy.ts', import.meta.url), [`${port}:${target}`]);
await waitUntil('the backend', async () => (await accepts(target)) || undefined);
await waitUntil('the proxy', async () => (await accepts(port)) || undefined);
const before = await settled(proxy);
const descriptorsBefore = descriptors(proxy);
const startedAt = performance.now();
const first = Math.floor(total / 10);
await run(port, first);
await settled(proxy);
await delay(settleMs);
const memoryAfterFirst = residentBytes(proxy.pid ?? 0);
for (let tenth = 1; tenth < 10; tenth++) {
  await run(port, tenth < 9 ? first : total - 9 * first);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.error(`${tenth + 1} tenths, ${seconds} s, ${megabytes(residentBytes(proxy.pid ?? 0))}`);
}
const { connections, terminations, refusals, cleanup, audit } = await settled(proxy);
await delay(settleMs);
const memoryAtEnd = residentBytes(proxy.pid ?? 0);
const descriptorsAtEnd = descriptors(proxy);
backend.kill('SIGKILL');
proxy.kill('SIGKILL');

const seen = connections.opened + connections.refused - before.connections.opened;
const checks: [string, boolean][] = [
  [`${seen} opened or refused of ${total} attempts`, seen === total],
  ['opened = terminated', connections.opened === connections.terminated && connections.active === 0],
  ['terminated = the sum of its reasons', connections.terminated === sum(terminations)],
  ['refused = the sum of its reasons', connections.refused === sum(refusals)],
  ['graceful + forced + orphaned = terminated', sum({ ...cleanup }) === connections.terminated],
  ['none healed by the audit', cleanup.orphaned === 0],
  [
    'the audit is consistent, with nothing left',
    audit.consistent && audit.records + audit.sockets + audit.addresses === 0,
  ],
  [
    `memory ${megabytes(memoryAfterFirst)} after the first tenth, ${megabytes(memoryAtEnd)} at the end`,
    memoryAtEnd <= memoryAfterFirst * 1.1,
  ],
  [
    `descriptors ${descriptorsBefore} before, ${descriptorsAtEnd} at the end`,
    descriptorsAtEnd <= descriptorsBefore,
  ],
];
console.log(JSON.stringify({ connections, terminations, cleanup, audit }, null, 2));
for (const [what, ok] of checks) console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}`);
exit(checks.every(([, ok]) => ok) ? 0 : 1);

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
