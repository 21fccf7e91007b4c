import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { eventually } from '../support/eventually.ts';
import { parseExposition, sumOf } from '../support/exposition.ts';
import { httpRoute, siteRoute, startHttpProxy, startNodeServer, tellSeen } from '../support/http-fixture.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { Workspace } from '../support/workspace.ts';
import { patternBytes } from './pattern.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage, type StagedProxy } from './stage.ts';

const admin = { listen: '127.0.0.1:0' };

async function scrape({ proxy }: Pick<StagedProxy, 'proxy'>): Promise<string> {
  const response = await fetch(`${proxy.adminAddress}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return response.text();
}

async function get<Answer>({ proxy }: Pick<StagedProxy, 'proxy'>, path: string): Promise<Answer> {
  return (await (await fetch(`${proxy.adminAddress}${path}`)).json()) as Answer;
}

/** The public contract: INTERFACE, metrics. */
const names = [
  ...['connections_active', 'connections_opened_total', 'connections_refused_total'],
  ...['connections_terminated_total', 'connection_duration_seconds', 'bytes_total'],
  ...['dial_duration_seconds', 'tls_handshake_duration_seconds', 'network_proxy_connected_clients'],
  ...['network_proxy_port_proxy_connections', 'network_proxy_tls_terminated_total'],
  ...['http_requests_total', 'http_request_duration_seconds', 'pool_connections'],
  ...['certificate_expiry_seconds', 'audit_difference', 'event_loop_delay_seconds'],
].map((name) => `smartproxy_${name}`);

test('every metric of the contract is told, with figures that are true, and promtool finds nothing wrong', async (t) => {
  const workspace = Workspace.of(t, 'metrics');
  if (!hasPrograms(t, 'promtool', 'curl')) return;
  const backend = await startNodeServer(workspace, (request, response) => void tellSeen(request, response));
  const fixture = await startHttpProxy(workspace, [httpRoute('web', backend), siteRoute('a.test', backend)], {
    admin,
  });
  const curl = (...args: string[]): Promise<string> =>
    workspace.run(programPath('curl'), ['-sk', '-o', '/dev/null', ...args]);
  await curl(`http://127.0.0.1:${fixture.portOf('web')}/`);
  await curl('-d', 'x', `http://127.0.0.1:${fixture.portOf('web')}/`);
  const port = fixture.portOf('a.test');
  await curl('--connect-to', `a.test:443:127.0.0.1:${port}`, 'https://a.test/');
  await fixture.nothingLeft();
  const text = await scrape(fixture);
  const told = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  assert.deepEqual([...told].sort(), [...names].sort());
  assert.equal(await workspace.run(programPath('promtool'), ['check', 'metrics'], { input: text }), '');
  const counted = (method: string, route: string): number =>
    sumOf(text, 'smartproxy_http_requests_total', { route, method, status: '200' });
  assert.deepEqual([counted('GET', 'web'), counted('POST', 'web'), counted('GET', 'a.test')], [1, 1, 1]);
  assert.equal(sumOf(text, 'smartproxy_http_requests_total'), 3);
  assert.equal(sumOf(text, 'smartproxy_http_request_duration_seconds_count'), 3);
  assert.equal(sumOf(text, 'smartproxy_tls_handshake_duration_seconds_count'), 1);
  assert.ok(sumOf(text, 'smartproxy_tls_handshake_duration_seconds_sum') > 0);
  assert.equal(sumOf(text, 'smartproxy_network_proxy_tls_terminated_total'), 1);
  assert.ok(sumOf(text, 'smartproxy_dial_duration_seconds_count') >= 1);
  assert.equal(sumOf(text, 'smartproxy_network_proxy_connected_clients'), 0);
  assert.ok(sumOf(text, 'smartproxy_certificate_expiry_seconds', { domain: 'a.test' }) > 86_400);
  assert.ok(sumOf(text, 'smartproxy_pool_connections', { target: `127.0.0.1:${backend}` }) >= 1);
});

