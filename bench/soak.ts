/**
 * Everything at once for a while, through one SmartProxy:
 *
 *     node bench/soak.ts [--minutes 10]
 *
 * HTTP/1.1 in clear text and over TLS, HTTP/2, WebSocket and TCP, with clients that leave in the middle, a backend
 * that is killed and started again, and a reload every ten seconds. No request may fail that this does not explain,
 * and at the end statistics add up, memory is what it was at half time, and nothing is left. Exit code 1 where not.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { exit } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Route, Statistics } from '../src/index.ts';
import { accepts, freePort, Workspace, waitUntil } from '../test/support/workspace.ts';
import { ask, withChild } from './children.ts';
import { writeCertificate } from './http-stage.ts';
import { descriptorsOf, residentBytes } from './processes.ts';
import { type Place, tcp, webSocket } from './soak-conversation.ts';
import { Ledger, type Outcome } from './soak-ledger.ts';
import { serverName } from './soak-protocol.ts';
import { Http1Client, http2Session } from './soak-requests.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const totalMs = Number(values.minutes) * 60_000;
const reloadEveryMs = 10_000;
const restartEveryMs = 23_000;
const longestOutageMs = 1_000;
const sampleEveryMs = Math.min(5_000, totalMs / 40);
const longestPauseMs = 30;
/** Until what is pooled has gone, and a garbage collector that was going to run has run. */
const settleMs = 6_000;
const allowedGrowth = 1.1;

interface Ports {
  readonly clear: number;
  readonly secure: number;
  readonly tcp: number;
  readonly backendHttp: number;
  readonly backendTcp: number;
}

async function choosePorts(): Promise<Ports> {
  const [clear = 0, secure = 0, tcp = 0, backendHttp = 0, backendTcp = 0] = await Promise.all(
    Array.from({ length: 5 }, freePort),
  );
  return { clear, secure, tcp, backendHttp, backendTcp };
}

/** The same routes, with others beside them that come and go. */
function routes(workspace: Workspace, ports: Ports, generation: number): Route[] {
  const at = (port: number) => ({ ports: port, address: '127.0.0.1' });
  const backend = { host: '127.0.0.1', port: ports.backendHttp };
  const certificate = { certFile: workspace.path('cert.pem'), keyFile: workspace.path('key.pem') };
  const secure = { ...at(ports.secure), domains: serverName };
  const tls = { certificate, alpn: ['h2', 'http/1.1'] };
  return [
    {
      name: 'clear',
      match: { ...at(ports.clear), protocol: 'http' },
      action: { type: 'forward', target: backend },
    },
    {
      name: 'secure',
      match: secure,
      action: { type: 'forward', target: backend, tls: { mode: 'terminate', ...tls } },
    },
    {
      name: 'tcp',
      match: at(ports.tcp),
      action: { type: 'forward', target: { host: '127.0.0.1', port: ports.backendTcp } },
    },
    {
      name: `generation-${generation}`,
      match: { ...secure, path: `/generation/${generation}/*` },
      action: { type: 'respond', status: 200, body: `${generation}`, tls },
    },
  ];
}

/** Starts the backend; resolves once it listens. */
async function startBackend({ backendHttp, backendTcp }: Ports): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'soak-backend.ts'), [`${backendHttp}`, `${backendTcp}`]);
  await once(child, 'message');
  return child;
}

/** What is going on beside the clients, until it is told to end. */
class Soak {
  readonly ledger = new Ledger();
  readonly #ports: Ports;
  readonly #proxy: ChildProcess;
  readonly #workspace: Workspace;
  readonly #over = new AbortController();
  /** Messages to the proxy have one answer each: one at a time. */
  #asking: Promise<unknown> = Promise.resolve();
  #backend: ChildProcess | null = null;
  readonly memory: number[] = [];
  reloads = 0;
  restarts = 0;
  inconsistent = 0;

