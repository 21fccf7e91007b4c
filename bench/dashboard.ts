/** What it costs to watch 8,000 connections: the browser, the proxy, and others who ask the admin API meanwhile. */
import type { ChildProcess } from 'node:child_process';
import http from 'node:http';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { startBrowser } from '../test/support/browser.ts';
import { freePort } from '../test/support/workspace.ts';
import { ask } from './children.ts';
import { withBackend, withHolder } from './memory.ts';
import { processorSeconds } from './processes.ts';
import { smartProxyOptions } from './proxies.ts';
import type { BenchContext } from './throughput.ts';

const connections = 8_000;
/** So many of them say something each second, and get an answer. */
const chatPerSecond = 2_000;
/** The pages with most to do: charts, and a sorted table of everything. */
const pages = ['overview', 'connections'];
/** Until a page has drawn its first figures. */
const settleMs = 4_000;
/** One look should not count for much. */
const leastSeconds = 8;
/** What a page or a program asks for in the ordinary way. */
const calls = [
  '/api/v1/statistics',
  '/api/v1/connections?limit=100&sort=-bytes',
  '/api/v1/terminations?limit=100',
  '/api/v1/routes',
  '/api/v1/explain?target=tcp%3A%2F%2F%3A1',
  '/metrics',
];

interface Stage {
  readonly context: BenchContext;
  readonly browser: Browser;
  /** Of the proxy. */
  readonly pid: number;
  readonly adminPort: number;
}

export async function dashboard(context: BenchContext): Promise<void> {
  const [port, adminPort] = [await freePort(), await freePort()];
  await withBackend(async (target) => {
    const options = { ...smartProxyOptions([{ port, target }]), admin: { listen: `127.0.0.1:${adminPort}` } };
    const file = context.workspace.write('dashboard.json', JSON.stringify(options));
    const program = join(import.meta.dirname, '..', 'bin', 'smartproxy.js');
    const proxy = await context.workspace.startServer(port, execPath, [program, 'run', '--config', file]);
    await withHolder(port, async (holder) => {
      await crowd(holder);
      const browser = await startBrowser(context.workspace);
      await measure({ context, browser, pid: proxy.pid, adminPort });
    });
  });
}

async function crowd(holder: ChildProcess): Promise<void> {
  await ask(holder, { open: connections });
  await ask(holder, { chat: chatPerSecond });
}

async function measure(stage: Stage): Promise<void> {
  const { context, pid, adminPort } = stage;
  const seconds = Math.max(context.seconds, leastSeconds);
  const alone = await shareOf(() => processorSeconds(pid), seconds);
  for (const page of pages) {
    const { browser, proxy, p99 } = await watch(stage, page, seconds);
    console.error(
      `  ${page}: browser ${browser.toFixed(1)} %, proxy ${proxy.toFixed(1)} % (${alone.toFixed(1)} % unwatched)`,
    );
    context.measured.add('dashboardBrowser', 'smartproxy', browser);
    context.measured.add('dashboardProxy', 'smartproxy', Math.max(0, proxy - alone));
    context.measured.add('admin99', 'smartproxy', p99);
  }
  console.error(
    `  all ${connections} connections in one answer: ${(await askFor(adminPort, '/api/v1/connections')).toFixed(0)} ms`,
  );
}

/** First the page alone, then the page with others who ask. */
async function watch(stage: Stage, name: string, seconds: number) {
  const { browser, pid, adminPort } = stage;
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${adminPort}/#/${name}`);
  await page.locator('.light-good').waitFor();
  await delay(settleMs);
  const [browserShare, proxyShare] = await Promise.all([
    shareOf(() => browserSeconds(browser), seconds),
    shareOf(() => processorSeconds(pid), seconds),
  ]);
  const p99 = await slowest(adminPort, seconds);
  await context.close();
  return { browser: browserShare, proxy: proxyShare, p99 };
}

/** Percent of one core. */
async function shareOf(read: () => number | Promise<number>, seconds: number): Promise<number> {
  const before = await read();
  await delay(seconds * 1000);
  return (((await read()) - before) / seconds) * 100;
}

/** Of all its processes: pages, painting, network. */
async function browserSeconds(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** The p99 over all calls, one after another. */
async function slowest(port: number, seconds: number): Promise<number> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  for (let index = 0; performance.now() < until; index++) {
    times.push(await askFor(port, calls[index % calls.length] as string));
    await delay(5);
  }
  return times.sort((one, other) => one - other)[Math.floor(times.length * 0.99)] ?? 0;
}

/** How long one answer takes, to its last byte. */
function askFor(port: number, path: string): Promise<number> {
  const askedAt = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      response.resume().on('end', () => resolve(performance.now() - askedAt));
    });
    request.on('error', reject);
  });
}