test('requests that cannot be read are counted by what they were answered with, over HTTP/1.1 and HTTP/2', async (t) => {
  const workspace = Workspace.of(t, 'metrics');
  if (!hasPrograms(t, 'curl')) return;
  const fixture = await startHttpProxy(workspace, [httpRoute('web', 9), siteRoute('a.test', 9)], {
    admin,
    limits: { headerBytes: 8192 },
  });
  const status = (...args: string[]): Promise<string> =>
    workspace.run(programPath('curl'), [
      '-sk',
      '-o',
      '/dev/null',
      '-w',
      '%{http_version} %{http_code}',
      ...args,
    ]);
  const site = ['--connect-to', `a.test:443:127.0.0.1:${fixture.portOf('a.test')}`, 'https://a.test/'];
  const large = ['-H', `X-Large: ${'x'.repeat(20_000)}`];
  assert.equal(await status('-H', 'Host: a b', `http://127.0.0.1:${fixture.portOf('web')}/`), '1.1 400');
  assert.equal(await status('--http1.1', ...large, ...site), '1.1 431');
  assert.equal(await status('--http2', ...large, ...site), '2 431');
  await fixture.nothingLeft();
  const text = await scrape(fixture);
  const counted = (code: string): number =>
    sumOf(text, 'smartproxy_http_requests_total', { route: '(none)', method: 'other', status: code });
  assert.deepEqual([counted('400'), counted('431')], [1, 2]);
  assert.equal(sumOf(text, 'smartproxy_http_requests_total'), 3);
  assert.equal(sumOf(text, 'smartproxy_http_request_duration_seconds_count'), 0);
});

// M1
test('what /metrics, statistics, the record and the list of routes tell of bytes is what the client counted', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)], { admin });
  const pieces = [1, 65_536, 300_001].map((length) => patternBytes(0, length));
  const client = stage.connect(staged.portOf('tcp'));
  for (const piece of pieces) client.send(piece);
  const sent = pieces.reduce((total, { length }) => total + length, 0);
  await client.gets(Buffer.concat(pieces));
  const shown = async (): Promise<number[][]> => {
    const text = await scrape(staged);
    const direction = (name: string): number =>
      sumOf(text, 'smartproxy_bytes_total', { route: 'tcp', direction: name });
    type Bytes = { bytes: { fromClient: number; toClient: number } };
    const { bytes } = await get<Bytes>(staged, '/api/v1/statistics');
    const { routes } = await get<{ routes: Bytes[] }>(staged, '/api/v1/routes');
    return [
      [direction('from_client'), direction('to_client')],
      [bytes.fromClient, bytes.toClient],
      [routes[0]!.bytes.fromClient, routes[0]!.bytes.toClient],
    ];
  };
  assert.deepEqual(
    await shown(),
    [
      [sent, sent],
      [sent, sent],
      [sent, sent],
    ],
    'while it lives',
  );
  client.end();
  const { bytes } = await staged.ended();
  assert.deepEqual([bytes.fromClient, bytes.toClient], [client.socket.bytesWritten, client.socket.bytesRead]);
  assert.deepEqual(
    await shown(),
    [
      [sent, sent],
      [sent, sent],
      [sent, sent],
    ],
    'after its end',
  );
});

// M2
test('rates are shown while something happens, and are 0 once nothing does', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const clock = new SkippingClock();
  const staged = await stage.proxy([tcp(backend.port)], { admin }, { clock });
  for (let index = 0; index < 4; index++) {
    const client = stage.connect(staged.port).end(patternBytes(0, 10_000));
    await client.gone();
  }
  await staged.ended(4);
  type Rated = { rates: { opened: number; bytes: { fromClient: number }; windowMs: number } };
  const rates = async (): Promise<Rated[]> => [
    await get<Rated>(staged, '/api/v1/statistics'),
    (await get<{ routes: Rated[] }>(staged, '/api/v1/routes')).routes[0]!,
  ];
  clock.skip(1_000);
  for (const { rates: shown } of await rates()) {
    const perSecond = 1000 / shown.windowMs;
    assert.ok(Math.abs(shown.opened - 4 * perSecond) < 0.01, JSON.stringify(shown));
    assert.ok(Math.abs(shown.bytes.fromClient - 40_000 * perSecond) < 1, JSON.stringify(shown));
  }
  for (let second = 0; second < 10; second++) clock.skip(1_000);
  for (const { rates: shown } of await rates()) {
    assert.deepEqual([shown.opened, shown.bytes.fromClient], [0, 0]);
  }
  const { samples } = await get<{ samples: { counts: { opened: number } }[] }>(
    staged,
    '/api/v1/history?seconds=11',
  );
  assert.equal(samples.length, 11);
  assert.deepEqual(
    samples.map(({ counts }) => counts.opened),
    [4, ...Array.from({ length: 10 }, () => 0)],
  );
});

