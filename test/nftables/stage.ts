/** A SmartProxy that forwards in the kernel, between a client and two backends, each a host of its own. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { AdminClient } from '../../src/cli/admin-client.ts';
import type { Route, SmartProxyOptions } from '../../src/config/schema.ts';
import type { RecordSummary } from '../../src/connection/record-summary.ts';
import type { Statistics } from '../../src/smart-proxy/statistics.ts';
import { RunningProxy } from '../support/command-line.ts';
import { Namespaces } from '../support/namespaces.ts';
import { Workspace, waitUntil } from '../support/workspace.ts';
import { Host } from './host.ts';

export const proxyAddress = '10.71.0.1';
export const clientAddress = '10.71.0.2';
export const backends = ['10.71.1.2', '10.71.2.2'] as const;

type Options = Omit<SmartProxyOptions, 'routes'>;

export class KernelStage {
  readonly workspace: Workspace;
  readonly namespaces: Namespaces;
  readonly client: Host;
  readonly backends: readonly [Host, Host];
  proxy!: RunningProxy;
  #options: Options = {};

  private constructor(workspace: Workspace, namespaces: Namespaces) {
    this.workspace = workspace;
    this.namespaces = namespaces;
    this.client = new Host(workspace, namespaces, namespaces.client);
    const [first, second] = namespaces.backends;
    this.backends = [new Host(workspace, namespaces, first), new Host(workspace, namespaces, second)];
  }

  /** Undefined, and the test is skipped, where this cannot be done. No proxy runs yet. */
  static set(context: TestContext): KernelStage | undefined {
    const workspace = Workspace.of(context, 'kernel');
    const namespaces = Namespaces.of(context, workspace);
    if (namespaces === undefined) return undefined;
    namespaces.forward();
    return new KernelStage(workspace, namespaces);
  }

  /** Starts the proxy, and waits until it is ready. */
  async start(routes: Route[], options: Options = {}, env: NodeJS.ProcessEnv = {}): Promise<void> {
    this.launch(routes, options, env);
    await this.proxy.logs('ready');
  }

  /** Starts the proxy. */
  launch(routes: Route[], options: Options = {}, env: NodeJS.ProcessEnv = {}): void {
    this.#options = options;
    const file = this.configure(routes);
    const within = this.namespaces.on(this.namespaces.proxy);
    this.proxy = new RunningProxy(this.workspace, ['run', '--config', file], env, within);
  }

  /** Writes the configuration, and returns its file. */
  configure(routes: Route[]): string {
    const configuration = { admin: { listen: this.#admin }, ...this.#options, routes };
    return this.workspace.write('smartproxy.config.json', JSON.stringify(configuration));
  }

  /** Exchanges the routes of the running proxy. Rejects where it refuses them. */
  async reload(routes: Route[]): Promise<void> {
    this.configure(routes);
    await this.admin.post('/api/v1/reload');
  }

  get #admin(): string {
    return `unix:${this.workspace.path('admin.sock')}`;
  }

  get admin(): AdminClient {
    return new AdminClient(this.#admin);
  }

  async statistics(): Promise<Statistics> {
    return (await this.admin.get('/api/v1/statistics')) as Statistics;
  }

  async connections(): Promise<RecordSummary[]> {
    return ((await this.admin.get('/api/v1/connections')) as { connections: RecordSummary[] }).connections;
  }

  /** The last endings, the oldest first, once there are so many. */
  async endings(count: number): Promise<RecordSummary[]> {
    const path = '/api/v1/terminations?limit=1000';
    let found: RecordSummary[] = [];
    await waitUntil(`${count} endings`, async () => {
      found = ((await this.admin.get(path)) as { terminations: RecordSummary[] }).terminations;
      return found.length >= count || undefined;
    });
    assert.equal(found.length, count);
    return found.reverse();
  }

  /** Live connections, once there are so many in that state. */
  async live(count: number, state = 'established'): Promise<RecordSummary[]> {
    return waitUntil(`${count} connections that are ${state}`, async () => {
      const found = (await this.connections()).filter((record) => record.state === state);
      return found.length === count ? found : undefined;
    });
  }

  /** Waits until nothing is open, and checks that the books agree. */
  async nothingLeft(): Promise<void> {
    await waitUntil('every connection to end', async () => {
      const { connections, audit } = await this.statistics();
      return (connections.active === 0 && audit.flows === 0) || undefined;
    });
    const { connections, terminations, refusals, cleanup, audit } = await this.statistics();
    assert.equal(connections.opened, connections.terminated);
    for (const [counts, total] of [
      [terminations, connections.terminated],
      [cleanup, connections.terminated],
      [refusals, connections.refused],
    ] as const) {
      assert.equal(
        Object.values(counts).reduce<number>((sum, count) => sum + (count ?? 0), 0),
        total,
      );
    }
    const { records, sockets, addresses, timers, consistent } = audit;
    assert.deepEqual(
      { records, sockets, addresses, timers, consistent },
      { records: 0, sockets: 0, addresses: 0, timers: 0, consistent: true },
    );
    assert.equal(cleanup.orphaned, 0);
  }

  /** Ends the proxy by a signal, and checks that nothing of it is left. */
  async stop(): Promise<void> {
    this.proxy.signal('SIGTERM');
    assert.equal(await this.proxy.program.exited(), 0, this.proxy.program.output);
    assert.deepEqual(this.namespaces.tables(), []);
  }
}

/** A route for the kernel. */
export function kernelRoute(
  name: string,
  port: number,
  target: { host: string; port: number } | { host: string; port: number }[],
  changes: { action?: object; match?: object } & Partial<Omit<Route, 'match' | 'action'>> = {},
): Route {
  const { action, match, ...rest } = changes;
  return {
    name,
    match: { ports: port, ...match },
    action: {
      type: 'forward',
      engine: 'nftables',
      ...(Array.isArray(target) ? { targets: target } : { target }),
      ...action,
    },
    ...rest,
  } as Route;
}