  constructor(workspace: Workspace, ports: Ports, proxy: ChildProcess) {
    this.#workspace = workspace;
    this.#ports = ports;
    this.#proxy = proxy;
  }

  askProxy<Answer>(message: string | object): Promise<Answer> {
    const answer = this.#asking.then(() => ask(this.#proxy, message));
    this.#asking = answer.catch(() => undefined);
    return answer as Promise<Answer>;
  }

  async run(): Promise<void> {
    this.#backend = await startBackend(this.#ports);
    const work = [
      ...this.#clients(),
      this.#every(reloadEveryMs, () => this.#reload()),
      this.#every(restartEveryMs, () => this.#restart()),
      this.#every(sampleEveryMs, () => this.#sample()),
    ];
    setTimeout(() => this.#over.abort(), totalMs);
    await Promise.all(work);
    this.ledger.outageBegins();
    this.#backend.kill('SIGKILL');
  }

  #clients(): Promise<void>[] {
    const { clear, secure, tcp: tcpPort } = this.#ports;
    const connected = (): void => void this.ledger.connected++;
    const unheard = (): void => void this.ledger.unheard++;
    const at = (port: number, isSecure: boolean): Place => ({ port, secure: isSecure, connected, unheard });
    const attempts: [kind: string, count: number, action: () => Promise<Outcome>][] = [
      ['TCP', 5, () => tcp(at(tcpPort, false))],
      ['WebSocket', 4, () => webSocket(at(clear, false))],
      ['WebSocket over TLS', 4, () => webSocket(at(secure, true))],
      [
        'HTTP/2 session',
        3,
        () => http2Session(at(secure, true), (action) => this.ledger.attempt('HTTP/2', action)),
      ],
    ];
    const workers = attempts.flatMap(([kind, count, action]) =>
      Array.from({ length: count }, () => this.#repeat(kind, action)),
    );
    const http1 = Array.from({ length: 6 }, () => [
      this.#http1('HTTP/1.1', at(clear, false)),
      this.#http1('HTTP/1.1 over TLS', at(secure, true)),
    ]);
    return [...workers, ...http1.flat()];
  }

  async #http1(kind: string, place: Place): Promise<void> {
    const client = new Http1Client(place);
    await this.#repeat(kind, () => client.request());
    client.close();
  }

