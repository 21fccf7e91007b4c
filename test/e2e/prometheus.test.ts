import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RunningProxy } from '../support/command-line.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { freePort, Workspace, waitUntil } from '../support/workspace.ts';

const examples = join(import.meta.dirname, '..', '..', 'examples', 'prometheus');

interface Answer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

/** A real Prometheus, with the example's configuration but for the address that it scrapes. */
class Prometheus {
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(workspace: Workspace, target: string): Promise<Prometheus> {
    const configuration = readFileSync(join(examples, 'prometheus.yml'), 'utf8')
      .replace('127.0.0.1:9901', target)
      .replace('alerts.yml', join(examples, 'alerts.yml'))
      .replaceAll('15s', '1s');
    const port = await freePort();
    await workspace.startServer(port, programPath('prometheus'), [
      `--config.file=${workspace.write('prometheus.yml', configuration)}`,
      `--storage.tsdb.path=${workspace.path('prometheus')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    return new Prometheus(port);
  }

  async ask(query: string): Promise<Answer> {
    const response = await fetch(
      `http://127.0.0.1:${this.#port}/api/v1/query?query=${encodeURIComponent(query)}`,
    );
    return (await response.json()) as Answer;
  }

  /** The only value of a query, once there is one. */
  async value(query: string): Promise<number> {
    return waitUntil(`an answer to ${query}`, async () => {
      const { data } = await this.ask(query);
      return data?.result.length === 1 ? Number(data.result[0]?.value[1]) : undefined;
    });
  }

  async becomes(query: string, expected: number): Promise<void> {
    await waitUntil(
      `${query} to be ${expected}`,
      async () => (await this.value(query)) === expected || undefined,
    );
  }
}

interface Demo {
  workspace: Workspace;
  proxy: RunningProxy;
  admin: string;
}

async function startDemo(context: TestContext): Promise<Demo> {
  const workspace = Workspace.of(context, 'prometheus');
  const proxy = new RunningProxy(workspace, ['demo']);
  const { admin } = await proxy.logs('ready');
  return { workspace, proxy, admin: String(admin) };
}

/** What the panels ask, as Grafana asks it for all instances and routes. */
function dashboardQueries(): string[] {
  const { panels } = JSON.parse(readFileSync(join(examples, 'grafana-dashboard.json'), 'utf8')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  return panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(instance|route)/g, '.*'));
}

test('the examples are what promtool calls right, and each alert fires for what it is meant for', async (t) => {
  const workspace = Workspace.of(t, 'promtool');
  if (!hasPrograms(t, 'promtool')) return;
  const promtool = (...args: string[]): Promise<string> => workspace.run(programPath('promtool'), args);
  await promtool('check', 'config', join(examples, 'prometheus.yml'));
  await promtool('check', 'rules', join(examples, 'alerts.yml'));
  await promtool('test', 'rules', join(examples, 'alerts.test.yml'));
});

test('a real Prometheus scrapes the demo, and knows what the proxy knows', async (t) => {
  if (!hasPrograms(t, 'prometheus', 'curl')) return;
  const { workspace, proxy, admin } = await startDemo(t);
  const prometheus = await Prometheus.start(workspace, new URL(admin).host);
  await prometheus.becomes('up{job="smartproxy"}', 1);
  const [app, echo] = [await proxy.portOf('app.localhost'), await proxy.portOf('echo')];
  const curl = (...args: string[]): Promise<string> =>
    workspace.run(programPath('curl'), ['-sk', '-o', '/dev/null', ...args]);
  for (let count = 0; count < 3; count++) {
    await curl('--connect-to', `app.localhost:443:127.0.0.1:${app}`, 'https://app.localhost/');
  }
  await curl('--http0.9', '-m', '2', `http://127.0.0.1:${echo}/`).catch(() => '');
  const statistics = async () =>
    (await (await fetch(`${admin}/api/v1/statistics`)).json()) as {
      connections: { active: number; opened: number; terminated: number };
      networkProxy: { tlsTerminatedConnections: number };
    };
  await waitUntil('every connection to end', async () => {
    return (await statistics()).connections.active === 0 || undefined;
  });
  const { connections, networkProxy } = await statistics();
  await prometheus.becomes('sum(smartproxy_connections_opened_total)', connections.opened);
  await prometheus.becomes('sum(smartproxy_connections_terminated_total)', connections.terminated);
  await prometheus.becomes('sum(smartproxy_connections_active)', 0);
  await prometheus.becomes(
    'smartproxy_network_proxy_tls_terminated_total',
    networkProxy.tlsTerminatedConnections,
  );
  await prometheus.becomes('sum(smartproxy_http_requests_total{route="app.localhost", status="200"})', 3);
  assert.ok(
    (await prometheus.value('smartproxy_certificate_expiry_seconds{domain="app.localhost"}')) > 86_400,
  );
  assert.ok((await prometheus.value('scrape_duration_seconds')) < 1);
  const empty: string[] = [];
  for (const query of dashboardQueries()) {
    const { status, error, data } = await prometheus.ask(query);
    assert.equal(status, 'success', `${query}: ${error}`);
    if (data.result.length === 0) empty.push(query);
  }
  assert.ok(dashboardQueries().length > 20);
  assert.deepEqual(
    empty.filter((query) => !/refused|dns-failed/.test(query)),
    [],
    'every panel shows something, but those of failures',
  );
  const { data } = await prometheus.ask('ALERTS');
  assert.deepEqual(
    data.result.filter(({ metric }) => metric.alertstate === 'firing'),
    [],
  );
});
