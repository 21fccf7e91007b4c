/**
 * What it costs to be seen: metrics, the log of connections and an open dashboard, beside the same
 * proxy without any of them; what a scrape takes; and what it costs to watch thousands of connections.
 */
import { openSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { execPath } from 'node:process';
import {
  accepts,
  freePort,
  type RunningProgram,
  type Workspace,
  waitUntil,
} from '../test/support/workspace.ts';
import { dashboard } from './dashboard.ts';
import { wrk } from './http-load.ts';
import { spentDuring, startBackend } from './http-stage.ts';
import type { Contestant } from './measurements.ts';
import { withBackend } from './memory.ts';
import { processorSeconds } from './processes.ts';
import { type BenchContext, redisBenchmark, startRedis } from './throughput.ts';

const bin = join(import.meta.dirname, '..', 'bin', 'smartproxy.js');
const limits = { maxConnections: 8_500 };
const warmUpSeconds = 2;

export async function observability(context: BenchContext): Promise<void> {
  if (!context.proxies.includes('smartproxy')) return;
  await throughput(context);
  await scrapes(context);
  await dashboard(context);
}

interface Proxy {
  readonly name: Contestant;
  readonly ports: readonly number[];
  /** The admin API; null: none. */
  readonly admin: number | null;
  readonly program: RunningProgram;
}

interface Route {
  readonly name: string;
  readonly match: object;
  readonly action: object;
}

function forwarding(name: string, port: number, target: number, match: object = {}): Route {
  return {
    name,
    match: { ports: port, address: '127.0.0.1', ...match },
    action: { type: 'forward', target: { host: '127.0.0.1', port: target } },
  };
}

/** Its log goes to a file, as a service's does. */
async function start(
  workspace: Workspace,
  name: Contestant,
  routes: Route[],
  ports: number[],
  observed: boolean,
): Promise<Proxy> {
  const admin = observed ? await freePort() : null;
  const configuration = {
    ...{ routes, limits, metrics: observed },
    admin: admin === null ? false : { listen: `127.0.0.1:${admin}` },
    log: { level: observed ? 'info' : 'error', connections: observed },
  };
  const file = workspace.write(`${name}-${ports[0]}.json`, JSON.stringify(configuration));
  const log = openSync(workspace.path(`${name}-${ports[0]}.log`), 'w');
  const program = workspace.start(execPath, [bin, 'run', '--config', file], {
    stdio: ['ignore', log, 'inherit'],
  });
  const last = admin ?? ports.at(-1) ?? 0;
  await waitUntil(`${name} to listen`, async () => (await accepts(last)) || undefined);
  return { name, ports, admin, program };
}

/** Everything on against everything off, in turn, for small messages and for requests. */
async function throughput({ workspace, measured, rounds, seconds }: BenchContext): Promise<void> {
  const [redis, backend] = [await startRedis(workspace), await startBackend(workspace)];
  const proxies: Proxy[] = [];
  for (const name of ['unobserved', 'smartproxy'] as const) {
    const ports = [await freePort(), await freePort()];
    const [messages = 0, requests = 0] = ports;
    const routes = [
      forwarding('messages', messages, redis),
      forwarding('requests', requests, backend, { protocol: 'http' }),
    ];
    proxies.push(await start(workspace, name, routes, ports, name === 'smartproxy'));
  }
  const viewers = proxies.flatMap(({ admin }) => (admin === null ? [] : [openDashboard(admin)]));
  const load = (port: number, duration: number) =>
    wrk(workspace, { url: `http://127.0.0.1:${port}/`, connections: 32, seconds: duration });
  for (const { ports } of proxies) {
    await redisBenchmark(workspace, ports[0] ?? 0, 32, 100_000);
    await load(ports[1] ?? 0, warmUpSeconds);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { name, ports, program } of round % 2 === 0 ? proxies : proxies.toReversed()) {
      const { pid } = program;
      const count = 60_000 * seconds;
      const messages = await spentDuring(pid, () => redisBenchmark(workspace, ports[0] ?? 0, 32, count));
      measured.add('observedSmall', name, messages.perSecond);
      measured.add('observedSmallCpu', name, (messages.processor / count) * 1e6);
      const requests = await spentDuring(pid, () => load(ports[1] ?? 0, seconds));
      measured.add('observedHttp', name, requests.perSecond);
      measured.add('observedHttpCpu', name, (requests.processor / requests.requests) * 1e6);
    }
  }
  for (const viewer of viewers) viewer.destroy();
  for (const { program } of proxies) await program.stop();
}

/** The stream that a dashboard reads; what the browser makes of it is its own affair. */
function openDashboard(admin: number): http.ClientRequest {
  return http
    .get({ host: '127.0.0.1', port: admin, path: '/api/v1/stream', agent: false }, (response) =>
      response.resume(),
    )
    .on('error', () => undefined);
}

const scrapedRoutes = 500;
const scrapeCount = 40;

/** Half of the routes are ports, whose connections end in two ways; half are paths, asked in two ways. */
async function scrapes({ workspace, measured, rounds }: BenchContext): Promise<void> {
  await withBackend(async (target) => {
    const free = new Set<number>();
    while (free.size < scrapedRoutes / 2 + 2) free.add(await freePort());
    const [dead = 0, web = 0, ...ports] = free;
    const byPort = ports.map((port, index) =>
      forwarding(`port-${index}`, port, index % 2 === 0 ? target : dead),
    );
    const byPath = ports.map((_, index) => ({
      name: `path-${index}`,
      match: { ports: web, address: '127.0.0.1', protocol: 'http', path: `/${index}` },
      action: { type: 'respond', status: 200, body: 'hello' },
    }));
    const { admin, program } = await start(
      workspace,
      'smartproxy',
      [...byPort, ...byPath],
      [...ports, web],
      true,
    );
    for (const [index, port] of ports.entries()) {
      await visit(port, 'close');
      await visit(port, 'reset');
      for (const method of ['GET', 'POST'])
        await (await fetch(`http://127.0.0.1:${web}/${index}`, { method })).text();
    }
    const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
    for (let count = 0; count < scrapeCount; count++) await scrape();
    for (let round = 0; round < rounds; round++) {
      const before = processorSeconds(program.pid);
      let text = '';
      for (let count = 0; count < scrapeCount; count++) text = await scrape();
      measured.add('scrape', 'smartproxy', ((processorSeconds(program.pid) - before) / scrapeCount) * 1000);
      if (round === 0) measured.add('scrapeLines', 'smartproxy', text.split('\n').length);
    }
    await program.stop();
  });
}

async function visit(port: number, how: 'close' | 'reset'): Promise<void> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.once('data', () => (how === 'close' ? socket.end() : socket.resetAndDestroy()));
  socket.write('x');
  await closed;
}