  async #repeat(kind: string, action: () => Promise<Outcome>): Promise<void> {
    while (!this.#over.signal.aborted) {
      await this.ledger.attempt(kind, action);
      await delay(Math.random() * longestPauseMs);
    }
  }

  async #every(periodMs: number, action: () => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    for (;;) {
      await delay(periodMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await action();
    }
  }

  async #reload(): Promise<void> {
    this.reloads++;
    await this.askProxy({ routes: routes(this.#workspace, this.#ports, this.reloads) });
  }

  async #restart(): Promise<void> {
    this.restarts++;
    this.ledger.outageBegins();
    this.#backend?.kill('SIGKILL');
    await delay(Math.random() * longestOutageMs);
    this.#backend = await startBackend(this.#ports);
    this.ledger.outageEnds();
  }

  async #sample(): Promise<void> {
    this.memory.push(residentBytes(this.#proxy.pid ?? 0));
    const { audit } = await this.askProxy<Statistics>('statistics');
    if (!audit.consistent) this.inconsistent++;
  }
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((left, right) => left + right, 0);
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

async function check(soak: Soak, proxy: ChildProcess, before: { opened: number; descriptors: number }) {
  const pid = proxy.pid ?? 0;
  await waitUntil('every connection to end', async () => {
    return (await soak.askProxy<Statistics>('statistics')).connections.active === 0 || undefined;
  }).catch((error: Error) => console.error(error.message));
  await delay(settleMs);
  const { ledger, memory } = soak;
  const statistics = await soak.askProxy<Statistics>('statistics');
  const { connections, terminations, refusals, cleanup, audit, networkProxy } = statistics;
  const quarter = memory.length / 4;
  const [third, last] = [memory.slice(2 * quarter, 3 * quarter), memory.slice(3 * quarter)].map(median);
  const seen = connections.opened + connections.refused - before.opened;
  const pooled = networkProxy.pools.reduce((total, { idle, busy }) => total + idle + busy, 0);
  const answered = [...ledger.tallies]
    .filter(([kind]) => kind === 'HTTP/2' || kind.startsWith('HTTP/1.1'))
    .reduce((total, [, { done }]) => total + done, 0);
  console.log(JSON.stringify({ ...statistics, memory: memory.map(megabytes) }, null, 2));
  console.table(Object.fromEntries(ledger.tallies));
  for (const failure of ledger.failures) console.log(`unexplained: ${failure}`);
  return [
    [`${ledger.unexplained} unexplained failures`, ledger.unexplained === 0],
    [`${soak.reloads} reloads, ${soak.restarts} restarts of the backend`, soak.reloads > 0],
    [
      `${seen} opened or refused of ${ledger.connected} connections, and ${ledger.unheard} that nobody heard of`,
      seen >= ledger.connected && seen <= ledger.connected + ledger.unheard,
    ],
    [
      'opened = terminated, nothing active',
      connections.opened === connections.terminated && connections.active === 0,
    ],
    ['terminated = the sum of its reasons', connections.terminated === sum(terminations)],
    ['refused = the sum of its reasons', connections.refused === sum(refusals)],
    ['graceful + forced + orphaned = terminated', sum({ ...cleanup }) === connections.terminated],
    [
      'none healed by the audit, none by an error of the proxy',
      cleanup.orphaned + (terminations['internal-error'] ?? 0) === 0,
    ],
    ['nobody was taken for an attacker', (terminations['protocol-abuse'] ?? 0) === 0],
    [`${networkProxy.requests} requests counted, ${answered} answered`, networkProxy.requests >= answered],
    [`the audit was consistent, ${soak.inconsistent} times not`, soak.inconsistent === 0 && audit.consistent],
    [
      'nothing left',
      audit.records + audit.sockets + audit.addresses + networkProxy.connectedClients + pooled === 0,
    ],
    [
      `memory ${megabytes(third ?? 0)} in the third quarter, ${megabytes(last ?? 0)} in the last`,
      (last ?? 0) <= (third ?? 0) * allowedGrowth,
    ],
    [
      `descriptors ${before.descriptors} before, ${descriptorsOf(pid)} at the end`,
      descriptorsOf(pid) <= before.descriptors,
    ],
  ] as const;
}

async function main(): Promise<boolean> {
  const workspace = new Workspace('soak');
  try {
    await writeCertificate(workspace);
    const ports = await choosePorts();
    const options = {
      routes: routes(workspace, ports, 0),
      stateDirectory: workspace.folder,
      log: { level: 'error' },
      admin: false,
    };
    const file = workspace.write('smartproxy.json', JSON.stringify(options));
    return await withChild('embedded-proxy.ts', ['--config', file], async (proxy) => {
      await waitUntil('the proxy', async () => (await accepts(ports.tcp)) || undefined);
      const soak = new Soak(workspace, ports, proxy);
      const { connections } = await waitUntil('the first connection to end', async () => {
        const statistics = await soak.askProxy<Statistics>('statistics');
        const { active, opened } = statistics.connections;
        return active === 0 && opened > 0 ? statistics : undefined;
      });
      const before = {
        opened: connections.opened + connections.refused,
        descriptors: descriptorsOf(proxy.pid ?? 0),
      };
      await soak.run();
      const checks = await check(soak, proxy, before);
      for (const [what, ok] of checks) console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}`);
      return checks.every(([, ok]) => ok);
    });
  } finally {
    await workspace.end();
  }
}

exit((await main()) ? 0 : 1);