// M3
test('scrapes amid thousands of connections are bounded, right, and hold nobody up', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend(({ socket }) => socket.end('x'));
  const routes = Array.from({ length: 60 }, (_, index) => tcp(backend.port, { name: `route-${index}` }));
  const staged = await stage.proxy(routes, { admin, log: { connections: false } });
  const ports = routes.map(({ name }) => staged.portOf(name));
  const texts: string[] = [];
  let done = 0;
  const visit = async (worker: number): Promise<void> => {
    for (let index = worker; index < 3_000; index += 30) {
      const client = stage.visit(ports[index % ports.length]!);
      await eventually('the connection is over', () => client.finished || client.closed);
      client.end();
      done++;
    }
  };
  const scraping = (async () => {
    while (done < 3_000) texts.push(await scrape(staged));
  })();
  await Promise.all([...Array.from({ length: 30 }, (_, worker) => visit(worker)), scraping]);
  await staged.settled(0);
  const last = await scrape(staged);
  assert.equal(sumOf(last, 'smartproxy_connections_opened_total'), 3_000);
  assert.equal(sumOf(last, 'smartproxy_connections_terminated_total'), 3_000);
  assert.equal(sumOf(last, 'smartproxy_connections_active'), 0);
  assert.equal(sumOf(last, 'smartproxy_connections_opened_total', { route: 'route-7' }), 50);
  assert.ok(texts.length > 5, `${texts.length} scrapes`);
  const lines = parseExposition(last).length;
  const endings = 'smartproxy_connections_terminated_total';
  const kinds = new Set(
    parseExposition(last)
      .filter(({ name }) => name === endings)
      .map(kindOf),
  ).size;
  assert.ok(lines < 61 * (4 + kinds) + 120, `${lines} lines for ${kinds} kinds of endings`);
  let before = 0;
  for (const text of texts) {
    const opened = sumOf(text, 'smartproxy_connections_opened_total');
    assert.ok(opened >= before, 'a counter never goes down');
    before = opened;
  }
});

function kindOf({ labels }: { labels: Record<string, string> }): string {
  return `${labels.reason} ${labels.phase}`;
}

test('what is counted by route adds up to the statistics, refusals and unrouted connections included', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy(
    [tcp(backend.port), tls('a.test', backend.port), acting({ type: 'block' })],
    { admin, limits: { maxConnections: 1 } },
  );
  const held = await stage.connect(staged.portOf('tcp')).connected();
  await held.send('x').gets('x');
  await stage.connect(staged.portOf('tcp')).gone();
  held.end();
  await staged.ended(1);
  await stage.connect(staged.portOf('a.test')).end('not TLS').gone();
  await staged.ended(2);
  await stage.connect(staged.portOf('block')).end().gone();
  await staged.ended(3);
  const { connections, terminations, refusals, endings } = staged.proxy.getStatistics();
  const text = await scrape(staged);
  const total = (name: string, labels?: Record<string, string>): number =>
    sumOf(text, `smartproxy_${name}`, labels);
  assert.equal(total('connections_opened_total'), connections.opened);
  assert.equal(total('connections_terminated_total'), connections.terminated);
  assert.equal(total('connections_refused_total'), connections.refused);
  assert.equal(total('connections_refused_total', { reason: 'connection-limit' }), 1);
  assert.deepEqual(refusals, { 'connection-limit': 1 });
  for (const [reason, count] of Object.entries(terminations)) {
    assert.equal(total('connections_terminated_total', { reason }), count, reason);
  }
  assert.equal(total('connections_terminated_total', { route: '(none)', reason: 'invalid-hello' }), 1);
  assert.deepEqual(endings.map(({ reason, phase, count }) => `${reason} ${phase} ${count}`).sort(), [
    'blocked routing 1',
    'client-closed half-closed 1',
    'invalid-hello routing 1',
  ]);
});

test('without metrics nothing is measured, and the totals are kept all the same', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)], { admin, metrics: false });
  await stage.connect(staged.port).end('x').gone();
  await staged.ended();
  const response = await fetch(`${staged.proxy.adminAddress}/metrics`);
  assert.equal(response.status, 404);
  await response.text();
  assert.equal(await staged.proxy.metrics(), null);
  const { connections, rates, endings } = staged.proxy.getStatistics();
  assert.deepEqual([connections.terminated, rates.windowMs, endings], [1, 0, []]);
  const { routes } = await get<{ routes: { active: number; rates?: unknown }[] }>(staged, '/api/v1/routes');
  assert.deepEqual([routes[0]?.active, routes[0]?.rates], [0, undefined]);
});
